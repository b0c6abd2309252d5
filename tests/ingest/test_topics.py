"""MQTT 5, section 4.7: which topics a filter selects, and which filters select no more than another."""

import itertools
import sys
from types import FrameType

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from streamer.ingest.topics import covers, joined, labels, matches, widest

levels = st.text(st.characters(exclude_characters="/+#\0", codec="utf-8"), max_size=4)
topics = st.lists(levels, min_size=1, max_size=5).map("/".join)


@pytest.mark.parametrize(
    ("topic_filter", "topic"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1"),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking"),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"),
        ("sport/#", "sport"),
        ("#", "sport/tennis"),
        ("#", "/finance"),
        ("sport/tennis/+", "sport/tennis/player1"),
        ("sport/+", "sport/"),
        ("+", "finance"),
        ("+/tennis/#", "sport/tennis"),
        ("sport/+/player1", "sport/tennis/player1"),
        ("+/+", "/finance"),
        ("/+", "/finance"),
        ("$SYS/#", "$SYS/monitor/Clients"),
        ("$SYS/monitor/+", "$SYS/monitor/Clients"),
    ],
)
def test_selects(topic_filter: str, topic: str) -> None:
    """What the standard says a filter selects is selected."""
    assert matches(topic_filter, topic)


@pytest.mark.parametrize(
    ("topic_filter", "topic"),
    [
        ("sport/tennis/+", "sport/tennis/player1/ranking"),
        ("sport/+", "sport"),
        ("+", "/finance"),
        ("#", "$SYS/monitor/Clients"),
        ("+/monitor/Clients", "$SYS/monitor/Clients"),
        ("sport/#", "sports"),
        ("ACCOUNTS", "Accounts"),
        ("sport/tennis", "sport/tennis/"),
        ("sport/tennis/player1/#", "sport/tennis/player2"),
    ],
)
def test_does_not_select(topic_filter: str, topic: str) -> None:
    """What the standard says a filter does not select is not selected."""
    assert not matches(topic_filter, topic)


@given(topics, topics)
def test_without_wildcards(topic_filter: str, topic: str) -> None:
    """A filter without wildcards matches itself, and only itself."""
    assert matches(topic_filter, topic_filter)
    assert matches(topic_filter, topic) == (topic_filter == topic)


@given(st.lists(levels, min_size=1, max_size=5), st.data())
def test_wildcards_widen(parts: list[str], data: st.DataObject) -> None:
    """A topic is selected with + for any of its levels, and with # for any number of its last ones."""
    topic = "/".join(parts)
    first = 1 if topic.startswith("$") else 0
    plus = [data.draw(st.sampled_from(["+", part])) if i >= first else part for i, part in enumerate(parts)]
    assert matches("/".join(plus), topic)
    kept = data.draw(st.integers(first, len(parts)))
    assert matches("/".join([*plus[:kept], "#"]), topic)


DEPTH = 3
LETTERS = ["", "a", "b", "$c"]
UNIVERSE = ["/".join(parts) for n in range(1, DEPTH + 2) for parts in itertools.product([*LETTERS, "z"], repeat=n)]
"""Every topic of small filters' letters and one more, a level deeper than they are: what tells any two apart."""

small_filters = st.one_of(
    st.lists(st.sampled_from([*LETTERS, "+"]), min_size=1, max_size=DEPTH),
    st.lists(st.sampled_from([*LETTERS, "+"]), max_size=DEPTH - 1).map(lambda parts: [*parts, "#"]),
).map("/".join)


def selected(topic_filter: str) -> frozenset[str]:
    """The topics of the universe that a filter selects."""
    return frozenset(topic for topic in UNIVERSE if matches(topic_filter, topic))


@settings(max_examples=300)
@given(small_filters, small_filters)
@example("#", "+/#")
@example("+/#", "a/#")
@example("a/+", "a/#")
@example("a/#", "a")
@example("#", "$c/#")
@example("+/a", "$c/a")
@example("$c/+", "$c/$c")
def test_covers_against_an_oracle(wide: str, narrow: str) -> None:
    """A filter covers another exactly if no topic is selected by that one alone; of `+/#` and `#`, which select the
    same, `#` counts as the wider, so that one is kept."""
    assume((wide, narrow) != ("+/#", "#"))
    assert covers(wide, narrow) == (selected(narrow) <= selected(wide))


