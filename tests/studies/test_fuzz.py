"""A million messages of every wrong kind through the fast lane: minutes, so run by hand (pytest -m slow)."""

import json
import logging
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from streamer.config import Stream
from streamer.records import Message, MessageBatch
from tests.edge import double, payload
from tests.models.seed import seed
from tests.streams import NOW, SMALL, resumed, save

MESSAGES = 1_000_000
BATCH = 500
HUGE = b'{"time": 1, "value": ' + b"1" * 10_000_000 + b"}"
README = Path(__file__).parents[2] / "README.md"


def streams() -> list[Stream]:
    """Objects with a time on a grid, vectors, messages of several series in each format, and bare numbers; few series
    each, and small networks live."""
    common = {"model": SMALL, "max_series": 50, "max_gap": 20, "retrain": {"every": 0, "minimum": 30, "window": 500}}
    objects = {
        "payload": {"format": "json", "time": "time"},
        "interval": 1.0,
        "lowest": -50,
        "highest": 50,
        "season": 6,
    }
    vectors = {"payload": {"format": "array", "d": 2}}
    fields = {"payload": {"format": "json", "fields": "*", "time": "time"}, "interval": 1.0}
    lines = {"payload": {"format": "influx"}}
    edges = {"payload": {"format": "sparkplug"}}
    return [
        Stream.model_validate({"name": name, "topics": [topic], **fields, **common})
        for name, topic, fields in (
            ("objects", "objects/#", objects),
            ("vectors", "vectors/#", vectors),
            ("fields", "fields/{which}/#", fields),
            ("lines", "lines/#", lines),
            ("edges", "spBv1.0/#", edges),
            ("bare", "#", {"forecasters": ["persistence", "linear"]}),
        )
    ]


