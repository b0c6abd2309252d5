"""The text of a module in, its mutants out: the same module with one small fault each."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
"""`&`, `|` and `~` are to arrays what `and`, `or` and `not` are to truths."""
OPPOSITES = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
"""Comparisons whose swap is their negation."""
LOGS = {"log", "logger", "logging"}
UNTOUCHED = {"annotation", "returns", "decorator_list", "type_comment", "ctx", "bases"}
"""Fields of nodes that change nothing at run time, or nothing but what a type checker sees."""
HEADS = {
    (ast.If, "test"): "if ",
    (ast.While, "test"): "while ",
    (ast.For, "iter"): "for … in ",
    (ast.match_case, "guard"): "if ",
}
"""What a part of a compound statement is shown with."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module's text with one fault; `first` … `last` are the lines that must run for it to show."""

    file: str
    line: int
    first: int
    last: int
    before: str
    after: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node hangs: an attribute of its parent, or an item of a list there."""

    parent: ast.AST
    name: str
    at: int | None = None

    def get(self) -> Any:
        held = getattr(self.parent, self.name)
        return held if self.at is None else held[self.at]

    def put(self, node: Any) -> None:
        if self.at is None:
            setattr(self.parent, self.name, node)
        else:
            getattr(self.parent, self.name)[self.at] = node


def mutants(file: str, text: str) -> list[Mutant]:
    """All mutants of a module, in the order of its lines; none is the module itself."""
    tree = ast.parse(text)
    seen, found = {ast.unparse(tree)}, []
    for place, shown in places(tree, None):
        node = place.get()
        line, _ = span(place)
        first, last = span(shown)
        before = show(shown)
        for fault in faults(node, place):
            place.put(fault)
            mutated = ast.unparse(tree)
            if mutated not in seen:
                seen.add(mutated)
                after = "(deleted)" if isinstance(fault, ast.Pass) else show(shown)
                found.append(Mutant(file, line, first, last, before, after, mutated))
        place.put(node)
    return sorted(found, key=lambda mutant: mutant.line)


def span(place: Place) -> tuple[int, int]:
    """First and last line of a node, or of its parent if it has none itself."""
    node: Any = place.get() if hasattr(place.get(), "lineno") else place.parent
    return node.lineno, node.end_lineno


def show(place: Place) -> str:
    """A statement, or a part of a compound one, on one line."""
    return HEADS.get((type(place.parent), place.name), "") + " ".join(ast.unparse(place.get()).split())


def places(parent: ast.AST, shown: Place | None) -> Iterator[tuple[Place, Place]]:
    """Every node that may have a fault, with the statement, or the part of a compound one, that it is shown by."""
    for name, value in ast.iter_fields(parent):
        if name in UNTOUCHED or (isinstance(parent, ast.ClassDef) and name == "keywords"):
            continue
        for at, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(node, ast.AST) or is_untouched(node):
                continue
            place = Place(parent, name, at)
            compound = (hasattr(node, "body") or hasattr(node, "cases")) and not isinstance(node, ast.expr)
            inner = None if compound else shown or place
            if inner:
                yield place, inner
            yield from places(node, inner)


def is_untouched(node: ast.AST) -> bool:
    """What no fault is put into: assertions, errors raised, log calls, texts alone, and what is for type checkers."""
    match node:
        case ast.Assert() | ast.Raise() | ast.Import() | ast.ImportFrom() | ast.expr_context():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
            return name in LOGS
        case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Compare(left=ast.Name(id="__name__"))):
            return True
        case ast.Subscript(value=ast.Name(id="Literal")):
            return True
        case ast.keyword(arg="strict"):  # of zip: a fault there changes nothing as long as all is well
            return True
    return False


def faults(node: ast.AST, place: Place) -> Iterator[ast.AST]:
    """What may stand in place of a node."""
    yield from deletions(node)
    if place.name in {"test", "guard"} or (place.name == "ifs" and isinstance(place.parent, ast.comprehension)):
        yield from negations(node)
    yield from swaps(node)
    match node:
        case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(ast.Constant(None))


def swaps(node: ast.AST) -> Iterator[ast.AST]:
    """A node with another operator."""
    match node:
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            for at, op in enumerate(ops):
                yield ast.Compare(left, [*ops[:at], *swapped(op), *ops[at + 1 :]], comparators)
        case ast.BinOp(left=left, op=op, right=right) if not is_text(left) and not is_text(right):
            yield from (ast.BinOp(left, other, right) for other in swapped(op))
        case ast.AugAssign(target=target, op=op, value=value) if not is_text(value):
            yield from (ast.AugAssign(target, other, value) for other in swapped(op))
        case ast.BoolOp(op=op, values=values):
            yield from (ast.BoolOp(other, values) for other in swapped(op))


def swapped(op: ast.AST) -> list[Any]:
    return [SWAPPED[type(op)]()] if type(op) in SWAPPED else []


def deletions(node: ast.AST) -> Iterator[ast.AST]:
    """`pass` in place of a call, of an assignment to an attribute or an item, and of an augmented one."""
    match node:
        case ast.Expr(value=ast.Call() | ast.Await(value=ast.Call())) | ast.AugAssign() | ast.Delete():
            yield ast.Pass()
        case ast.Assign(targets=targets):
            every = [one for target in targets for one in (target.elts if isinstance(target, ast.Tuple) else [target])]
            if any(isinstance(one, ast.Attribute | ast.Subscript) for one in every):
                yield ast.Pass()
        case ast.AnnAssign(target=ast.Attribute(), value=ast.expr()):
            yield ast.Pass()


def negations(node: ast.AST) -> Iterator[ast.AST]:
    """`not` before a condition; where dropping one or swapping a comparison does the same, these do."""
    opposite = isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], OPPOSITES)
    has_not = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    if isinstance(node, ast.expr) and not opposite and not has_not and not isinstance(node, ast.Constant):
        yield ast.UnaryOp(ast.Not(), node)


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
