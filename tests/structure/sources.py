"""A package's folder in, its files as syntax trees out."""

import ast
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
"""Nodes with names of their own."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file; `path` begins with the package's name."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def folder(self) -> str:
        """The top-level folder of the package; a module that stands in none is one of its own."""
        return self.path.parts[1].removesuffix(".py")

    @property
    def module(self) -> str:
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read(package: Path) -> list[Source]:
    """Every Python file of a package; classes of one name in several modules are told apart (`Name@module`)."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(package.rglob("*.py"))}
    sources = [Source(path.relative_to(package.parent), text, ast.parse(text)) for path, text in texts.items()]
    homes: dict[str, set[str]] = {}
    for source, node in classes(sources):
        homes.setdefault(node.name, set()).add(source.module)
    several = {name for name, modules in homes.items() if len(modules) > 1}
    for source in sources:
        tell_apart(source, several, homes)
    return sources


def tell_apart(source: Source, several: set[str], homes: Mapping[str, set[str]]) -> None:
    """Rename those classes in a source to `Name@module`, of the module that defines what the name means there."""
    means = {name: f"{name}@{source.module}" for name in several if source.module in homes[name]}
    for node in (node for node in ast.walk(source.tree) if isinstance(node, ast.ImportFrom)):
        module = node.module or ""
        for alias in node.names:
            if alias.name in several:  # a package may pass on what one of its modules defines
                home = next((one for one in sorted(homes[alias.name]) if one.startswith(module)), module)
                means[alias.asname or alias.name] = f"{alias.name}@{home}"
    for name in ast.walk(source.tree):
        if isinstance(name, ast.Name):
            name.id = means.get(name.id, name.id)
        elif isinstance(name, ast.ClassDef):
            name.name = means.get(name.name, name.name)


def plain(name: str) -> str:
    """The name of a class as it is written."""
    return name.partition("@")[0]


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def classes(sources: Sequence[Source]) -> Iterator[tuple[Source, ast.ClassDef]]:
    return ((source, node) for source in sources for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef))


def last_name(node: ast.AST) -> str:
    """`c` of `a.b.c` and of `c`, nothing of anything else."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def level(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes below, without what is in a function, lambda or class among them."""
    waiting = deque(ast.iter_child_nodes(tree))
    while waiting:
        node = waiting.popleft()
        yield node
        if not isinstance(node, SCOPES):
            waiting.extend(ast.iter_child_nodes(node))


def line_of(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0))
