"""The faults that the mutation study puts into a module."""

import ast

import pytest

from tests.studies.mutants import mutants


def changes(text: str) -> list[tuple[int, str, str]]:
    return [(mutant.line, mutant.before, mutant.after) for mutant in mutants("a.py", text)]


@pytest.mark.parametrize(
    ("text", "afters"),
    [
        ("f(x)", ["(deleted)"]),
        ("await f(x)", ["(deleted)"]),
        ("self.a = b", ["(deleted)"]),
        ("a[i], b = c", ["(deleted)"]),
        ("a = b", []),
        ("a += b", ["(deleted)", "a -= b"]),
        ("del a[i]", ["(deleted)"]),
        ("if a:\n    b = c", ["if not a"]),
        ("if not a:\n    b = c", ["if a"]),
        ("while a < b:\n    pass", ["while not a < b", "while a <= b"]),
        ("if a == b:\n    pass", ["if a != b"]),
        ("a = [b for b in c if b]", ["a = [b for b in c if not b]"]),
        ("a = b if c else d", ["a = b if not c else d"]),
        ("a = b and c or d", ["a = (b and c) and d", "a = (b or c) or d"]),
        ("a = b & ~c", ["a = b | ~c", "a = b & c"]),
        ("a = b + c * d", ["a = b - c * d", "a = b + c / d"]),
        ("a = 'b' + c", []),
        ("a = 1", ["a = 2"]),
        ("a = 0.5", ["a = 1.5"]),
        ("a = True", ["a = False"]),
        ("def f():\n    return a", ["return None"]),
        ("def f():\n    return None", []),
        ("for a in range(2):\n    pass", ["for … in range(3)"]),
        ("match a:\n    case b if c:\n        d = e", ["if not c"]),
    ],
)
def test_faults(text: str, afters: list[str]) -> None:
    """Each construct has these faults and no other."""
    assert sorted(after for _, _, after in changes(text)) == sorted(afters)


@pytest.mark.parametrize(
    "text",
    [
        '"""A text."""',
        'log.info("a %d", 1 + 2)',
        "raise Error(f'{1 + 2}')",
        "assert a < 1",
        "a: Annotated[int, 1] = b",
        "def f(a: Annotated[int, 1]) -> Annotated[int, 2]: ...",
        "@dataclass(slots=True)\nclass A:\n    pass",
        "a = zip(b, c, strict=True)",
        "A = Literal[1, 2]",
        "if TYPE_CHECKING:\n    f(1)",
    ],
)
def test_no_faults(text: str) -> None:
    """Nothing is changed that only people or type checkers read."""
    assert changes(text) == []


def test_a_mutant_is_one_fault_at_its_line() -> None:
    """Its text is the module with the fault alone, and its lines are those that must run for the fault to show."""
    text = "def f(a):\n    if a < 0:\n        return (\n            a\n            + 1\n        )\n    return None\n"
    found = mutants("a.py", text)
    assert [(mutant.line, mutant.first, mutant.last, mutant.after) for mutant in found] == [
        (2, 2, 2, "if not a < 0"),
        (2, 2, 2, "if a <= 0"),
        (2, 2, 2, "if a < 1"),
        (3, 3, 6, "return None"),
        (4, 3, 6, "return a - 1"),
        (5, 3, 6, "return a + 2"),
    ]
    whole = ast.unparse(ast.parse(text))
    assert [mutant.text for mutant in found if mutant.line == 5] == [whole.replace("a + 1", "a + 2")]
