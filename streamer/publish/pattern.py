"""The template of a topic in, whether a topic may have come from it out."""

from collections.abc import Sequence
from string import Formatter


class Pattern:
    """A template with `{topic}` once, which stands for any text, and labels such as `{machine}`, one level each.

    Topics come from anybody who may publish. A match takes one pass over the topic, whatever is in it; a regular
    expression with several gaps would not.
    """

    def __init__(self, template: str) -> None:
        fields = [(literal, field) for literal, field, _, _ in Formatter().parse(template)]
        at = [field for _, field in fields].index("topic")
        self.head = [literal for literal, _ in fields[: at + 1]]
        tail = [literal for literal, _ in fields[at + 1 :]] or [""]
        if len(fields) > at + 1 and fields[-1][1] is not None:
            tail.append("")  # it ends with a label
        self.tail = [literal[::-1] for literal in reversed(tail)]

    def matches(self, topic: str) -> bool:
        """Whether some text for `{topic}`, and a level or part of one for each label, make this topic."""
        start, end = shortest(self.head, topic), shortest(self.tail, topic[::-1])
        return start is not None and end is not None and start + end <= len(topic)


def shortest(literals: Sequence[str], text: str) -> int | None:
    """The length of the shortest beginning of a text that is these literals with a level, or part of it, between two.

    None where there is none. The first place of each literal is the best: what comes before it is a gap in any case.
    """
    if not text.startswith(literals[0]):
        return None
    at = len(literals[0])
    for literal in literals[1:]:
        found = text.find(literal, at)
        if found < 0 or "/" in text[at:found]:
            return None
        at = found + len(literal)
    return at
