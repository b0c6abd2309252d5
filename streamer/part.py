"""What a stream keeps per series: arrays with a row for each, which are grown, saved and resumed together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


class Part(Protocol):
    """State of a stream with a row per series."""

    @property
    def name(self) -> str:
        """Unique among the parts of the stream."""

    def fit(self) -> Any:
        """A JSON value that says what the arrays belong to: arrays of another fit are not restored."""

    def labels(self) -> dict[str, list[str]]:
        """By array, the names of its columns on one axis, or of its values: these are restored by name."""

    def grow(self, rows: int) -> None:
        """Room for at least `rows` series."""

    def renew(self, rows: NDArray[np.int64]) -> None:
        """These series begin anew: nothing is known of them."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All state that decides the future, a row per series; the arrays themselves and no copies."""

    def restore(self, labels: Mapping[str, list[str]], saved: Arrays) -> None:
        """Write the rows of saved arrays of the same fit over the first rows of these, but of arrays that are new."""


@dataclass(frozen=True, slots=True)
class Column:
    """One array of a `Rows`: the shape and type of a row, and the value that a new row is filled with.

    Where one axis of the array has named columns, `axis` is its number, counted with the rows' axis 0, and `names` are
    theirs.
    """

    shape: tuple[int, ...] = ()
    dtype: type[np.generic] = np.float64
    start: float = 0.0
    axis: int = 0
    names: tuple[str, ...] = ()

    def rows(self, count: int) -> NDArray[Any]:
        """So many new rows. Zeros lie on pages that take no memory until they are written to."""
        shape = (count, *self.shape)
        return np.full(shape, self.start, self.dtype) if self.start else np.zeros(shape, self.dtype)


class Rows:
    """A part made of columns, each an attribute of its name; subclasses declare their types and implement `fit`."""

    name: str

    def __init__(self, **columns: Column) -> None:
        self.columns = columns
        for name, column in columns.items():
            setattr(self, name, column.rows(0))

    def labels(self) -> dict[str, list[str]]:
        return {name: list(column.names) for name, column in self.columns.items() if column.names}

    def grow(self, rows: int) -> None:
        for name, column in self.columns.items():
            held = getattr(self, name)
            if rows > len(held):
                grown = column.rows(rows)
                grown[: len(held)] = held
                setattr(self, name, grown)

    def renew(self, rows: NDArray[np.int64]) -> None:
        for name, column in self.columns.items():
            getattr(self, name)[rows] = column.start

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in self.columns}

    def restore(self, labels: Mapping[str, list[str]], saved: Arrays) -> None:
        for name, array in self.arrays().items():
            if name not in saved:
                continue
            count, column = len(saved[name]), self.columns.get(name)
            if column is None or not column.names:
                array[:count] = saved[name]
                continue
            now, then = (np.moveaxis(one, column.axis, 0) for one in (array, saved[name]))
            for i, label in enumerate(column.names):
                if label in labels[name]:
                    now[i, :count] = then[labels[name].index(label)]
