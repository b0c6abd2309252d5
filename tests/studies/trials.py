"""The project in, copies of it out in which tests run in forks of one process, with and without a fault."""

import gc
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import traceback
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.studies.mutants import Mutant
from tests.studies.tracer import NO_TEST, SITE, Tracer

ROOT = Path(__file__).parents[2]
PROFILE = "mutation"
"""Of hypothesis."""
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", "dist", "__pycache__", ".*_cache", ".hypothesis")
OPTIONS = (
    "-q", "--tb=short", "-p", "no:cacheprovider", f"--hypothesis-profile={PROFILE}",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",
)  # fmt: skip
MEMORY = 8 * 2**30
"""Bytes that the data of one run may take, so that a fault in a loop cannot fill the machine."""
PATIENCE_SECONDS, PATIENCE = 20.0, 10.0
"""A test is given so long, and so many times its time without a fault; then the mutant counts as killed."""


@dataclass(slots=True)
class Baseline:
    """The tests without a fault: seconds by test, those that fail, third-party modules; who runs which line."""

    seconds: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    runs: dict[str, dict[int, set[str]]] = field(default_factory=dict)
    """By file and line; the test "" stands for lines that run on import."""

    def tests_of(self, mutant: Mutant, folders: Sequence[str]) -> list[str]:
        """Tests in these folders that run a line of the mutant, the fastest first; of lines that run on import all,
        those that run another line of the file before the others."""
        lines = self.runs.get(mutant.file, {})
        hits = set[str]().union(*(lines.get(line, ()) for line in range(mutant.first, mutant.last + 1)))
        near = set[str]().union(*lines.values())
        chosen = [test for test in self.seconds if within(test, folders) and (test in hits or "" in hits)]
        return sorted(chosen, key=lambda test: (test not in hits, test not in near, self.seconds[test]))


class Measure:
    """A pytest plugin: how long each test takes, which fail, what they import."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed.add(report.nodeid)


class Trace(Measure):
    """A pytest plugin: which test runs which lines, too; each with empty caches, so that it runs them itself."""

    def __init__(self, tracer: Tracer, numbers: dict[str, int]) -> None:
        super().__init__()
        self.tracer, self.numbers = tracer, numbers

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        for module in [module for name, module in sys.modules.items() if name.startswith("streamer.")]:
            for cached in [value for value in vars(module).values() if hasattr(value, "cache_clear")]:
                cached.cache_clear()
        self.tracer.begin(self.numbers.get(item.nodeid, NO_TEST))
        try:
            return (yield)
        finally:
            self.tracer.begin(NO_TEST)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, object, object]:
        test = self.tracer.test
        if fixturedef.scope != "function":
            self.tracer.begin(NO_TEST)
        try:
            return (yield)
        finally:
            self.tracer.begin(test)


class Chosen:
    """A pytest plugin: these tests in this order, each with its time; the first that fails is written down."""

    def __init__(self, tests: Sequence[str], seconds: dict[str, float], out: Path) -> None:
        self.tests, self.seconds, self.out = tests, seconds, out

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        by_name = {item.nodeid: item for item in items}
        items[:] = [by_name[test] for test in self.tests if test in by_name]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS + PATIENCE * self.seconds[item.nodeid])
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.out.write_text(report.nodeid, encoding="utf-8")


class Copy:
    """A copy of the project, in which one process at a time runs tests."""

    def __init__(self, source: Path, folder: Path) -> None:
        self.root, self.folder = folder / "tree", folder
        shutil.copytree(source, self.root, ignore=None if source.name == "tree" else LEFT_OUT)
        self.log, self.out = folder / "log", folder / "out"

    def put(self, file: str, text: str) -> str:
        """Replace a file: its text so far. What was compiled of it goes: one of the same second and size would pass
        for it."""
        path = self.root / file
        before = path.read_text(encoding="utf-8")
        path.write_text(text, encoding="utf-8")
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
            compiled.unlink()
        return before

    def fork(self, work: Callable[[], int], compiles: bool = False) -> int:
        """Do work in a process of its own, as if python had been started in the copy; its pid."""
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            return pid
        code = 70
        try:
            os.setsid()
            self.enter(compiles)
            code = int(work())
        except BaseException:  # noqa: BLE001 nothing may leave the child
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def enter(self, compiles: bool) -> None:
        log = os.open(self.log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(self.root)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        os.environ["PYTHONPATH"] = str(self.root)
        if not compiles:
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
            sys.dont_write_bytecode = True
        sys.path[:] = [str(self.root), *(path for path in sys.path if Path(path or ".").resolve() != ROOT)]
        for name in [name for name in sys.modules if name.partition(".")[0] in {"streamer", "tests"}]:
            del sys.modules[name]
        importlib.invalidate_caches()

    def pytest(self, arguments: Sequence[str], plugin: object) -> int:
        return int(pytest.main([*OPTIONS, f"--basetemp={self.folder / 'tmp'}", *arguments], plugins=[plugin]))


def within(test: str, folders: Sequence[str]) -> bool:
    return test.startswith(tuple(f"{folder}/" for folder in folders))


def wait(pid: int, seconds: float) -> int | None:
    """The exit code of a child, minus the signal that ended it, None while it runs; killed once its time is over."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    if not ended and seconds < 0:
        kill(pid)
        ended, status = os.waitpid(pid, 0)
    if not ended:
        return None
    kill(pid)
    return os.waitstatus_to_exitcode(status)


