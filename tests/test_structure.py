"""The tree's structure: who writes to what, how large things are, who imports whom; each check with a proof that it
can fail."""

from pathlib import Path
from textwrap import dedent

import pytest

from tests.structure.imports import import_cycles
from tests.structure.limits import long_files, long_functions, many_attributes
from tests.structure.sources import Source, read
from tests.structure.writers import FIVE, several_writers, written_from_outside

SOURCES = read(Path("streamer"))

STREAM = """
class Panel:
    def __init__(self) -> None:
        self.scores, self.version = [], 0

class StreamState:
    def __init__(self, panel: Panel) -> None:
        self.counts, self.version, self.panel = {}, 0, panel

    def newer(self) -> None:
        self.version += 1
        self.counts["samples"] = 1
"""


def nothing(breaches: list[str]) -> None:
    """Fails with one breach a line."""
    if breaches:
        pytest.fail("\n".join(breaches), pytrace=False)


def package(folder: Path, **texts: str) -> list[Source]:
    """A package of these modules; a double underscore in a name stands for a folder."""
    for name, text in texts.items():
        file = folder / "streamer" / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return read(folder / "streamer")


def test_a_stream_is_written_by_its_own_classes_alone() -> None:
    """Nothing of the five classes that hold a stream is assigned outside of them."""
    nothing(written_from_outside(SOURCES))


def test_every_attribute_has_one_writer() -> None:
    """What an object of the lanes, streams, forecasts, swaps and resumes holds, its own class assigns."""
    nothing(several_writers(SOURCES))


def test_classes_hold_little() -> None:
    """No class of the lanes, streams and forecasts has more than 12 attributes."""
    nothing(many_attributes(SOURCES))


def test_files_are_short() -> None:
    """No file has more than 300 lines."""
    nothing(long_files(SOURCES))


def test_functions_are_short() -> None:
    """No function's body has more than 40 lines."""
    nothing(long_functions(SOURCES))


def test_imports_have_no_cycle() -> None:
    """Neither modules nor top-level folders import each other in a circle."""
    nothing(import_cycles(SOURCES))


@pytest.mark.parametrize(
    "text",
    [
        "def f(s: StreamState) -> None:\n    s.version = 1  # here",
        "def f(s: 'StreamState | None') -> None:\n    s.version += 1  # here",
        "def f(s: StreamState) -> None:\n    s.version: int = 1  # here",
        "def f(s: StreamState) -> None:\n    one, (s.version, *_) = 1, (2, 3)  # here",
        "def f(s: StreamState) -> None:\n    s.counts['samples'] = 1  # here",
        "def f(s: StreamState) -> None:\n    s.counts['samples'].sum[0] += 1  # here",
        "def f(s: StreamState) -> None:\n    del s.version  # here",
        "def f(s: StreamState) -> None:\n    setattr(s, 'version', 1)  # here",
        "def f(s: StreamState, name: str) -> None:\n    setattr(s.panel, name, 1)  # here",
        "def f(s: StreamState) -> None:\n    object.__setattr__(s, 'version', 1)  # here",
        "def f(s: StreamState) -> None:\n    for s.version in range(3):  # here\n        pass",
        "def f(s: StreamState) -> None:\n    s.panel.version = 1  # here",
        "def f(s: StreamState) -> None:\n    mine = s.panel\n    def g() -> None:\n        mine.version = 1  # here",
        "def f(all: dict[str, StreamState]) -> None:\n    for s in all.values():\n        s.version = 1  # here",
        "def f(all: list[StreamState]) -> None:\n    for i, s in enumerate(all):\n        s.version = i  # here",
        "def f(all: list[StreamState]) -> None:\n    all[0].version = 1  # here",
        "def f(found: tuple[StreamState, int]) -> None:\n    found[0].version = 1  # here",
        "def made() -> StreamState: ...\ndef f() -> None:\n    made().version = 1  # here",
        "def f(stream) -> None:\n    stream.version = 1  # here",
        "def f(streams) -> None:\n    for one in streams:\n        one.version = 1  # here",
        "def f(streams) -> None:\n    streams[0].version = 1  # here",
        "class Other:\n    def f(self) -> None:\n        self.panel.anything = 1  # here",
        "class Other:\n    def __init__(self, s: StreamState) -> None:\n        self.s = s\n"
        "    def f(self) -> None:\n        self.s.version = 1  # here",
        "class Other:\n    one: StreamState\n    def f(self) -> None:\n        self.one.version = 1  # here",
        "class Panel:\n    def f(self, s: StreamState) -> None:\n        s.version = 1  # here",
    ],
)
def test_a_write_from_outside_is_found(tmp_path: Path, text: str) -> None:
    """Every way to assign, through every kind of name, is one breach, at its line."""
    found = written_from_outside(package(tmp_path, stream__state=STREAM, lanes__fast=text), ["StreamState", "Panel"])
    line = next(number for number, one in enumerate(text.splitlines(), 1) if "# here" in one)
    assert {breach.split()[0] for breach in found} == {f"streamer/lanes/fast.py:{line}"}


