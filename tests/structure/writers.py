"""Sources in, places out where an object's attributes are written by others.

Annotations decide what an object is (types.py). Where they say nothing, a variable or attribute with the name of the
class in small letters is one, and so is what a loop takes out of the plural of that name. Two writes stay unseen: one
through another name for an array, and one by a method such as `append`.
"""

import ast
from collections.abc import Iterator, Sequence

from tests.structure.sources import Function, Source, classes, is_self, last_name, level, line_of, plain
from tests.structure.types import Scope, Types

FIVE = ("StreamState", "Panel", "Schedule", "Promotions", "Outlet")
"""The classes that hold a stream."""
HINTS = {"stream": "StreamState", "state": "StreamState"}
"""Names of variables, beside the name of the class in small letters."""
FOLDERS = ("lanes", "stream", "forecast", "swap", "resume")
"""Folders whose objects are written by their own class alone."""
WRITING = (ast.Attribute, ast.Subscript, ast.Call)
"""Nodes that may write to an attribute."""


def written_from_outside(sources: Sequence[Source], names: Sequence[str] = FIVE) -> list[str]:
    """Attributes of these classes that are written outside of them, and which of the classes are missing."""
    known = {node.name for _, node in classes(sources)}
    missing = set(names) - known - {plain(name) for name in known}
    writes = Writes(sources, {name for name in known if {name, plain(name)} & set(names)})
    breaches = [breach for source in sources for breach in writes.of(source)]
    return [f"streamer:0 there is no class {name}" for name in names if name in missing] + breaches


def several_writers(sources: Sequence[Source], folders: Sequence[str] = FOLDERS) -> list[str]:
    """Attributes of all classes in these folders, records among them, that are written outside of the class."""
    return written_from_outside(sources, [node.name for source, node in classes(sources) if source.folder in folders])


class Writes:
    """Every place of a source where an attribute of the wanted classes is written from outside."""

    def __init__(self, sources: Sequence[Source], wanted: set[str]) -> None:
        self.wanted = wanted
        self.hints = {snake(plain(name)): name for name in wanted}
        self.hints |= {hint: name for hint, name in HINTS.items() if name in wanted}
        self.types = Types(sources, {f"{hint}s": name for hint, name in self.hints.items()})

    def of(self, source: Source) -> list[str]:
        found = dict.fromkeys(self.inside(source.tree, {}, frozenset()))
        return [f"{source.path}:{line} {what}" for line, what in sorted(found)]

    def inside(self, tree: ast.AST, outer: Scope, own: frozenset[str]) -> Iterator[tuple[int, str]]:
        """(line, what) below a node; `own` are the classes whose code this is."""
        nodes = list(level(tree))
        scope = self.types.bound(tree, nodes, outer)
        for node in nodes:
            if isinstance(node, ast.ClassDef):
                lineage = frozenset(self.types.lineage(node.name))
                yield from self.inside(node, {**scope, "self": ast.Name(node.name)}, own | lineage)
            elif isinstance(node, Function | ast.Lambda):
                yield from self.inside(node, scope, own | (tuples(nodes) if is_compiled(node) else frozenset()))
            for holder, attr in written(node) if isinstance(node, WRITING) else ():
                for name in self.owners(holder, attr, scope) - own:
                    yield line_of(node), f"{ast.unparse(holder)}.{attr} is written outside of {plain(name)}"

    def owners(self, holder: ast.expr, attr: str, scope: Scope) -> set[str]:
        """Which of the wanted classes the written attribute belongs to."""
        known = self.types.of(holder, scope)
        if known is not None:
            return {one for name in self.types.names(known) for one in self.types.lineage(name)} & self.wanted
        held_by_self = isinstance(holder, ast.Attribute) and is_self(holder.value)
        name = last_name(holder)
        if isinstance(holder, ast.Subscript):
            name = last_name(holder.value).removesuffix("s")
        hinted = self.hints.get(name)
        if hinted and (held_by_self or attr in self.types.attributes(hinted)):
            return {hinted}
        return set()


def is_compiled(node: ast.AST) -> bool:
    """Whether a function is compiled: numba takes functions, not methods."""
    return isinstance(node, Function) and any(last_name(one) == "compiled" for one in node.decorator_list)


def tuples(nodes: Sequence[ast.AST]) -> frozenset[str]:
    """The tuples of arrays that a module declares for its compiled functions, which are their only writers."""
    kinds = [node for node in nodes if isinstance(node, ast.ClassDef)]
    return frozenset(node.name for node in kinds if any(last_name(base) == "NamedTuple" for base in node.bases))


def snake(name: str) -> str:
    """StreamState -> stream_state."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def written(node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """(object, attribute) of all that an assignment, `del` or setattr with this node as its target writes to.

    `a.b.c[0] = 1` writes to c of a.b, and through it to b of a.
    """
    through: ast.expr | None = None
    match node:
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
            through = node
        case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[holder, name, *_]):
            yield holder, name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else "?"
            through = holder
        case ast.Call(func=ast.Attribute(attr="__setattr__"), args=[holder, ast.Constant(value=str(attr)), _]):
            yield holder, attr
            through = holder
    while isinstance(through, ast.Attribute | ast.Subscript):
        if isinstance(through, ast.Attribute):
            yield through.value, through.attr
        through = through.value
