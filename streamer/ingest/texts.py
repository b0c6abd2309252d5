"""A text in, the number it is out; `None` for a text that is none. README.md has the grammar."""

import re
from collections.abc import Callable

from streamer.config.numbers import Numbers

AROUND = " \t\r\n\ufeff\u00a0\u202f"
UNIT = r"[ \u00a0\u202f]?((?:[^\W\d_]|[%°‰])[\w%°‰/·*^]{0,15})"
HEXADECIMAL = re.compile(r"[+-]?0[xX][0-9a-fA-F]{1,16}")
NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
LONGEST = 64
"""Characters of the longest text that is looked at."""


def reader(rules: Numbers) -> Callable[[str], float | None]:
    """The function that reads texts by these rules."""
    point, sign = re.escape(rules.decimal), re.escape(rules.thousands or "")
    groups = rf"[0-9]{{1,3}}(?:{sign}[0-9]{{3}})+|" if rules.thousands else ""
    number = rf"([+-]?(?:(?:{groups}[0-9]+)(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    whole = re.compile(number + (f"(?:{UNIT})?" if rules.units else ""))
    factors = rules.units if isinstance(rules.units, dict) else None

    def read(text: str) -> float | None:
        text = text.strip(AROUND)
        if (word := rules.map.get(text.casefold())) is not None:
            return word
        if len(text) > LONGEST:
            return None
        if (found := whole.fullmatch(text)) is not None:
            digits = found[1].replace(rules.thousands, "") if rules.thousands else found[1]
            value = float(digits.replace(rules.decimal, "."))
            unit = found[2] if rules.units else None
            if unit is None or factors is None:
                return value
            return value * factors[unit] if unit in factors else None
        if HEXADECIMAL.fullmatch(text):
            return float(int(text, 16))
        return float(text) if NOT_FINITE.fullmatch(text) else None

    return read
