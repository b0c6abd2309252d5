"""Forecasters to compare the paper's networks with, one file a kind; each forecasts from a window of m samples."""

from collections.abc import Callable

from streamer.records import Sizes
from streamer.study.rivals.contract import Rival
from streamer.study.rivals.delays import Distributed, Focused
from streamer.study.rivals.gamma import Gamma
from streamer.study.rivals.narx import Narx
from streamer.study.rivals.paper import Paper
from streamer.study.rivals.sliding import Sliding
from streamer.study.rivals.transformer import Transformer

RIVALS: dict[str, Callable[[int, int, int], Rival]] = {
    "memoryless rnn": lambda m, h, c: Paper("memoryless", Sizes(m=m, cell="rnn")),
    "memoryless lstm": lambda m, h, c: Paper("memoryless", Sizes(m=m, cell="lstm")),
    "traditional rnn": lambda m, h, c: Paper("traditional", Sizes(m=m, cell="rnn")),
    "traditional lstm": lambda m, h, c: Paper("traditional", Sizes(m=m, cell="lstm")),
    "focused TDNN": lambda m, h, c: Focused(m, h),
    "distributed TDNN": lambda m, h, c: Distributed(m, h),
    "focused gamma memory": lambda m, h, c: Gamma(h),
    "NARX, series-parallel": lambda m, h, c: Narx(m, c, parallel=False),
    "NARX, parallel": lambda m, h, c: Narx(m, c, parallel=True),
    "Transformer": lambda m, h, c: Transformer(m + h),
    "soft window": lambda m, h, c: Sliding(),
}
"""Each with fresh weights for windows of m samples, h leads and c known inputs."""
