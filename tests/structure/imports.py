"""Sources in, cycles of their imports out."""

import ast
from collections import deque
from collections.abc import Iterator, Sequence

from tests.structure.sources import Source, last_name, line_of

Imports = dict[str, dict[str, str]]
"""Who imports whom, and where: importer -> imported -> file:line."""


def imports(sources: Sequence[Source]) -> Imports:
    """Imports between modules, those in functions too; not those for type checkers, and none of the package itself."""
    modules = {source.module for source in sources}
    graph: Imports = {}
    for source in sources:
        if "." not in source.module:
            continue
        targets = graph.setdefault(source.module, {})
        for node in at_run_time(source.tree):
            for name in imported(node, source, modules):
                if name in modules and "." in name:
                    targets.setdefault(name, f"{source.path}:{line_of(node)}")
    return graph


def at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those below `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        yield node
        if isinstance(node, ast.If) and last_name(node.test) == "TYPE_CHECKING":
            for other in node.orelse:
                yield other
                yield from at_run_time(other)
        else:
            yield from at_run_time(node)


def imported(node: ast.AST, source: Source, modules: set[str]) -> Iterator[str]:
    """The modules that an import statement names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        package = source.path.parent.parts[: len(source.path.parent.parts) - node.level + 1] if node.level else ()
        base = ".".join([*package, *([node.module] if node.module else [])])
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            yield inner if inner in modules else base


def import_cycles(sources: Sequence[Source]) -> list[str]:
    """Cycles of imports between modules, and between the top-level folders of the package."""
    between = imports(sources)
    folder = {source.module: source.folder for source in sources}
    folders: Imports = {name: {} for name in folder.values()}
    for importer, targets in between.items():
        for target, place in targets.items():
            if folder[importer] != folder[target]:
                folders[folder[importer]].setdefault(folder[target], place)
    return [*cycles(between), *cycles(folders)]


def cycles(graph: Imports) -> list[str]:
    """The shortest cycle through each node that is on one, every cycle once."""
    found: dict[frozenset[str], str] = {}
    for node in sorted(graph):
        ring = shortest(graph, node)
        if ring:
            steps = zip(ring, [*ring[1:], node], strict=True)
            places = ", ".join(graph[importer][target] for importer, target in steps)
            found.setdefault(
                frozenset(ring), f"{graph[node][[*ring, node][1]]} {' -> '.join([*ring, node])} ({places})"
            )
    return list(found.values())


def shortest(graph: Imports, start: str) -> list[str]:
    """The nodes of the shortest way from a node back to it, empty if there is none."""
    waiting = deque([[start]])
    seen: set[str] = set()
    while waiting:
        way = waiting.popleft()
        for target in sorted(graph.get(way[-1], {})):
            if target == start:
                return way
            if target not in seen:
                seen.add(target)
                waiting.append([*way, target])
    return []
