"""The two queues, against reference implementations in a few lines."""

from hypothesis import given
from hypothesis import strategies as st

from streamer.mqtt.queues import Inbox, Outbox
from streamer.records import Message, Outgoing

QOS = st.sampled_from([0, 1])


def message(number: int, qos: int) -> Message:
    return Message("a", b"%d" % number, qos, False, number, 0.0)


@given(limit=st.integers(1, 6), steps=st.lists(st.one_of(QOS, st.integers(2, 5))))
def test_inbox(limit: int, steps: list[int]) -> None:
    """Puts and takes in any order give what a plain list gives from which the oldest QoS 0 goes when it is full."""
    inbox, reference, dropped = Inbox(limit), list[Message](), 0
    for number, step in enumerate(steps):
        if step > 1:
            assert inbox.take(step) == reference[:step]
            del reference[:step]
            continue
        inbox.extend([message(number, step)])
        reference.append(message(number, step))
        loose = [waiting for waiting in reference if waiting.qos == 0]
        if len(reference) > limit and loose:
            reference.remove(loose[0])
            dropped += 1
    assert (len(inbox), inbox.dropped) == (len(reference), dropped)
    assert inbox.take(1000) == reference


@given(qos=st.lists(QOS))
def test_inbox_void(qos: list[int]) -> None:
    """After a reconnect QoS 1 messages are kept but not to be acknowledged; those that come again can be recognised."""
    again, lost = Inbox(100), Inbox(100)
    for number, level in enumerate(qos, start=1):
        again.extend([message(number, level)])
        lost.extend([message(number, level)])
    again.void(redelivered=True)
    lost.void(redelivered=False)
    numbers = [number if level else 0 for number, level in enumerate(qos, start=1)]
    assert [
        (waiting.qos, waiting.mid if level else 0) for waiting, level in zip(again.take(100), qos, strict=True)
    ] == [(0, number) for number in numbers]
    kept = lost.take(100)
    assert [waiting.qos for waiting in kept] == qos
    assert all(waiting.mid is None for waiting in kept if waiting.qos)


@given(limit=st.integers(1, 12), before=st.integers(1, 12), taken=st.integers(0, 12), after=st.integers(0, 12))
def test_none_passes_one_that_comes_again(limit: int, before: int, taken: int, after: int) -> None:
    """However full the inbox is after a reconnect with a kept session: whoever takes messages in order, and leaves out
    those older than one that it has, has taken every message of QoS 1."""
    inbox = Inbox(limit)
    inbox.extend([message(number, 1) for number in range(before)])
    newest = max((waiting.mid or 0 for waiting in inbox.take(taken)), default=-1)
    inbox.void(redelivered=True)
    inbox.extend([message(number, 1) for number in range(min(taken, before), before + after)])
    while messages := inbox.take(3):
        for one in messages:
            assert (one.mid or 0) <= newest + 1
            newest = max(newest, one.mid or 0)
    assert newest == before + after - 1
    assert inbox.dropped == 0


TOPIC = st.sampled_from("abcde")
BACK = st.lists(TOPIC, max_size=3)


@given(limit=st.integers(1, 4), steps=st.lists(st.one_of(TOPIC, BACK, st.just(0)), max_size=30))
def test_outbox(limit: int, steps: list[str | list[str] | int]) -> None:
    """Puts, pops and returns in any order give what a plain list gives that, once beyond its limit and until it is
    empty, holds the newest of each topic at the place of its oldest; nothing gives way before."""
    outbox, reference, thin, gone = Outbox(limit), list[Outgoing](), False, 0
    for number, step in enumerate(steps):
        if step == 0:
            if reference:
                assert outbox.pop() == reference.pop(0)
        elif isinstance(step, list):
            back = [Outgoing(topic, b"%d" % number, 0, False) for topic in step]
            outbox.put_back(back)
            reference[:0] = back
        else:
            outgoing = Outgoing(str(step), b"%d" % number, 0, False)
            outbox.put(outgoing)
            reference.append(outgoing)
        thin = bool(reference) and (thin or len(reference) > limit)
        if thin:
            newest = {one.topic: one for one in reference}
            gone += len(reference) - len(newest)
            reference = list(newest.values())
        assert (len(outbox), outbox.superseded) == (len(reference), gone)
    assert [outbox.pop() for _ in range(len(outbox))] == reference


@given(limit=st.integers(1, 4), topics=st.lists(TOPIC, min_size=1))
def test_outbox_takes_back_what_it_gave(limit: int, topics: list[str]) -> None:
    """A message that was taken and given back is the next one."""
    outbox = Outbox(limit)
    for topic in topics:
        outbox.put(Outgoing(topic, b"", 0, False))
    size = len(outbox)
    first = outbox.pop()
    outbox.unpop(first)
    assert (len(outbox), outbox.pop()) == (size, first)
