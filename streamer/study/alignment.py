"""`streamer study alignment`: symbols in, each written as often as it says; who learns where to look?

Axes: b sequences, U symbols read, T symbols written, A symbols there are, the end among them.
"""

import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from streamer.models.cells import CELLS
from streamer.study.attention import EncoderDecoder
from streamer.study.learning import Lessons, learn
from streamer.study.report import Report
from streamer.study.scope import Scope
from streamer.study.soft_window import SoftWindow

A, END = 7, 6
NEURONS = 64
QUICK, FULL = Lessons(250, 32, 1e-2), Lessons(1_000, 32, 1e-2)
TESTS = 500
Rng = np.random.Generator


def times(symbol: int) -> int:
    """How often a symbol is to be written."""
    return 1 if symbol == END else 1 + symbol % 3


class Writer(nn.Module, ABC):
    """Reads x [b, U, A] and answers, after each symbol written so far, what comes next."""

    @abstractmethod
    def forward(self, x: Tensor, padding: Tensor, y: Tensor) -> Tensor:
        """padding [b, U]: True behind the end; y [b, T, A]: zeros at the begin, then what was written -> [b, T, A]."""

    @torch.no_grad()
    def write(self, x: Tensor, padding: Tensor, steps: int) -> Tensor:
        """The likeliest symbol after each that it has written, [b, steps]."""
        y, said = torch.zeros(len(x), 1, A), list[Tensor]()
        for _ in range(steps):
            said.append(self(x, padding, y)[:, -1].argmax(1))
            y = torch.cat([y, fn.one_hot(said[-1], A)[:, None].float()], 1)
        return torch.stack(said, 1)


class Plain(Writer):
    """Encoder and decoder without attention: one state carries all that was read."""

    def __init__(self) -> None:
        super().__init__()
        self.E, self.D, self.P = CELLS["lstm"](A, NEURONS), CELLS["lstm"](A, NEURONS), nn.Linear(NEURONS, A)

    def forward(self, x: Tensor, padding: Tensor, y: Tensor) -> Tensor:
        s = torch.zeros(len(x), self.E.state_size)
        for at, none in zip(x.unbind(1), padding.unbind(1), strict=True):
            s = torch.where(none[:, None], s, self.E(at, s))
        seen = []
        for at in y.unbind(1):
            s = self.D(at, s)
            seen.append(self.D.visible(s))
        return self.P(torch.stack(seen, 1))  # type: ignore[no-any-return]


