"""The slow lane: streams that are due in, trained and gated networks out, one training at a time."""

import asyncio
import logging
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streamer.config import Config
from streamer.errors import TrainingFailed
from streamer.lane import Lane
from streamer.models import KINDS
from streamer.records import Candidate
from streamer.store.journal import Journal
from streamer.swap.gate import admit, prefer
from streamer.swap.promote import promote
from streamer.train.process import train
from streamer.train.worker import Request

log = logging.getLogger("streamer.train")


@dataclass(slots=True)
class Activity:
    """What the slow lane is doing now, for those who watch."""

    stream: str | None = None
    kind: str = ""
    epoch: int = 0
    epochs: int = 0


class SlowLane:
    """Trainings of all streams, queued; a stream waits in the queue at most once."""

    def __init__(self, config: Config, journal: Journal, clock: Callable[[], float]) -> None:
        self.config, self.journal, self.clock = config, journal, clock
        self.queue: asyncio.Queue[Lane] = asyncio.Queue()
        self.waiting: set[str] = set()
        self.activity = Activity()

    def request(self, lane: Lane) -> None:
        """Train this stream when its turn comes."""
        if lane.stream.name not in self.waiting:
            self.waiting.add(lane.stream.name)
            self.queue.put_nowait(lane)

    async def run(self) -> None:
        """Train whatever is due, for ever."""
        while True:
            lane = await self.queue.get()
            self.waiting.discard(lane.stream.name)
            started = asyncio.get_running_loop().time()
            try:
                await self.retrain(lane)
            except TrainingFailed as failed:
                for kind in KINDS:
                    lane.counts.retrainings[kind, failed.reason] += 1
                log.warning("training failed stream=%s reason=%s: %s", lane.stream.name, failed.reason, failed)
            finally:
                lane.counts.training_seconds += asyncio.get_running_loop().time() - started
                self.activity = Activity()

    async def retrain(self, lane: Lane) -> None:
        """One training of both networks, and the swap of those that the gate admits.

        Raises TrainingFailed.
        """
        name = lane.stream.name
        log.info("training begins stream=%s series=%d", name, len(lane.series))
        candidates = await train(self.request_of(lane), self.watch(lane), self.config.training.timeout)
        admitted = [candidate for candidate in candidates if admit(candidate)]
        for candidate in candidates:
            result = "swapped" if candidate in admitted else "kept"
            lane.counts.retrainings[candidate.kind, result] += 1
            lane.counts.gated |= {candidate.kind: candidate.e_p, "persistence": candidate.e_p_persistence}
            log.info("gate stream=%s model=%s result=%s %s", name, candidate.kind, result, verdict(candidate))
        if admitted:
            version = await promote(lane, admitted, prefer(candidates), self.journal, self.clock())
            kinds = ",".join(candidate.kind for candidate in admitted)
            log.info("swapped stream=%s models=%s version=%d", name, kinds, version)
        elif candidates:
            lane.preferred = prefer(candidates)

    def request_of(self, lane: Lane) -> Request:
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
            threads=training.threads or max(1, len(os.sched_getaffinity(0)) - 1),
            sizes=lane.sizes,
            recipe=training.recipe(lane.sizes.cell),
        )

    def watch(self, lane: Lane) -> Callable[[dict[str, Any]], None]:
        """Keeps `activity` up to date from what the training process reports, and logs it now and then."""

        def report(line: dict[str, Any]) -> None:
            activity = self.activity
            activity.stream = lane.stream.name
            if line["event"] == "start":
                log.info("training on device=%s ticks=%d series=%d", line["device"], line["ticks"], line["series"])
                return
            if line["event"] == "diverged":
                lane.counts.retrainings[line["kind"], "diverged"] += 1
                log.warning("training diverged stream=%s model=%s", lane.stream.name, line["kind"])
                return
            activity.kind, activity.epoch, activity.epochs = line["kind"], line["epoch"], line["epochs"]
            if line["epoch"] % max(1, line["epochs"] // 5) == 0:
                fields = (lane.stream.name, line["kind"], line["epoch"], line["epochs"], line["e_p"])
                log.info("training stream=%s model=%s epoch=%d/%d e_p=%.4f", *fields)

        return report


def verdict(candidate: Candidate) -> str:
    """The errors that the gate compared."""
    live = "none" if candidate.e_p_live is None else f"{candidate.e_p_live:.4f}"
    return f"e_p={candidate.e_p:.4f} live={live} persistence={candidate.e_p_persistence:.4f}"
