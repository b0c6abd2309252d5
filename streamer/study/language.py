"""Text in characters: the documentation that ships with CPython, its cost in bits, and text that a network writes.

Axes: b texts side by side, T characters, A characters that there are, S elements of the state.
"""

import copy
import lzma
import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as fn

from streamer.study.reader import Reader

SEGMENT = 50
"""Characters between two steps of training, and of dynamic evaluation; gradients go back no further."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A text as numbers of its characters: `taught` [T] to learn from, `tuned` to choose by, `tested` [T]."""

    characters: str
    taught: Tensor
    tuned: Tensor
    tested: Tensor

    def text(self, numbers: Tensor) -> str:
        """The characters of these numbers."""
        return "".join(self.characters[i] for i in numbers.tolist())


def documentation(tuned: int, tested: int) -> Corpus:
    """The topics of `help()` in this Python, in order of their names; the last characters are tuned and tested on.

    Topics share paragraphs: each is taken once, or the end would be known by heart.
    """
    from pydoc_data.topics import topics

    text = "\n\n".join(dict.fromkeys("\n\n".join(topics[name] for name in sorted(topics)).split("\n\n")))
    characters = "".join(sorted(set(text)))
    numbers = torch.tensor([characters.index(one) for one in text])
    rest = len(numbers) - tuned - tested
    return Corpus(characters, *torch.split(numbers, [rest, tuned, tested]))


def xz_bits(corpus: Corpus) -> float:
    """Bits that xz needs for a tested character, when it has compressed the rest before."""
    before, whole = (
        len(lzma.compress(corpus.text(numbers).encode(), preset=9 | lzma.PRESET_EXTREME))
        for numbers in (
            torch.cat([corpus.taught, corpus.tuned]),
            torch.cat([corpus.taught, corpus.tuned, corpus.tested]),
        )
    )
    return 8 * (whole - before) / len(corpus.tested)


def loss(network: Reader, text: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """Mean nats for each next character of texts [b, T + 1], and the state after T characters."""
    said, s = network(fn.one_hot(text[:, :-1], network.P.out_features).float(), s)
    return fn.cross_entropy(said.flatten(0, 1), text[:, 1:].flatten()), s


def noisy_loss(network: Reader, text: Tensor, s: Tensor, noise: float) -> tuple[Tensor, Tensor]:
    """The same with Gaussian noise of this deviation on every weight, drawn for each call (Graves 2013, section 4)."""
    weights = {name: weight + noise * torch.randn_like(weight) for name, weight in network.named_parameters()}
    found: tuple[Tensor, Tensor] = functional_call(
        Losing(network), {f"inner.{k}": v for k, v in weights.items()}, (text, s)
    )
    return found


class Losing(torch.nn.Module):
    """`loss` as a module, whose weights can be replaced for a call."""

    def __init__(self, inner: Reader) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, text: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """As `loss`."""
        return loss(self.inner, text, s)


@dataclass(frozen=True, slots=True)
class Dynamic:
    """Dynamic evaluation: after every segment θ ← θ - rate·g + decay·(θ_0 - θ) (Graves 2013; Krause et al. 2018)."""

    rate: float
    decay: float = 0.02


def bits(network: Reader, text: Tensor, how: Dynamic | None = None) -> float:
    """Mean bits for each character of a text [T] but its first, read once from a zero state; the network stays."""
    network = copy.deepcopy(network)
    trained = [weight.detach().clone() for weight in network.parameters()]
    s, total = network.zero_state(1), 0.0
    bounds = [*range(0, len(text) - 1, SEGMENT), len(text) - 1]
    for first, last in pairwise(bounds):
        with torch.set_grad_enabled(how is not None):
            found, s = loss(network, text[None, first : last + 1], s.detach())
        total += float(found.detach()) * (last - first)
        if how is not None:
            gradients = torch.autograd.grad(found, list(network.parameters()))
            for weight, gradient, start in zip(network.parameters(), gradients, trained, strict=True):
                weight.data += how.decay * (start - weight.data) - how.rate * gradient
    return total / (len(text) - 1) / math.log(2)


@torch.no_grad()
def sample(network: Reader, first: int, length: int, seed: int) -> Tensor:
    """Characters drawn one after the other from what the network says comes next, [length]."""
    generator, s, said = torch.Generator().manual_seed(seed), network.zero_state(1), [first]
    for _ in range(length):
        y, s = network.step(fn.one_hot(torch.tensor([said[-1]]), network.P.out_features).float(), s)
        said.append(int(torch.multinomial(torch.softmax(y[0], 0), 1, generator=generator)))
    return torch.tensor(said[1:])
