"""The two networks of the paper, built from interchangeable recurrent cells."""

from streamer.models.contract import Network
from streamer.models.memoryless import Memoryless
from streamer.models.traditional import Traditional
from streamer.records import Kind, Sizes

KINDS: tuple[Kind, ...] = ("memoryless", "traditional")


def build(kind: Kind, sizes: Sizes) -> Network:
    """A network of this kind with fresh weights drawn from torch's current random state."""
    return Memoryless(sizes) if kind == "memoryless" else Traditional(sizes)


__all__ = ["KINDS", "Kind", "Memoryless", "Network", "Sizes", "Traditional", "build"]
