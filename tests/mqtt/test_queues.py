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


@given(limit=st.integers(1, 4), topics=st.lists(st.sampled_from("abcde")))
def test_outbox(limit: int, topics: list[str]) -> None:
    """Up to its limit it gives back everything in order; beyond it the newest of each topic, and counts the rest."""
    outbox = Outbox(limit)
    messages = [Outgoing(topic, b"%d" % number, 0, False) for number, topic in enumerate(topics)]
    for outgoing in messages:
        outbox.put(outgoing)
    size = len(outbox)
    taken = [outbox.pop() for _ in range(size)]
    assert len(outbox) == 0
    if len(messages) <= limit:
        assert taken == messages
    else:
        assert sorted(taken, key=lambda m: m.topic) == [
            {m.topic: m for m in messages}[topic] for topic in sorted(set(topics))
        ]
    assert outbox.superseded == len(messages) - size


def test_outbox_resends_before_the_rest() -> None:
    """What was in flight goes first, unless something newer of its topic waits."""
    outbox = Outbox(10)
    first, second, newer, third = (
        Outgoing(topic, payload, 1, False) for topic, payload in [("a", b""), ("b", b"old"), ("b", b"new"), ("c", b"")]
    )
    outbox.put(newer)
    outbox.put(third)
    outbox.hold(first=[first, second])
    assert [outbox.pop() for _ in range(3)] == [first, newer, third]
    outbox.release()
    outbox.put(third)
    outbox.put(third)
    assert len(outbox) == 2