class Fuzz:
    """Seeded messages: half of them good, the others wrong in one of many ways."""

    def __init__(self) -> None:
        self.rng = random.Random(0)
        self.clock = 0.0
        self.kinds: list[Callable[[], Message]] = [
            self.no_number, self.not_finite, self.out_of_range, self.wrong_type, self.empty, self.deep, self.as_string,
            self.wrong_time, self.backwards, self.twice, self.retained, self.stuck, self.explosion, self.other_shape,
            self.binary, self.unrouted, self.own, self.redelivered, self.gap, self.fields, self.lines, self.edge,
        ]  # fmt: skip
        self.last = self.good()

    def __iter__(self) -> Iterator[Message]:
        for number in range(MESSAGES):
            if number % (MESSAGES // 5) == 7:
                yield self.message("objects/0", HUGE)
                continue
            one = self.good() if self.rng.random() < 0.5 else self.rng.choice(self.kinds)()
            if self.rng.random() < 0.1:
                self.last = one
            yield one

    def message(self, topic: str, payload: bytes, *, retain: bool = False, dup: bool = False) -> Message:
        return Message(topic, payload, 1, retain, self.rng.randrange(1, 2**16), NOW + self.clock, dup)

    def object(self, value: object, time: object = None, topic: str | None = None) -> Message:
        time = NOW + self.clock if time is None else time
        payload = json.dumps({"time": time, "value": value}).encode()
        return self.message(topic or f"objects/{self.rng.randrange(20)}", payload)

    def good(self) -> Message:
        self.clock += 0.02
        value = self.rng.gauss(0, 5)
        match self.rng.randrange(3):
            case 0:
                return self.object(value)
            case 1:
                return self.message(f"vectors/{self.rng.randrange(10)}", json.dumps([value, 1e6 * value]).encode())
            case _:
                return self.message(f"bare/{self.rng.randrange(10)}", b"%.3f" % value)

    def fields(self) -> Message:
        """Some fields good, some of a wrong type, some whose names collide."""
        names = self.rng.sample(["a", "b", "c", "x+", "x#", "long" * 300, "", "\0", "é/", "time"], 4)
        values = [1.5, 2, "x", None, True, 1e31, [], 10**400]
        some = {"time": NOW + self.clock} | {name: self.rng.choice(values) for name in names}
        return self.message(f"fields/{self.rng.randrange(3)}", self.cut(json.dumps(some).encode()))

    def lines(self) -> Message:
        """Some points good, some no line protocol."""
        points = [
            b"m,h=a v=1,w=2i",
            b"m v=1",
            b"a\\,b\\ c f/g=-5",
            b'n s="x"',
            b"n b=t",
            b"# no",
            b"m v=1 5",
            b"m v=nan",
        ]
        some = b"\n".join(self.rng.choices(points, k=self.rng.randrange(4)))
        return self.message(f"lines/{self.rng.randrange(3)}", self.cut(some))

    def edge(self) -> Message:
        """Births, data and deaths in any order, of few nodes or of very many; aliases known or not."""
        kind = self.rng.choice(["NBIRTH", "NDATA", "NDATA", "DBIRTH", "DDATA", "NDEATH", "DDEATH", "NCMD", "XDATA"])
        node = self.rng.choice([0, 1, 2, self.rng.randrange(10**6)])
        device = "/d" if kind.startswith("D") else ""
        metrics = [double(self.rng.gauss(0, 1), alias=self.rng.randrange(5)) for _ in range(3)]
        if kind.endswith("BIRTH"):
            metrics = [double(0.0, name=f"p{i}", alias=i) for i in range(3)]
        data = payload(self.rng.randrange(256), *metrics, time=NOW + self.clock)
        return self.message(f"spBv1.0/g/{kind}/{node}{device}", self.cut(data))

    def cut(self, data: bytes) -> bytes:
        """Whole as a rule."""
        return data if self.rng.random() < 0.8 else data[: self.rng.randrange(len(data) + 1)]

    def no_number(self) -> Message:
        return self.message(
            "bare/0", self.rng.choice([b"on", b"1,5", b"1_000", b"0x10", b"21.4 C", b"\xff\xfe", b"{}"])
        )

    def not_finite(self) -> Message:
        return self.message("bare/1", self.rng.choice([b"NaN", b"nan", b"inf", b"-Infinity", b"1e999"]))

    def out_of_range(self) -> Message:
        return self.object(self.rng.choice([51, -50.001, 1e31, -1e308, 10**400]))

    def wrong_type(self) -> Message:
        return self.object(self.rng.choice([True, None, [1.0], {"value": 1}, "x"]))

    def empty(self) -> Message:
        return self.message(self.rng.choice(["bare/2", "objects/2", "vectors/2"]), self.rng.choice([b"", b" ", b"\n"]))

    def deep(self) -> Message:
        depth = self.rng.choice([10, 1000, 30_000])
        return self.message("objects/3", b'{"value":' * depth + b"1" + b"}" * depth)

    def as_string(self) -> Message:
        return self.object(str(self.rng.random()))

    def wrong_time(self) -> Message:
        times = [
            0,
            1,
            1.5,
            -1,
            1e12,
            1e300,
            NOW + 1e6,
            "1970-01-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "now",
            None,
            [],
            True,
        ]
        return self.message("objects/4", json.dumps({"time": self.rng.choice(times), "value": 1}).encode())

    def backwards(self) -> Message:
        return self.object(1.0, NOW + self.clock - self.rng.choice([0.001, 1, 60, 1e6]))

    def twice(self) -> Message:
        return self.last

    def retained(self) -> Message:
        return self.message("bare/3", b"1", retain=True)

    def stuck(self) -> Message:
        return self.message("bare/stuck", b"7")

    def explosion(self) -> Message:
        return self.message(f"{self.rng.choice(['bare', 'vectors', 'x'])}/{self.rng.randrange(10**9)}", b"1")

    def other_shape(self) -> Message:
        return self.message(
            "vectors/4", self.rng.choice([b"[1]", b"[1, 2, 3]", b"[]", b"[[1, 2]]", b"1", b"[1, null]"])
        )

    def binary(self) -> Message:
        return self.message(self.rng.choice(["objects/5", "bare/5"]), self.rng.randbytes(self.rng.randrange(40)))

    def unrouted(self) -> Message:
        return self.message("$SYS/broker/uptime", b"1")

    def own(self) -> Message:
        return self.message("forecast/bare/0", b"1")

    def redelivered(self) -> Message:
        return Message(self.last.topic, self.last.payload, 1, False, self.last.mid, NOW + self.clock, dup=True)

    def gap(self) -> Message:
        self.clock += self.rng.choice([0, 0, 0, 3, 10, 50])
        return self.good()


@pytest.mark.slow
def test_a_million_wrong_messages(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Every message is a sample, a counted rejection for a reason that the README lists, or unrouted, one of several
    series at least one of them, or ignored; nothing breaks, and memory does not grow."""
    caplog.set_level(logging.ERROR, "streamer")  # pytest keeps each record, and through its error the whole payload
    seed(tmp_path, streams())
    fast = resumed(tmp_path, *streams())
    resident, batch, published, several = [], [], 0, 0
    for number, message in enumerate(Fuzz(), 1):
        batch.append(message)
        several += message.topic.startswith(("fields/", "lines/", "spBv1.0/"))
        if len(batch) == BATCH:
            published += len(fast.process(MessageBatch(batch, 1)).forecasts)
            batch = []
        if number % (MESSAGES // 10) == 0:
            save(fast)
            resident.append(psutil.Process().memory_info().rss)
    rejected: Counter[str] = sum((stream.counts.rejected for stream in fast.streams), Counter())
    samples = sum(stream.counts.samples for stream in fast.streams)
    one, many = (
        [stream.counts for stream in fast.streams if bool(stream.intake.multiseries) == some] for some in (False, True)
    )
    outcomes = sum(counts.samples + counts.rejected.total() + counts.ignored for counts in many)
    fast.journal.close()
    size = fast.journal.size_bytes()
    print(
        f"samples {samples}, forecasts {published}, unrouted {fast.unrouted}, rejected {dict(rejected.most_common())}"
    )
    print(
        f"resident after each tenth, MiB: {[round(one / 2**20, 1) for one in resident]}; journal {size / 2**20:.1f} MiB"
    )
    assert sum(counts.samples + counts.rejected.total() for counts in one) + fast.unrouted == MESSAGES - several
    assert several <= outcomes <= 10 * several
    assert all(counts.samples for counts in many)
    listed = re.findall(r"`(\w+)`", README.read_text(encoding="utf-8").split("Reasons:")[1].split("\n- ")[0])
    assert set(rejected) <= set(listed)
    assert len(rejected) >= len(listed) - 1, set(listed) - set(rejected)
    assert resident[-1] <= 1.05 * resident[0]
