"""Weights as safetensors, written and read; nothing is ever unpickled."""

from collections.abc import Mapping

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, isfinite

from streamer.errors import StateError
from streamer.models import Kind, Network, Sizes, build


def dump(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors by name, as a safetensors document."""
    return safetensors.torch.save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})


def parse(data: bytes) -> dict[str, Tensor]:
    """The tensors of a safetensors document; raises StateError if it is not one."""
    try:
        return safetensors.torch.load(data)
    except SafetensorError as error:
        raise StateError(f"weights: no safetensors document ({error})") from error


def network_of(kind: Kind, sizes: Sizes, data: bytes) -> Network:
    """A network with these weights; raises StateError if they do not fit the sizes."""
    network = build(kind, sizes)
    tensors = parse(data)
    if not all(bool(isfinite(tensor).all()) for tensor in tensors.values()):
        raise StateError("weights: not finite")
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise StateError(f"weights: do not fit a {kind} network of {sizes}") from error
    return network.requires_grad_(False)
