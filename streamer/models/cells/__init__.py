"""Recurrent cells behind one contract, `F(x, s) -> s`, a file for each; README.md beside this folder compares them."""

from collections.abc import Callable

from streamer.models.cells.cell import Cell
from streamer.models.cells.gru import Gru
from streamer.models.cells.lru import Lru
from streamer.models.cells.lstm import Lstm
from streamer.models.cells.mrnn import Mrnn
from streamer.models.cells.peephole import Peephole
from streamer.models.cells.rnn import Rnn
from streamer.models.cells.slstm import Slstm
from streamer.models.cells.stack import Stack
from streamer.records import CellName, Sizes

CELLS: dict[CellName, Callable[[int, int], Cell]] = {
    "rnn": Rnn,
    "gru": Gru,
    "lstm": Lstm,
    "peephole": Peephole,
    "mrnn": Mrnn,
    "lru": Lru,
    "slstm": Slstm,
}
"""By name: a cell on d elements with n neurons, (d, n) -> cell."""


def cell_of(sizes: Sizes, d: int, n: int) -> Cell:
    """The cell of a network of these sizes, on d elements and with n neurons in each layer."""
    cell = CELLS[sizes.cell]
    return cell(d, n) if sizes.layers == 1 else Stack(cell, d, n, sizes.layers)


__all__ = ["CELLS", "Cell", "Stack", "cell_of"]
