"""Which topics may have come from a template."""

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamer.publish.pattern import Pattern

TEMPLATES = [
    "forecast/{topic}",
    "{topic}/forecast",
    "f/{topic}/out",
    "{site}/forecast/{topic}",
    "a{x}b{y}/{topic}",
    "f/{topic}/{x}/{y}",
    "f/{x}{topic}{y}",
    "{x}/{topic}/o{y}",
]
texts = st.lists(st.sampled_from(["a", "b", "f", "o", "/", "forecast", "out", "x"]), max_size=9).map("".join)


def oracle(template: str, topic: str) -> bool:
    """The same by a regular expression."""
    escaped = re.escape(template).replace(r"\{topic\}", ".*")
    return re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]*", escaped), topic, re.DOTALL) is not None


@given(st.sampled_from(TEMPLATES), texts)
@example("f/{topic}/out", "f/out")
@example("f/{topic}/out", "f//out")
@example("{x}/{topic}/o{y}", "/o")
def test_against_a_regular_expression(template: str, topic: str) -> None:
    """It says the same of any topic."""
    assert Pattern(template).matches(topic) == oracle(template, topic)


@given(st.sampled_from(TEMPLATES), texts, texts.filter(lambda text: "/" not in text), texts)
def test_what_was_made_matches(template: str, topic: str, x: str, y: str) -> None:
    """A topic that was made from the template is one of it."""
    assert Pattern(template).matches(template.format(topic=topic, x=x, y=y.replace("/", ""), site=x))


@pytest.mark.parametrize(
    "topic", ["a" * 65_000, "a" * 32_000 + "b" * 32_000, "ab" * 32_000, "/" * 65_000, "a/b/" * 16_000]
)
def test_a_hostile_topic_takes_one_pass(topic: str) -> None:
    """With many gaps in the template the longest topics are judged in well under a second, where trying all ways of
    filling the gaps would take for ever."""
    pattern = Pattern("a{a}a{b}a{c}b{d}a{e}a{f}b/{topic}/a{g}a{h}a{i}b{j}a")
    begun = time.process_time()
    assert not pattern.matches(topic)
    assert time.process_time() - begun < 1
