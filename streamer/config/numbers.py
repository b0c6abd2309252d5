"""The keys below `payload.numbers`: which texts are numbers."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from streamer.config.base import Section, together

WORDS = {"on": 1.0, "off": 0.0, "true": 1.0, "false": 0.0, "open": 1.0, "closed": 0.0, "yes": 1.0, "no": 0.0}


def lowered(words: object) -> object:
    """Keys as texts in lower case: YAML reads true and 1 as no texts. Raises ValueError for one that is there twice."""
    if not isinstance(words, dict):
        return words
    lower = {str(key).strip().casefold(): value for key, value in words.items()}
    if len(lower) < len(words):
        raise ValueError("a word is given twice; capitals make no difference")
    return lower


class Numbers(Section):
    """How a text, or true and false, is read as a number."""

    map: Annotated[dict[str, float], BeforeValidator(lowered)] = WORDS
    """Words that are numbers, capitals or not; true and false of JSON among them. What is given replaces these."""
    decimal: Literal[".", ","] = "."
    """Decimal sign."""
    thousands: Literal[".", ",", " ", "'"] | None = None
    """Sign between groups of three digits, where there may be one; null: there is none."""
    units: Literal["strip"] | Annotated[dict[str, float], Field(min_length=1)] | None = None
    """Unit after the number. null: none; strip: any, left out; or factors of those that may come, {W: 1, kW: 1000}."""

    @together
    def two_signs(self) -> Iterator[str]:
        if self.decimal == self.thousands:
            yield "decimal and thousands are the same sign"