class Windowed(Writer):
    """A decoder that reads the symbols through a soft window: s' = F([y, w], s), answer P([h, w])."""

    def __init__(self) -> None:
        super().__init__()
        self.F, self.window = CELLS["lstm"](2 * A, NEURONS), SoftWindow(NEURONS, components=2)
        self.P = nn.Linear(NEURONS + A, A)

    def forward(self, x: Tensor, padding: Tensor, y: Tensor) -> Tensor:
        return self.looked(x, y)[0]

    def looked(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The answers, and where the window lay at each, φ [b, T, U]; what is padding has no element."""
        s, w, kappa = torch.zeros(len(x), self.F.state_size), x.new_zeros(len(x), A), self.window.begin(len(x))
        said, looks = [], []
        for at in y.unbind(1):
            s = self.F(torch.cat([at, w], 1), s)
            seen = self.F.visible(s)
            w, kappa, phi = self.window(seen, kappa, x)
            said.append(self.P(torch.cat([seen, w], 1)))
            looks.append(phi)
        return torch.stack(said, 1), torch.stack(looks, 1)


class Attending(Writer):
    """The small Transformer."""

    def __init__(self, longest: int = 100) -> None:
        super().__init__()
        self.network = EncoderDecoder(A, A, A, longest)

    def forward(self, x: Tensor, padding: Tensor, y: Tensor) -> Tensor:
        return self.network.decode(self.network.encode(x, padding), y, padding)


WRITERS: dict[str, Callable[[], Writer]] = {
    "encoder-decoder LSTM": Plain,
    "LSTM with soft window": Windowed,
    "Transformer": Attending,
}


def drawn(rng: Rng, b: int, least: int, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """b sequences of `least` to `most` symbols and an end: x [b, U, A], padding [b, U], wanted [b, T], -1 behind."""
    texts = [[*rng.integers(0, END, rng.integers(least, most + 1)).tolist(), END] for _ in range(b)]
    written = [[symbol for symbol in text for _ in range(times(symbol))] for text in texts]
    read, wanted = (
        torch.tensor([line + [-1] * (max(map(len, lines)) - len(line)) for line in lines]) for lines in (texts, written)
    )
    return one_hot(read), read < 0, wanted


def one_hot(symbols: Tensor) -> Tensor:
    """Unit vectors, and zeros for -1: [b, T] -> [b, T, A]."""
    return fn.one_hot(symbols.clamp(min=0), A).float() * (symbols >= 0)[..., None]


def study(scope: Scope) -> Report:
    """Every writer: the share of fresh sequences written without a mistake, of lengths learned and of longer ones."""
    least, most, how = (2, 4, QUICK) if scope.quick else (2, 10, FULL)
    lengths = [(least, most), (most + 1, most * 3 // 2), (most * 2, most * 2)]
    found = {name: scope.each(name, partial(trial, name, how, lengths)) for name in WRITERS}
    return Report(
        ("model", *(f"{a} to {b} symbols" if a < b else f"{a} symbols" for a, b in lengths)),
        [[name, *line(some, len(lengths))] for name, some in found.items()],
        (
            f"each of {END} symbols is to be written once, twice or three times, as it says; trained on {least} to"
            f" {most} with the true symbols before, {how.steps} steps of {how.batch}.",
            f"tested on {TESTS} fresh sequences, each writer going on from what it wrote itself.",
            f"seeds: {', '.join(map(str, scope.seeds))}; worst to best in brackets.",
        ),
        {"alignment": partial(picture, how, lengths[0])} if scope.wants("LSTM with soft window") else {},
    )


def taught(name: str, how: Lessons, lengths: tuple[int, int], seed: int) -> Writer:
    """A writer, trained with the true symbols before each."""
    torch.manual_seed(seed)
    writer, rng = WRITERS[name](), np.random.default_rng(seed)

    def loss() -> Tensor:
        x, padding, wanted = drawn(rng, how.batch, *lengths)
        before = torch.cat([torch.full((len(x), 1), -1), wanted[:, :-1]], 1)
        return fn.cross_entropy(writer(x, padding, one_hot(before)).flatten(0, 1), wanted.flatten(), ignore_index=-1)

    learn(writer, loss, how)
    return writer


def trial(name: str, how: Lessons, lengths: list[tuple[int, int]], seed: int) -> list[float]:
    """Train a writer; the share that it writes without a mistake for each range of lengths."""
    writer = taught(name, how, lengths[0], seed)
    return [right(writer, some) for some in lengths]


def right(writer: Writer, lengths: tuple[int, int]) -> float:
    """The share of TESTS fresh sequences that are written without a mistake, up to their end."""
    x, padding, wanted = drawn(np.random.default_rng(1_000_000), TESTS, *lengths)
    said = writer.write(x, padding, wanted.shape[1])
    return float(((said == wanted) | (wanted < 0)).all(1).float().mean())


def line(found: list[Any], count: int) -> list[str]:
    """Shares in percent, over seeds."""
    if not found:
        return [""] * count
    shares = []
    for some in zip(*found, strict=True):
        spread = f" ({100 * min(some):.0f} to {100 * max(some):.0f} %)" if min(some) < max(some) else ""
        shares.append(f"{100 * statistics.fmean(some):.1f} %{spread}")
    return shares


def picture(how: Lessons, lengths: tuple[int, int], figure: Any) -> None:
    """Where the window lies at each symbol written: one sequence of the longest length learned."""
    writer = taught("LSTM with soft window", how, lengths, 0)
    assert isinstance(writer, Windowed)
    x, _, wanted = drawn(np.random.default_rng(0), 1, lengths[1], lengths[1])
    with torch.no_grad():
        phi = writer.looked(x, one_hot(torch.cat([torch.full((1, 1), -1), wanted[:, :-1]], 1)))[1][0]
    axes = figure.subplots()
    axes.imshow(phi.T.numpy(), aspect="auto", origin="lower", cmap="magma")
    axes.set_xticks(range(wanted.shape[1]), ["ABCDEF·"[i] for i in wanted[0]])
    axes.set_yticks(range(x.shape[1]), ["ABCDEF·"[i] for i in x[0].argmax(1)])
    axes.set_xlabel("written")
    axes.set_ylabel("read")
