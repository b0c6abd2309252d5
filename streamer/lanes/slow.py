"""The slow lane: streams that are due in, trained and gated networks out, one training at a time."""

import asyncio
import logging
import os
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from streamer.config import Config
from streamer.errors import TrainingFailed
from streamer.lanes.diary import KEPT, Training
from streamer.models import KINDS
from streamer.records import GPU_RECIPES, Candidate
from streamer.store.journal import Journal
from streamer.stream.state import StreamState
from streamer.swap.gate import admit, verdict
from streamer.swap.promote import promote
from streamer.train.process import WORKER, train
from streamer.train.request import Request

log = logging.getLogger("streamer.train")

GPU_TROUBLE = ("device", "hung", "out_of_memory")
"""Failures on a GPU that a CPU may not have."""


@dataclass(frozen=True, slots=True)
class Activity:
    """What the slow lane is doing now, for those who watch."""

    stream: str | None = None
    device: str = ""
    kind: str = ""
    epoch: int = 0
    epochs: int = 0


class SlowLane:
    """Trainings of all streams, queued. None is due while one is under way, so a stream waits at most once.

    `lock` is that of the fast lane. `worker` is what python runs to train. `diary`: the newest trainings, the
    last of them the `entry`.
    """

    def __init__(
        self,
        config: Config,
        journal: Journal,
        lock: asyncio.Lock,
        clock: Callable[[], float],
        worker: Sequence[str] = WORKER,
    ) -> None:
        self.config, self.journal, self.lock, self.clock, self.worker = config, journal, lock, clock, worker
        self.queue: asyncio.Queue[StreamState] = asyncio.Queue()
        self.activity = Activity()
        self.entry = Training("", "", 0.0)
        self.diary: deque[Training] = deque(maxlen=KEPT)

    def configure(self, config: Config) -> None:
        """Train as this configuration says from the next training on."""
        self.config = config

    def request(self, stream: StreamState) -> None:
        """Train this stream when its turn comes."""
        self.queue.put_nowait(stream)

    async def run(self) -> None:
        """Train whatever is due, for ever; a training that fails is counted and changes nothing else."""
        while True:
            stream = await self.queue.get()
            if not stream.retired:
                await self.attempt(stream)

    async def attempt(self, stream: StreamState) -> None:
        """One training; where it comes to nothing, the stream waits longer for the next one (`Schedule.due`)."""
        started = asyncio.get_running_loop().time()
        entry = self.entry = Training(stream.name, stream.schedule.cause, self.clock())
        self.diary.append(entry)
        self.activity = Activity(stream.name)
        try:
            done = await self.retrain(stream)
        except TrainingFailed as failed:
            done = False
            stream.counts.trainings.end(failed.reason)
            entry.fail(failed.reason)
            log.warning("training failed stream=%s reason=%s: %s", stream.name, failed.reason, failed)
        finally:
            spent = asyncio.get_running_loop().time() - started
            stream.counts.trainings.spend(spent)
            entry.end(spent)
            self.activity = Activity()
        if not done:
            stream.fail_training()
        log.info("training ended stream=%s seconds=%.1f", stream.name, spent)

    async def retrain(self, stream: StreamState) -> bool:
        """One training of both networks, and the swap of those that the gate admits: whether any came of it.

        Raises TrainingFailed.
        """
        name = stream.name
        log.info("training begins stream=%s series=%d", name, len(stream.series))
        candidates = await self.train(stream)
        if not candidates:
            return False
        admitted = [candidate for candidate in candidates if admit(candidate)]
        results = [(candidate, "swapped" if candidate in admitted else "kept") for candidate in candidates]
        for candidate, result in results:
            stream.counts.trainings.gate(candidate)
            self.entry.decide(candidate, result)
            log.info("gate stream=%s model=%s result=%s: %s", name, candidate.kind, result, verdict(candidate))
        version = await promote(stream, admitted, self.journal, self.lock, self.clock())
        for candidate, result in results:
            stream.counts.trainings.end(result, [candidate.kind])
        if admitted:
            kinds = ",".join(candidate.kind for candidate in admitted)
            log.info("swapped stream=%s models=%s version=%d", name, kinds, version)
        return True

    async def train(self, stream: StreamState) -> list[Candidate]:
        """The candidates of one training; of another one where a GPU fails in it, or where it gets no processor.

        Raises TrainingFailed.
        """
        limits = self.config.training.timeout, self.config.training.stall
        request, watch = self.request_of(stream), self.watch(stream)
        while True:
            try:
                return await train(request, watch, *limits, self.worker)
            except TrainingFailed as failed:
                request = self.another(stream, request, failed)

    def another(self, stream: StreamState, request: Request, failed: TrainingFailed) -> Request:
        """The request with which a training may succeed that failed like that. Raises it where there is none."""
        if request.idle and failed.reason == "starved":
            log.info("training begins again, no longer at idle priority stream=%s: %s", stream.name, failed)
            return replace(request, idle=False)
        if request.device == "cpu" or failed.device != "cuda" or failed.reason not in GPU_TROUBLE:
            raise failed
        stream.counts.trainings.end(failed.reason)
        text = "training goes on on the CPU, the next one tries the GPU again stream=%s reason=%s: %s"
        log.warning(text, stream.name, failed.reason, failed)
        return replace(request, device="cpu")

    def request_of(self, stream: StreamState) -> Request:
        training, cell = self.config.training, stream.config.sizes.cell
        recipes = [training.recipe(cell), training.recipe(cell, GPU_RECIPES)]
        if stream.schedule.cause != "growth":  # what the live network knows is missing, or no longer holds
            recipes = [replace(recipe, warm_epochs=0) for recipe in recipes]
        order = [series.ident for series in stream.series]
        random.Random(training.seed).shuffle(order)  # noqa: S311
        return Request(
            directory=str(self.config.state.path),
            stream=stream.name,
            series=order,
            most=training.ticks,
            window=stream.config.retrain.window,
            max_gap=stream.config.max_gap,
            fill=stream.config.fill is not None,
            season=stream.config.season,
            interval=stream.config.interval,
            timezone=stream.config.timezone,
            holidays=stream.config.holidays,
            covariates=[one.model_dump(mode="json") for one in stream.config.covariates],
            aggregated=stream.config.aggregation is not None,
            held_out=training.held_out,
            device=training.device,
            threads=training.threads or usual_threads(len(os.sched_getaffinity(0))),
            sizes=stream.config.sizes,
            recipe=recipes[0],
            gpu_recipe=recipes[1],
        )

    def watch(self, stream: StreamState) -> Callable[[dict[str, Any]], None]:
        """Keeps `activity` and `entry` up to date from what the training process reports, and logs it now and then."""
        name, entry = stream.name, self.entry

        def report(line: dict[str, Any]) -> None:
            entry.report(line)
            match line["event"]:
                case "start":
                    self.activity = Activity(name, line["device"])
                case "buffer":
                    size = line["ticks"], line["series"]
                    log.info("training on device=%s ticks=%d series=%d", self.activity.device, *size)
                case "diverged":
                    stream.counts.trainings.end("diverged", [line["kind"]])
                    log.warning("training diverged stream=%s model=%s", name, line["kind"])
                case "tuned":
                    errors = line["e_p"], line["before"]
                    log.info("tuned stream=%s model=%s e_p=%.4f before=%.4f", name, line["kind"], *errors)
                case "progress":
                    epoch = {key: line[key] for key in ("kind", "epoch", "epochs")}
                    self.activity = replace(self.activity, **epoch)
                    if line["epoch"] % max(1, line["epochs"] // 5) == 0:
                        fields = (name, line["kind"], line["epoch"], line["epochs"], line["e_p"])
                        log.info("training stream=%s model=%s epoch=%d/%d e_p=%.4f", *fields)

        return report


def usual_threads(cores: int) -> int:
    """One for each network: on products this small, more threads wait for each other longer than they work."""
    return min(cores, len(KINDS))
