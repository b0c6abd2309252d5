"""`streamer rename` and `streamer purge` on real state directories, and what is told of history that is not used."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from streamer.cli import app
from streamer.config import Config, Stream
from streamer.errors import StateError, StateLocked
from streamer.mqtt.publisher import Publisher
from streamer.records import MessageBatch
from streamer.store import covariates as told_to
from streamer.store import names, snapshots
from streamer.store import streams as stored
from streamer.store.journal import Journal
from streamer.tools.streams import rename_stream, unused_history
from tests.broker import Mosquitto
from tests.mqtt.links import linked, receive, watcher
from tests.process import configuration, running
from tests.streams import fast_lane, feed, message, resumed, sample, save, timed

MEAN = {"aggregate": "mean", "interval": 2.0}
NAMES = ("plant/a", "plant/b")


def plant(**changes: Any) -> Stream:
    return Stream(**{**timed(retrain={"minimum": 100}).model_dump(), **changes})


def lived(state: Path, stream: Stream, ticks: range) -> list[dict[str, Any]]:
    """What a daemon's life on a state gives, with a snapshot in the middle of it."""
    fast, out = resumed(state, stream), []
    for t in ticks:
        out += feed(fast, [sample(name, t, t % 7) for name in NAMES])
        if t == ticks[len(ticks) // 2]:
            save(fast)
    fast.journal.close()
    return out


def config_of(state: Path, *streams: Stream, url: str = "embedded://127.0.0.1:0") -> Config:
    document = {"mqtt": {"url": url}, "state": {"path": str(state)}}
    return Config.model_validate({**document, "streams": [one.model_dump() for one in streams]})


@pytest.mark.parametrize("keys", [{}, MEAN])
async def test_a_renamed_stream_goes_on_bit_by_bit(tmp_path: Path, keys: dict[str, Any]) -> None:
    """Under another name, also within an open tick, forecasts are those that the old one would have made, and nothing
    of the old name is left."""
    old, new = plant(**keys), plant(name="hall", **keys)
    for name in ("renamed", "twin"):
        lived(tmp_path / name, old, range(61))
    assert await rename_stream(config_of(tmp_path / "renamed", new), "plant", "hall", drop=False) == 2
    assert lived(tmp_path / "renamed", new, range(61, 80)) == lived(tmp_path / "twin", old, range(61, 80))
    with closing(Journal.read(tmp_path / "renamed")) as journal:
        assert stored.held(journal) == ["hall"]
        assert not journal.damage.rows


def stopping_in(call: Callable[..., Any], after: int) -> Callable[..., Any]:
    """The call, of which one is never done: that after so many."""
    left = iter([False] * after + [True])

    def called(*arguments: Any) -> Any:
        if next(left, False):
            raise KeyboardInterrupt
        return call(*arguments)

    return called


@pytest.mark.parametrize(("place", "call", "again"), [(names, "sign", True), (snapshots, "delete", False)])
async def test_an_interrupted_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Any, call: str, again: bool
) -> None:
    """A rename that is stopped before the journal has the new name can be run again, and one that is stopped after that
    is done: forecasts go on as ever."""
    old, new = plant(), plant(name="hall")
    for name in ("renamed", "twin"):
        lived(tmp_path / name, old, range(60))
    config = config_of(tmp_path / "renamed", new)
    with monkeypatch.context() as patch:
        patch.setattr(place, call, stopping_in(getattr(place, call), 0 if again else 1))
        with pytest.raises(KeyboardInterrupt):
            await rename_stream(config, "plant", "hall", drop=False)
    if again:
        assert await rename_stream(config, "plant", "hall", drop=False) == 2
    assert lived(tmp_path / "renamed", new, range(60, 70)) == lived(tmp_path / "twin", old, range(60, 70))


@pytest.mark.parametrize(
    ("streams", "old", "words"),
    [
        ([plant()], "plant", "hall: no stream of the configuration"),
        ([plant(), plant(name="hall")], "plant", "plant: is a stream of the configuration"),
        ([plant(name="hall")], "shed", "shed: no history that hall could go on with; there are those of: plant"),
        ([plant(name="hall", interval=2.0)], "plant", "plant: no history that hall could go on with"),
    ],
)
async def test_names_that_do_not_fit(tmp_path: Path, streams: list[Stream], old: str, words: str) -> None:
    """A rename of or to a stream that it cannot be of is refused, and nothing has changed."""
    lived(tmp_path, plant(), range(20))
    with pytest.raises(StateError, match=words):
        await rename_stream(config_of(tmp_path, *streams), old, "hall", drop=True)
    assert [one["time"] for one in lived(tmp_path, plant(), range(20, 21))] == ["1970-01-01T00:00:20.000Z"] * 2


async def test_covariates_of_a_renamed_stream(tmp_path: Path) -> None:
    """What the journal has of covariates goes with the other name, with the snapshots that know of it; a purge deletes
    it."""
    covariates = [{"name": "sun", "topics": ["sun"], "payload": {"format": "number"}, "kind": "observed"}]
    old, new = plant(covariates=covariates), plant(name="hall", covariates=covariates)
    for state in (tmp_path / "renamed", tmp_path / "twin"):
        fast = resumed(state, old)
        for t in range(30):
            feed(fast, [sample("plant/a", t, t % 7), message("sun", b"%d" % (t % 5))])
            if t in (10, 20):
                save(fast)
        fast.journal.close()
    assert await rename_stream(config_of(tmp_path / "renamed", new), "plant", "hall", drop=False) == 1
    assert lived(tmp_path / "renamed", new, range(30, 40)) == lived(tmp_path / "twin", old, range(30, 40))
    with closing(Journal.open(tmp_path / "renamed")) as journal:
        assert stored.held(journal) == ["hall"]
        assert list(told_to.read(journal, "hall"))
        stored.purge(journal, "hall")
        assert not list(told_to.read(journal, "hall"))


