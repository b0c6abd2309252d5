"""The slow lane: streams that are due in, trained and gated networks out, one training at a time."""

import asyncio
import logging
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from streamer.config import Config
from streamer.errors import TrainingFailed
from streamer.models import KINDS
from streamer.records import Candidate
from streamer.store.journal import Journal
from streamer.stream.state import StreamState
from streamer.swap.gate import admit, prefer
from streamer.swap.promote import promote
from streamer.train.process import WORKER, train
from streamer.train.request import Request

log = logging.getLogger("streamer.train")

GPU_TROUBLE = ("device", "hung", "out_of_memory")
"""Failures on a GPU that a CPU may not have."""


@dataclass(slots=True)
class Activity:
    """What the slow lane is doing now, for those who watch."""

    stream: str | None = None
    device: str = ""
    kind: str = ""
    epoch: int = 0
    epochs: int = 0


class SlowLane:
    """Trainings of all streams, queued; a stream waits in the queue at most once.

    `worker` is what python runs to train.
    """

    def __init__(
        self, config: Config, journal: Journal, clock: Callable[[], float], worker: Sequence[str] = WORKER
    ) -> None:
        self.config, self.journal, self.clock, self.worker = config, journal, clock, worker
        self.queue: asyncio.Queue[StreamState] = asyncio.Queue()
        self.waiting: set[StreamState] = set()
        self.activity = Activity()

    def request(self, lane: StreamState) -> None:
        """Train this stream when its turn comes."""
        if lane not in self.waiting:
            self.waiting.add(lane)
            self.queue.put_nowait(lane)

    async def run(self) -> None:
        """Train whatever is due, for ever; a training that fails is counted and changes nothing else."""
        while True:
            lane = await self.queue.get()
            wanted = lane in self.waiting and not lane.retired
            self.waiting.discard(lane)
            if wanted:
                await self.attempt(lane)

    async def attempt(self, lane: StreamState) -> None:
        """One training; where it fails, the stream waits longer for the next one (`StreamState.due`)."""
        started = asyncio.get_running_loop().time()
        try:
            lane.failures = 0 if await self.retrain(lane) else lane.failures + 1
        except TrainingFailed as failed:
            lane.failures += 1
            count(lane, failed)
            log.warning("training failed stream=%s reason=%s: %s", lane.stream.name, failed.reason, failed)
        finally:
            lane.counts.training_seconds += asyncio.get_running_loop().time() - started
            self.activity = Activity()
        if lane.failures:
            self.waiting.discard(lane)  # what came due meanwhile knew nothing of the failure

    async def retrain(self, lane: StreamState) -> bool:
        """One training of both networks, and the swap of those that the gate admits: whether any came of it.

        Raises TrainingFailed.
        """
        name = lane.stream.name
        log.info("training begins stream=%s series=%d", name, len(lane.series))
        candidates = await self.train(lane)
        if not candidates:
            return False
        admitted = [candidate for candidate in candidates if admit(candidate)]
        results = [(candidate, "swapped" if candidate in admitted else "kept") for candidate in candidates]
        for candidate, result in results:
            lane.counts.gated |= {candidate.kind: candidate.e_p, "persistence": candidate.e_p_persistence}
            log.info("gate stream=%s model=%s result=%s %s", name, candidate.kind, result, verdict(candidate))
        version = await promote(lane, admitted, prefer(candidates), self.journal, self.clock())
        for candidate, result in results:
            lane.counts.retrainings[candidate.kind, result] += 1
        if admitted:
            kinds = ",".join(candidate.kind for candidate in admitted)
            log.info("swapped stream=%s models=%s version=%d", name, kinds, version)
        return True

    async def train(self, lane: StreamState) -> list[Candidate]:
        """The candidates of one training; where a GPU fails in it, of another one on the CPU.

        Raises TrainingFailed.
        """
        limits = self.config.training.timeout, self.config.training.stall
        request, watch = self.request_of(lane), self.watch(lane)
        try:
            return await train(request, watch, *limits, self.worker)
        except TrainingFailed as failed:
            if self.activity.device != "cuda" or failed.reason not in GPU_TROUBLE:
                raise
            count(lane, failed)
            text = "training goes on on the CPU, the next one tries the GPU again stream=%s reason=%s: %s"
            log.warning(text, lane.stream.name, failed.reason, failed)
        return await train(replace(request, device="cpu"), watch, *limits, self.worker)

    def request_of(self, lane: StreamState) -> Request:
        training = self.config.training
        order = [series.ident for series in lane.series]
        random.Random(training.seed).shuffle(order)  # noqa: S311
        return Request(
            directory=str(self.config.state.path),
            stream=lane.stream.name,
            series=order,
            most=training.ticks,
            window=lane.stream.retrain.window,
            max_gap=lane.stream.max_gap,
            held_out=training.held_out,
            device=training.device,
            threads=training.threads or usual_threads(len(os.sched_getaffinity(0))),
            sizes=lane.sizes,
            recipe=training.recipe(lane.sizes.cell),
        )

    def watch(self, lane: StreamState) -> Callable[[dict[str, Any]], None]:
        """Keeps `activity` up to date from what the training process reports, and logs it now and then."""
        name = lane.stream.name

        def report(line: dict[str, Any]) -> None:
            activity = self.activity
            activity.stream = name
            match line["event"]:
                case "start":
                    activity.device = line["device"]
                case "buffer":
                    size = line["ticks"], line["series"]
                    log.info("training on device=%s ticks=%d series=%d", activity.device, *size)
                case "diverged":
                    lane.counts.retrainings[line["kind"], "diverged"] += 1
                    log.warning("training diverged stream=%s model=%s", name, line["kind"])
                case "tuned":
                    errors = line["e_p"], line["before"]
                    log.info("tuned stream=%s model=%s e_p=%.4f before=%.4f", name, line["kind"], *errors)
                case "progress":
                    activity.kind, activity.epoch, activity.epochs = line["kind"], line["epoch"], line["epochs"]
                    if line["epoch"] % max(1, line["epochs"] // 5) == 0:
                        fields = (name, line["kind"], line["epoch"], line["epochs"], line["e_p"])
                        log.info("training stream=%s model=%s epoch=%d/%d e_p=%.4f", *fields)

        return report


def usual_threads(cores: int) -> int:
    """All cores but one, the fast lane's; of two both, where a network on each, at low priority, leaves it its turn."""
    return cores if cores <= len(KINDS) else cores - 1


def count(lane: StreamState, failed: TrainingFailed) -> None:
    """A failed training is one of each kind."""
    for kind in KINDS:
        lane.counts.retrainings[kind, failed.reason] += 1


def verdict(candidate: Candidate) -> str:
    """The errors that the gate compared."""
    live = "none" if candidate.e_p_live is None else f"{candidate.e_p_live:.4f}"
    return f"e_p={candidate.e_p:.4f} live={live} persistence={candidate.e_p_persistence:.4f}"
