"""Forecasts that were committed and not handed over to the broker when a daemon died are made anew after its start."""

import random
import shutil
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.records import Outgoing
from streamer.resume.fold import Untold
from streamer.resume.fold import resumed as resume_async
from streamer.store.handover import Handover
from streamer.store.journal import Journal
from streamer.store.samples import Limits
from tests.resume.streams import streams
from tests.resume.test_resume import Step, script, take
from tests.streams import fast_lane, process, sample, timed


def by_topic(messages: Iterable[Outgoing]) -> dict[str, list[bytes]]:
    """Payloads in order; samples of several series are replayed in another order than they came in.

    Without the stream whose ticks are filled: which forecasts of filled ticks are told depends on the batches.
    """
    found = defaultdict(list)
    for one in messages:
        if not one.topic.startswith("forecast/quiet/"):
            found[one.topic].append(one.payload)
    return dict(found)


def with_one_save(steps: list[Step], since: int) -> list[Step]:
    """With one snapshot since a step: too new to begin from, while of two the older one would be, too."""
    later = [step for step in steps[since:] if step[0] != "save"]
    return [*steps[:since], later[0], ("save", None), *later[1:]]


@pytest.mark.parametrize("seed", range(4))
async def test_what_was_not_handed_over_is_told_again(tmp_path: Path, seed: int) -> None:
    """A lane dies while the broker lacks what its last batches led to, though a snapshot was taken since: after
    the start, exactly the messages that the journal does not know to be handed over are there again, bit for bit."""
    rng = random.Random(seed)
    steps = script(rng, 200)
    dies = rng.randrange(len(steps) // 2, len(steps))
    silent = dies - rng.randrange(2, 40)
    steps = with_one_save(steps[:dies], silent)
    fast = fast_lane(tmp_path / "live", *streams(1000))
    fast.journal.begin_handover()
    told: list[tuple[int, list[Outgoing]]] = []
    count = 0
    while steps:
        fast.journal.handover.done(count)
        out = await take(fast, steps.pop(0), steps)
        fast.journal.hand_over(len(out))
        told.append((fast.journal.samples.batch, out))
        count += len(out) if len(told) < silent else 0
    shutil.copytree(tmp_path / "live", tmp_path / "copy")
    again = fast_lane(tmp_path / "copy", *streams(1000))
    mark = again.journal.samples.handed_over()
    assert mark is not None
    untold = Untold(again.journal.begin_handover(), 10**6)
    for stream in again.streams:
        await resume_async(stream, again.known(stream, again.streams), again.journal, untold)
    wanted = by_topic(one for batch, out in told if batch > mark for one in out)
    missed = by_topic(one for _, out in told[silent:] for one in out)
    found = by_topic(untold.messages)
    assert missed
    assert {topic: wanted[topic][-len(some) :] for topic, some in missed.items()} == missed
    assert found == wanted
    for one in (fast, again):
        one.journal.close()


async def test_what_was_handed_over_is_not_told_again(tmp_path: Path) -> None:
    """After a stop that wrote down that the broker has everything nothing is told again."""
    fast = fast_lane(tmp_path, timed())
    fast.journal.begin_handover()
    for t in range(5):
        fast.journal.hand_over(len(process(fast, [sample("plant/a", t, float(t))])))
    fast.journal.handover.done(100)
    fast.journal.end_handover()
    fast.journal.close()
    with closing(Journal.open(tmp_path)) as journal:
        assert journal.begin_handover() == {}


@given(steps=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5))))
def test_handover_against_an_oracle(steps: list[tuple[int, int]]) -> None:
    """The mark is the newest batch such that all messages of it and of those before it are handed over."""
    handover, sizes, done = Handover(), list[int](), 0
    handover.begin(0)
    for batch, (size, progress) in enumerate(steps, start=1):
        handover.put(batch, size)
        sizes.append(size)
        done = min(sum(sizes), done + progress)
        handover.done(done)
        marks = [i for i in range(batch + 1) if sum(sizes[:i]) <= done]
        assert handover.mark is not None
        assert sum(sizes[: handover.mark]) == sum(sizes[: max(marks)])


async def test_settling_leaves_what_is_not_handed_over(tmp_path: Path) -> None:
    """Samples that are settled stay in the log until their forecasts are handed over, and are counted once."""
    fast = fast_lane(tmp_path, timed())
    fast.journal.samples.limits = Limits(settle=4, per_series=1)
    fast.journal.begin_handover()
    for t in range(40):
        fast.journal.hand_over(len(process(fast, [sample("plant/a", t, float(t))])))
    fast.journal.close()
    with closing(Journal.open(tmp_path)) as journal:
        assert journal.begin_handover() == {1: 0}
        assert journal.count(1) == 40
        assert journal.between(1, -1, 100, 100)[0] == list(range(40))