@given(topics, st.lists(levels, min_size=1, max_size=4).map("/".join))
def test_covers_itself(topic_filter: str, beyond: str) -> None:
    """A filter covers itself and what # adds to it covers it, not the other way round."""
    assert covers(topic_filter, topic_filter)
    assert covers(f"{topic_filter}/#", f"{topic_filter}/{beyond}")
    assert not covers(f"{topic_filter}/{beyond}", f"{topic_filter}/#")


@given(st.lists(small_filters, max_size=5))
def test_widest_against_an_oracle(filters: list[str]) -> None:
    """The widest filters select together what all did, in their order, and none of them what another one has."""
    kept = widest(filters)
    assert [one for one in dict.fromkeys(filters) if one in kept] == kept
    every = frozenset[str]().union(*map(selected, filters))
    assert frozenset[str]().union(*map(selected, kept)) == every
    for a, b in itertools.permutations(kept, 2):
        assert not selected(a) <= selected(b)


@pytest.mark.parametrize("order", list(itertools.permutations(["+/#", "#", "a/+", "a/b"])))
def test_widest_of_all(order: tuple[str, ...]) -> None:
    """# is wider than any other, whatever the order, and is kept once."""
    assert widest([*order, *order]) == ["#"]


@given(st.lists(st.lists(st.sampled_from(["a", "b", "", "+", "$x"]), min_size=1, max_size=4), max_size=8), st.data())
def test_widest_against_every_pair(levels: list[list[str]], data: st.DataObject) -> None:
    """The same as asking of every pair of filters whether one covers the other."""
    every = ["/".join([*some, *data.draw(st.sampled_from([[], ["#"]]))]) for some in levels]
    pairs = [one for one in every if not any(one != other and covers(other, one) for other in every)]
    assert widest(every) == list(dict.fromkeys(pairs))


def test_widest_of_many() -> None:
    """Each of 2,000 filters takes less than a hundred function calls: not every pair of them is looked at."""
    many, calls = [f"plant/{i}/+/temp/{i % 7}" for i in range(2000)], 0

    def count(frame: FrameType, event: str, arg: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        found = widest([*many, "plant/3/#"])
    finally:
        sys.setprofile(before)
    assert found == [*many[:3], *many[4:], "plant/3/#"]
    assert calls < 100 * len(many)


def test_widest_with_dollar() -> None:
    """A filter of $ topics stays beside #, which does not select them."""
    assert widest(["$SYS/broker/#", "#", "$SYS/#", "plant/+"]) == ["#", "$SYS/#"]


@pytest.mark.parametrize(
    ("template", "topic", "expected"),
    [
        ("plant/+/{machine}/{quantity}", "plant/a/press-3/temp", {"machine": "press-3", "quantity": "temp"}),
        ("{site}/#", "north/a/b", {"site": "north"}),
        ("{site}/{rest}", "/", {"site": "", "rest": ""}),
        ("plant/+", "plant/{x}", {}),
    ],
)
def test_labels(template: str, topic: str, expected: dict[str, str]) -> None:
    """A level that has a name in the template is the label of this name."""
    assert labels(template, topic) == expected


@given(topics, st.text(st.characters(codec="utf-8")))
def test_names_of_parts(topic: str, part: str) -> None:
    """The name of a part lies below its topic, keeps its letters, and holds nothing that a topic may not."""
    name = joined(topic, part)
    if not part:
        assert name == topic
        return
    assert name.startswith(f"{topic}/")
    assert len(name) == len(topic) + 1 + len(part)
    own = name[len(topic) + 1 :]
    assert not any(one in "+#" or ord(one) < 32 or 127 <= ord(one) < 160 for one in own)
    assert not any(0xFDD0 <= ord(one) <= 0xFDEF or ord(one) & 0xFFFE == 0xFFFE for one in own)
    assert all(one in (was, "_") for one, was in zip(own, part, strict=True))
    assert not any(one != was and was.isalnum() for one, was in zip(own, part, strict=True))