async def test_samples_under_the_new_name(tmp_path: Path) -> None:
    """What the new name has gathered meanwhile is dropped if that is asked for, else the rename is refused; and so it
    is beside a running daemon."""
    old, new = plant(), plant(name="hall")
    lived(tmp_path, old, range(20))
    lived(tmp_path, new, range(20, 40))
    config = config_of(tmp_path, new)
    with pytest.raises(StateError, match="hall: has samples of 2 series already; --replace drops them"):
        await rename_stream(config, "plant", "hall", drop=False)
    with closing(Journal.open(tmp_path)), pytest.raises(StateLocked, match="a daemon uses it; stop it first"):
        await rename_stream(config, "plant", "hall", drop=True)
    assert await rename_stream(config, "plant", "hall", drop=True) == 2
    fast = resumed(tmp_path, new)
    assert [(one.name, one.tick) for one in fast.streams[0].series] == [("plant/a", 19), ("plant/b", 19)]
    fast.journal.close()


async def test_topics_that_hold_the_name(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Retained forecasts on topics with the old name are cleared; where topics do not hold it, nothing is published."""
    publish = {"retain": True, "topic": "f/{stream}/{topic}"}
    fast = fast_lane(tmp_path, plant(publish=publish))
    async with Publisher(watcher(mosquitto.config())) as publisher:
        for t in range(3):
            for out in fast.process(MessageBatch([sample(name, t, t) for name in NAMES], 1)).forecasts:
                await publisher.publish(out.topic, out.payload, 1, retain=True)
        await publisher.publish("f/hall/plant/other", b"stays", 1, retain=True)
    fast.journal.close()
    config = config_of(tmp_path, plant(name="hall", publish=publish), url=mosquitto.url)
    assert await rename_stream(config, "plant", "hall", drop=False) == 2
    async with linked(watcher(mosquitto.config()), "f/#") as link:
        assert [one.topic for one in await receive(link, 1)] == ["f/hall/plant/other"]


def test_what_is_not_used_is_told(tmp_path: Path) -> None:
    """History of another name, with the command that keeps it, of other settings and of other topics is told in a line
    each, and what is used is not."""
    state, old = tmp_path / "state", plant()
    lived(state, old, range(20))

    def told(*streams: Stream) -> list[str]:
        return unused_history(config_of(state, *streams), "c.yaml")

    assert told(old) == []
    assert unused_history(config_of(tmp_path / "none", old), "c.yaml") == []
    start = "history of stream plant is not used, 2 series: "
    rename = "if it is hall now, `streamer rename c.yaml plant hall`, with the daemon stopped, keeps it"
    assert told(plant(name="hall")) == [f"{start}it is not configured; {rename}"]
    purge = "`streamer purge c.yaml` deletes it"
    assert told(plant(name="hall", topics=["hall/#"])) == [f"{start}it is not configured; {purge}"]
    assert told(plant(interval=None)) == [f"{start}its interval was 1 s and is null; {purge}"]
    assert told(plant(name="first", topics=["plant/a"]), old) == [
        f"history of stream plant is not used, 1 series: its topics or fields no longer select them, or an earlier "
        f"stream does; {purge}"
    ]
    lived(state, plant(name="hall"), range(20, 30))
    (line,) = told(plant(name="hall"))
    assert "`streamer rename c.yaml plant hall --replace`" in line
    lived(state, plant(name="hall"), range(30, 40))
    assert told(old, plant(name="hall", topics=["hall/#"]))[0].startswith("history of stream hall is not used")


def test_a_purge_by_the_command(tmp_path: Path) -> None:
    """What no stream uses is told, and deleted once that is confirmed; what is used stays, and a stream that has
    nothing to purge is named."""
    state, file = tmp_path / "state", tmp_path / "c.yaml"
    lived(state, plant(), range(20))
    lived(state, plant(name="shed", topics=["plant/a"]), range(20))
    lived(state, plant(interval=2.0), range(0, 20, 2))
    YAML().dump(config_of(state, plant()).model_dump(mode="json", exclude_unset=True), file)

    def run(*options: str, answer: str | None = None) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["purge", str(file), *options], input=answer)
        return done.exit_code, done.stdout

    shed = "shed: 1 series, 20 samples: it is not configured"
    other = "plant: 2 series, 20 samples: its interval was 2 s and is 1 s"
    nets = "shed: networks and snapshots: it is not configured"
    code, text = run(answer="n\n")
    assert (code, text.splitlines()[:3]) == (1, [other, shed, nets])
    assert run()[0] == 1
    assert run("--stream", "shed", "--yes") == (0, f"{shed}\n{nets}\ndeleted\n")
    assert run("--stream", "hall", "--yes")[0] == 1
    assert run(answer="y\n")[1].endswith("deleted\n")
    assert run("--yes") == (0, "nothing that no stream uses\n")
    with closing(Journal.read(state)) as journal:
        assert stored.held(journal) == ["plant"]
    assert [one["time"] for one in lived(state, plant(), range(20, 21))] == ["1970-01-01T00:00:20.000Z"] * 2


async def test_a_daemon_tells_of_a_rename(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A daemon that starts on the history of another name says in one line how to keep it."""
    config = configuration(mosquitto, tmp_path)
    fast = resumed(Path(config["state"]["path"]), Stream(**{**config["streams"][0], "name": "old"}))
    feed(fast, [sample("waves/a", t, t) for t in range(9)])
    fast.journal.close()
    async with running(config, tmp_path) as daemon:
        line = await daemon.logged("is not used")
        assert "`streamer rename CONFIG old waves`" in line
        assert await daemon.stop() == 0
