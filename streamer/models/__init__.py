"""The two networks of the paper, built from interchangeable recurrent cells, and the daemon's form of one of them."""

from streamer.models.contract import Network
from streamer.models.memoryless import Memoryless
from streamer.models.residual import Residual
from streamer.models.traditional import Traditional
from streamer.records import Kind, Sizes

KINDS: tuple[Kind, ...] = ("memoryless", "traditional")


def build(kind: Kind, sizes: Sizes) -> Network:
    """A network of this kind with fresh weights drawn from torch's current random state."""
    if kind == "traditional":
        return Traditional(sizes)
    return Residual(sizes) if sizes.form == "residual" else Memoryless(sizes)


__all__ = ["KINDS", "Kind", "Memoryless", "Network", "Residual", "Sizes", "Traditional", "build"]
