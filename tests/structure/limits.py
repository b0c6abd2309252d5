"""Sources in, classes, files and functions out that are too large."""

import ast
from collections.abc import Sequence

from tests.structure.sources import Source, classes, functions, plain
from tests.structure.types import Types


def many_attributes(
    sources: Sequence[Source], folders: Sequence[str] = ("lanes", "stream", "forecast"), most: int = 12
) -> list[str]:
    """Classes of these folders with more instance attributes, those of bases in the same folder among them."""
    breaches = []
    for folder in folders:
        inside = [source for source in sources if source.folder == folder]
        types = Types(inside, {})
        for source, node in classes(inside):
            held = types.attributes(node.name)
            if len(held) > most:
                breaches.append(
                    f"{source.path}:{node.lineno} {plain(node.name)} has {len(held)} attributes, more than {most}:"
                    f" {', '.join(sorted(held))}"
                )
    return breaches


def long_files(sources: Sequence[Source], most: int = 300) -> list[str]:
    lengths = {source.path: len(source.text.splitlines()) for source in sources}
    return [f"{path}:{most + 1} {length} lines, more than {most}" for path, length in lengths.items() if length > most]


def long_functions(sources: Sequence[Source], most: int = 40) -> list[str]:
    """Functions whose body has more lines, without its docstring, with the functions in it."""
    breaches = []
    for source in sources:
        for function in functions(source.tree):
            body = function.body if ast.get_docstring(function, clean=False) is None else function.body[1:]
            if not body:
                continue
            decorated = [one.lineno for one in getattr(body[0], "decorator_list", ())]
            length = (body[-1].end_lineno or 0) - min([body[0].lineno, *decorated]) + 1
            if length > most:
                place = f"{source.path}:{function.lineno}"
                breaches.append(f"{place} {function.name} has a body of {length} lines, more than {most}")
    return breaches