def kill(pid: int) -> None:
    """End what a child has started, and itself."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def measured(copy: Copy, paths: Sequence[str]) -> Baseline:
    """Run all tests once, without a fault."""

    def work() -> int:
        plugin = Measure()
        code = copy.pytest(["--continue-on-collection-errors", *paths], plugin)
        files = {name: str(getattr(module, "__file__", "")) for name, module in sys.modules.items()}
        modules = [name for name, file in files.items() if "site-packages" in file]
        about = {"seconds": plugin.seconds, "failed": sorted(plugin.failed), "modules": modules}
        copy.out.write_text(json.dumps(about), encoding="utf-8")
        return code

    return Baseline(**finished(copy, copy.fork(work, compiles=True)))


def traced(copy: Copy, paths: Sequence[str], files: Sequence[str], baseline: Baseline) -> None:
    """Run all tests once more, as those of a mutant are run, to learn which of them run which lines of the files."""
    names = list(baseline.seconds)
    site, lines = copy.folder / "site", copy.folder / "lines"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE, encoding="utf-8")

    def work() -> int:
        os.environ["PYTHONPATH"] = f"{site}{os.pathsep}{copy.root}"
        tracer = Tracer({str(copy.root / file): file for file in files}, str(lines))
        tracer.start()
        plugin = Trace(tracer, {name: at for at, name in enumerate(names)})
        code = copy.pytest(["--continue-on-collection-errors", *paths], plugin)
        copy.out.write_text(json.dumps(sorted(plugin.failed)), encoding="utf-8")
        return code

    baseline.failed = sorted({*baseline.failed, *finished(copy, copy.fork(work))})
    for test in baseline.failed:
        baseline.seconds.pop(test, None)
    runs: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for text in lines.read_text(encoding="utf-8").splitlines():
        test, file, line = text.split()
        runs[file][int(line)].add("" if int(test) == NO_TEST else names[int(test)])
    baseline.runs = {file: dict(by_line) for file, by_line in runs.items()}


def finished(copy: Copy, pid: int) -> Any:
    """What a run without a fault has left; some tests may have failed in it."""
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        kill(pid)
    if code not in {0, 1}:
        raise SystemExit(f"the tests cannot be run without a fault:\n{copy.log.read_text(encoding='utf-8')[-3000:]}")
    return json.loads(copy.out.read_text(encoding="utf-8"))


def preload(modules: Sequence[str]) -> None:
    """Import what the tests import of other packages, once for all runs; plugins of pytest do so themselves."""
    for name in modules:
        if "pytest" not in name and not name.startswith("__"):
            with suppress(ImportError):
                importlib.import_module(name)
    gc.collect()
    gc.freeze()