@pytest.mark.parametrize(
    "text",
    [
        "def f(stream: Stream) -> None:\n    stream.version = 1",
        "def f(s: StreamState) -> int:\n    version = s.version\n    return version",
        "def f(s: StreamState, by_version: dict[int, int]) -> None:\n    by_version[s.version] = 1",
        "def f(activity) -> None:\n    activity.version = 1",
        "class Other:\n    def __init__(self, stream: StreamState) -> None:\n        self.stream = stream\n"
        "        self.version, self.panel = 1, stream.panel",
        "class Sub(StreamState):\n    def f(self, s: StreamState) -> None:\n        self.version = s.version = 1",
    ],
)
def test_what_is_no_write_from_outside_is_not_found(tmp_path: Path, text: str) -> None:
    """Reading, an object of another class with the same names, and the class itself are no breach."""
    sources = package(tmp_path, stream__state=STREAM, lanes__fast=text)
    assert written_from_outside(sources, ["StreamState", "Panel"]) == []


def test_a_class_that_is_gone_is_missed(tmp_path: Path) -> None:
    """Without one of the five classes the check does not pass in silence."""
    assert [breach.split()[-1] for breach in written_from_outside(package(tmp_path, app=""))] == list(FIVE)


def test_compiled_functions_write_to_the_tuples_of_their_module(tmp_path: Path) -> None:
    """numba compiles functions, not methods: those of the module are a tuple's own code, those of others are not."""
    kernel = """
        class Arrays(NamedTuple):
            x: list

        @compiled
        def fill(s: Arrays) -> None:
            s.x[0] = 1

        def spill(s: Arrays) -> None:
            s.x[0] = 1
    """
    other = """
        @compiled
        def fill(s: Arrays) -> None:
            s.x[0] = 1
    """
    found = several_writers(package(tmp_path, forecast__kernel=dedent(kernel), forecast__other=dedent(other)))
    assert [line.rpartition("/")[2].split()[0] for line in found] == ["kernel.py:10", "other.py:4"]


def test_a_second_writer_is_found(tmp_path: Path) -> None:
    """A record's field, and an attribute of a class that is none of the five, have one writer as well; a class of the
    same name in another folder may do as it likes."""
    record = "@dataclass\nclass Counts:\n    samples: int = 0\n"
    elsewhere = f"{record}def f(counts: Counts) -> None:\n    counts.samples = 1"
    lane = (
        "from streamer.stream.counts import Counts\n"
        "class Lane:\n    def __init__(self) -> None:\n        self.counts = Counts()\n"
        "    def f(self) -> None:\n        self.counts.samples += 1\n"
        "def g(lane: Lane) -> None:\n    lane.counts = None"
    )
    found = several_writers(package(tmp_path, stream__counts=record, lanes__fast=lane, mqtt__link=elsewhere))
    assert [breach.split()[0] for breach in found] == ["streamer/lanes/fast.py:6", "streamer/lanes/fast.py:8"]


def test_too_many_attributes_are_found(tmp_path: Path) -> None:
    """Fields, those assigned in any method and those of a base count, each once; a ClassVar does not."""
    text = (
        "class Base:\n    a: int\n    b: ClassVar[int] = 0\n"
        "class Sub(Base):\n    c: int\n    def f(self) -> None:\n"
        "        self.c, self.d = self.a, 1\n        self.e[0] = 1\n"
    )
    sources = package(tmp_path, forecast__one=text)
    assert many_attributes(sources, most=3) == []
    assert many_attributes(sources, most=2) == ["streamer/forecast/one.py:4 Sub has 3 attributes, more than 2: a, c, d"]


def test_long_files_and_functions_are_found(tmp_path: Path) -> None:
    """A docstring does not count in a body, functions within it do."""
    text = 'def f() -> None:\n    """One\n    two."""\n    def g() -> None:\n        a = 1\n\n        b = 2\n    g()\n'
    sources = package(tmp_path, app=text)
    assert long_functions(sources, 5) == []
    assert long_functions(sources, 4) == ["streamer/app.py:1 f has a body of 5 lines, more than 4"]
    assert long_files(sources, 8) == []
    assert long_files(sources, 7) == ["streamer/app.py:8 8 lines, more than 7"]


def test_cycles_are_found(tmp_path: Path) -> None:
    """An import within a function closes a circle, one for type checkers does not; folders may be on one alone."""
    typing = "if TYPE_CHECKING:\n    from streamer.mqtt import link\n"
    one = {"store__a": "from streamer.store.b import x", "store__b": f"{typing}import streamer.errors", "errors": ""}
    assert import_cycles(package(tmp_path / "none", **one, mqtt__link="from streamer.store import a")) == []
    within = package(tmp_path / "modules", store__a="from .b import x", store__b="def f():\n    from . import a")
    assert import_cycles(within) == [
        "streamer/store/a.py:1 streamer.store.a -> streamer.store.b -> streamer.store.a"
        " (streamer/store/a.py:1, streamer/store/b.py:2)"
    ]
    between = package(
        tmp_path / "folders",
        store__a="import streamer.mqtt.link",
        mqtt__link="",
        mqtt__other="from streamer.store import a",
    )
    assert [breach.split(" (")[0] for breach in import_cycles(between)] == [
        "streamer/mqtt/other.py:1 mqtt -> store -> mqtt"
    ]
