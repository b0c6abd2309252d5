"""The annotations of all sources in, the types of expressions out."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.structure.sources import Function, Source, classes, is_self, last_name

SAME = {"list", "tuple", "sorted", "reversed", "set", "deque", "iter", "values", "copy"}
"""Calls whose result has the elements of their argument, or of the object they are called on."""
ELEMENT = {"get", "pop", "popleft", "next", "min", "max"}
"""Calls that give one of these elements."""
FILL = {"append", "appendleft", "add"}
"""Methods that put one more element into a variable."""
BINDING = (ast.Assign, ast.NamedExpr, ast.For, ast.AsyncFor, ast.Call)
"""Nodes that may give a name its type."""

Type = ast.expr | None
"""What an annotation says, None where nothing is known."""
Scope = dict[str, Type]


@dataclass(slots=True)
class Class:
    """Types of the attributes, and of what the methods return."""

    bases: set[str] = field(default_factory=set)
    fields: dict[str, Type] = field(default_factory=dict)
    returns: dict[str, Type] = field(default_factory=dict)


def fields_of(node: ast.ClassDef) -> dict[str, Type]:
    """Attributes that a class declares or assigns on self."""
    found: dict[str, Type] = dict(declared(node))
    for method in (statement for statement in node.body if isinstance(statement, Function)):
        for attribute, known in on_self(method):
            found[attribute] = found.get(attribute) or known
    return found


def declared(node: ast.ClassDef) -> Iterator[tuple[str, Type]]:
    """Annotated names in the body of a class: the fields of a record."""
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            whole = statement.annotation
            if last_name(whole.value if isinstance(whole, ast.Subscript) else whole) != "ClassVar":
                yield statement.target.id, whole


def on_self(method: Function) -> Iterator[tuple[str, Type]]:
    """Attributes that a method assigns on self; what it is given, and what it makes of a class, have a type."""
    given = annotated(method.args)
    for node in ast.walk(method):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_self(node.value):
            yield node.attr, None
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute) and is_self(node.target.value):
            yield node.target.attr, node.annotation
        for target, value in assignments(node):
            if isinstance(target, ast.Attribute) and is_self(target.value):
                yield target.attr, given.get(value.id) if isinstance(value, ast.Name) else called(value)


def called(value: ast.expr) -> Type:
    """The class that `Class(…)` makes an object of, if the name looks like a class."""
    if isinstance(value, ast.IfExp):
        return called(value.body) or called(value.orelse)
    name = last_name(value.func) if isinstance(value, ast.Call) else ""
    return ast.Name(name) if name[:1].isupper() else None


def annotated(arguments: ast.arguments) -> Scope:
    every = arguments.posonlyargs + arguments.args + arguments.kwonlyargs
    return {argument.arg: argument.annotation for argument in every if argument.annotation}


def assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """(target, value) of a plain assignment, a tuple taken apart where both sides are written out."""
    if isinstance(node, ast.NamedExpr):
        yield node.target, node.value
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                yield from zip(target.elts, node.value.elts, strict=False)
            else:
                yield target, node.value


def of_elements(element: Type) -> Type:
    """A collection of such elements."""
    return ast.Subscript(ast.Name("list"), element) if element else None


class Types:
    """The types of expressions; `plurals` are names of variables that hold several objects of a class."""

    def __init__(self, sources: Sequence[Source], plurals: Mapping[str, str]) -> None:
        self.plurals = plurals
        self.classes: dict[str, Class] = {}
        self.returns: dict[str, Type] = {}
        for _, node in classes(sources):
            kept = self.classes.setdefault(node.name, Class())
            kept.bases |= {last_name(base) for base in node.bases}
            kept.fields |= fields_of(node)
            kept.returns |= {one.name: one.returns for one in node.body if isinstance(one, Function)}
        for source in sources:
            self.returns |= {one.name: one.returns for one in source.tree.body if isinstance(one, Function)}

    def lineage(self, name: str) -> Iterator[str]:
        """A class and its bases, as far as they are among the sources."""
        if name in self.classes:
            yield name
            for base in self.classes[name].bases - {name}:
                yield from self.lineage(base)

    def attributes(self, name: str) -> set[str]:
        return {attribute for one in self.lineage(name) for attribute in self.classes[one].fields}

    def names(self, known: Type) -> set[str]:
        """Classes of a value: `A | B | None`, Optional[A], "A"."""
        match known:
            case ast.BinOp(left=left, right=right):
                return self.names(left) | self.names(right)
            case ast.Constant(value=str(text)):
                return self.names(ast.parse(text, mode="eval").body)
            case ast.Subscript(value=value, slice=inner) if last_name(value) == "Optional":
                return self.names(inner)
            case ast.Name() | ast.Attribute():
                return {last_name(known)}
        return set()

    def element(self, known: Type, index: ast.expr | None = None) -> Type:
        """What iterating over a value, or indexing it, gives; of a mapping its values."""
        if isinstance(known, ast.BinOp):
            return self.element(known.left, index) or self.element(known.right, index)
        if not isinstance(known, ast.Subscript):
            return None
        inner = known.slice.elts if isinstance(known.slice, ast.Tuple) else [known.slice]
        match index:
            case ast.Constant(value=int(at)) if last_name(known.value) == "tuple" and at < len(inner):
                return inner[at]
        named = [one for one in inner if self.names(one) & self.classes.keys() or isinstance(one, ast.Subscript)]
        return named[-1] if named else None

    def of(self, node: ast.expr, scope: Scope) -> Type:
        """The type of an expression."""
        match node:
            case ast.Name(id=name):
                return scope.get(name)
            case ast.Attribute(value=value, attr=attr):
                owners = [one for name in self.names(self.of(value, scope)) for one in self.lineage(name)]
                return next((found for one in owners if (found := self.classes[one].fields.get(attr))), None)
            case ast.Subscript(value=value, slice=index):
                return self.element(self.of(value, scope), index)
            case ast.IfExp(body=one, orelse=other):
                return self.of(one, scope) or self.of(other, scope)
            case ast.BoolOp(values=values):
                return next((found for value in values if (found := self.of(value, scope))), None)
            case ast.NamedExpr(value=value) | ast.Await(value=value) | ast.Starred(value=value):
                return self.of(value, scope)
            case ast.Call():
                return self.of_call(node, scope)
        return of_elements(self.of_collection(node, scope))

    def of_call(self, node: ast.Call, scope: Scope) -> Type:
        name, method = last_name(node.func), isinstance(node.func, ast.Attribute)
        if name in self.classes:
            return ast.Name(name)
        if not method and name in self.returns:
            return self.returns[name]
        holder = node.func.value if isinstance(node.func, ast.Attribute) else next(iter(node.args), None)
        known = self.of(holder, scope) if holder else None
        for one in (one for owner in self.names(known) for one in self.lineage(owner)):
            if method and name in self.classes[one].returns:
                return self.classes[one].returns[name]
        return known if name in SAME else self.element(known) if name in ELEMENT else None

    def of_collection(self, node: ast.expr, scope: Scope) -> Type:
        """What a collection that is written out, or a comprehension, holds."""
        match node:
            case ast.List(elts=[first, *_]) | ast.Set(elts=[first, *_]) | ast.Dict(values=[first, *_]):
                return self.of(first, scope)
            case ast.Tuple(elts=elements):
                return next((known for one in elements if (known := self.of(one, scope))), None)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                for loop in node.generators:
                    scope = {**scope, **self.loop(loop.target, loop.iter, scope)}
                return self.of(node.value if isinstance(node, ast.DictComp) else node.elt, scope)
        return None

    def loop(self, target: ast.expr, over: ast.expr, scope: Scope) -> Scope:
        """Types of the names that a loop binds, as far as they are known."""
        if isinstance(over, ast.Call) and isinstance(target, ast.Tuple):
            match last_name(over.func), over.args, over.func:
                case "enumerate", [some, *_], _:
                    return self.loop(target.elts[-1], some, scope)
                case "zip", pairs, _:
                    both = zip(target.elts, pairs, strict=False)
                    return {name: known for one, some in both for name, known in self.loop(one, some, scope).items()}
                case "items", [], ast.Attribute(value=mapping):
                    return self.loop(target.elts[-1], mapping, scope)
        element = self.element(self.of(over, scope))
        if isinstance(target, ast.Tuple):
            parts = [(one, self.element(element, ast.Constant(at))) for at, one in enumerate(target.elts)]
        else:
            plural = self.plurals.get(last_name(over))
            parts = [(target, element or (ast.Name(plural) if plural else None))]
        return {one.id: known for one, known in parts if isinstance(one, ast.Name) and known}

    def bound(self, tree: ast.AST, nodes: Sequence[ast.AST], outer: Scope) -> Scope:
        """The types of all names in a function, class or module that consists of these nodes."""
        scope = {**outer}
        if isinstance(tree, Function | ast.Lambda):
            scope |= annotated(tree.args)
        for node in nodes:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                scope[node.target.id] = node.annotation
        binding = [
            one for one in nodes if isinstance(one, ast.Assign | ast.NamedExpr | ast.For | ast.AsyncFor | ast.Call)
        ]
        for _ in range(2):  # a name may get its type from one that is bound further down
            for node in binding:
                scope |= self.bound_by(node, scope)
        return scope

    def bound_by(self, node: ast.AST, scope: Scope) -> Scope:
        """The types that one statement tells of."""
        match node:
            case ast.Assign() | ast.NamedExpr():
                pairs = [
                    (one.id, self.of(value, scope)) for one, value in assignments(node) if isinstance(one, ast.Name)
                ]
                return {name: known for name, known in pairs if known}
            case ast.For() | ast.AsyncFor():
                return self.loop(node.target, node.iter, scope)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr), args=[value]):
                if attr in FILL and name not in scope:
                    return {name: known} if (known := of_elements(self.of(value, scope))) else {}
        return {}
