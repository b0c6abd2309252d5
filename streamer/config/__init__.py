"""The YAML file as pydantic models; configs/reference.yaml is generated from the docstrings of their attributes.

An environment variable overrides a key outside `streams`: `STREAMER_MQTT__URL` for `mqtt.url`. Secrets are masked
wherever they are shown.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from streamer.config.base import Place, Section, Ticks, Whole, together
from streamer.config.metrics import Metrics
from streamer.config.mqtt import Mqtt, Tls
from streamer.config.payload import (
    ArrayPayload,
    InfluxPayload,
    JsonPayload,
    NumberPayload,
    Payload,
    SparkplugPayload,
)
from streamer.config.publish import HomeAssistant
from streamer.config.stream import Stream
from streamer.config.threshold import Threshold
from streamer.records import RECIPES, CellName, InitialState, Recipe

__all__ = [
    "ArrayPayload",
    "Config",
    "HomeAssistant",
    "InfluxPayload",
    "JsonPayload",
    "Metrics",
    "Mqtt",
    "NumberPayload",
    "Payload",
    "Section",
    "SparkplugPayload",
    "State",
    "Stream",
    "Threshold",
    "Tls",
    "Training",
    "schema",
]


class State(Section):
    """Where and how the daemon keeps what survives a restart."""

    path: Path = Path("streamer-state")
    """Directory of the journal and the snapshots; created with mode 0700 if it is absent."""
    durability: Literal["process", "power"] = "process"
    """What acknowledged samples survive. process: a crash of the daemon; power: a power cut too (one flush a batch)."""
    snapshot: Annotated[float, Field(ge=1)] = 60.0
    """Seconds between two snapshots of all states. A start replays the samples since the last one."""


class Training(Section):
    """How the networks are trained, in a separate process."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device that trains: auto takes a GPU if there is one, else the CPU."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of all random choices. The same data and seed give the same network on the same machine."""
    epochs: Ticks = 50
    """Training epochs; each draws its own windows."""
    warm_epochs: Annotated[int, Field(ge=0)] = 0
    """Epochs of a training that is due to growth and goes on from the live network; 0: each begins afresh."""
    windows: Ticks | None = None
    """Windows drawn for each epoch, over all series; null takes the best value measured for the cell."""
    batch: Ticks | None = None
    """Windows per step of the optimiser; null takes the best value measured for the cell."""
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    """Peak of the one-cycle learning rate of Adam; null takes the best value measured for the cell."""
    clip: Annotated[float, Field(gt=0)] | None = None
    """Norm at which gradients are clipped; null takes the best value measured for the cell."""
    initial_state: InitialState = "mixed"
    """State at the start of a window. carried: as in a running series; zero: as in a new one; mixed: both."""
    carried_share: Annotated[float, Field(ge=0, le=1)] = 0.8
    """Share of the windows that start from a carried state, with initial_state: mixed."""
    held_out: Annotated[float, Field(ge=0.01, le=0.9)] = 0.2
    """Newest share of the rolling buffer. It is not trained on: it chooses the epoch and decides at the gate."""
    ticks: Annotated[int, Field(ge=1000)] = 500_000
    """Limit of the ticks that a training reads, over all series. Beyond it, a random sample of the series is used."""
    threads: Annotated[int, Field(ge=0)] = 0
    """CPU threads of the training. From 2 on, both networks train in parallel. 0: one for each network."""
    tune_decoder: bool = False
    """Whether the traditional network's decoder is also tuned alone, on all k·p truths and the paper's eq. (13)."""
    weight_noise: Annotated[float, Field(ge=0)] | Literal["adaptive"] = 0.0
    """Deviation of noise on the weights in a second pass of as many epochs, or adaptive: learned for each. 0: none."""
    timeout: Annotated[float, Field(gt=0)] = 3600.0
    """Longest duration of a training, in seconds; a longer one is stopped and counts as failed."""
    stall: Annotated[float, Field(gt=0)] = 600.0
    """Seconds without a step after which a training is stopped as hung. It must allow for reading the buffer."""

    def recipe(self, cell: CellName, measured: Mapping[CellName, Recipe] = RECIPES) -> Recipe:
        """The recipe for a cell: the keys given here, and the best values measured for the others."""
        names = [name for name in Recipe.__slots__ if name in Training.model_fields]
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(measured[cell], **given)


class Config(Whole, BaseSettings):
    """The configuration file of `streamer run`."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        env_prefix="STREAMER_",
        env_nested_delimiter="__",
    )

    mqtt: Mqtt
    """The connection to the broker."""
    streams: Annotated[list[Stream], Field(min_length=1)]
    """What to forecast. A topic belongs to the first stream with a filter that matches it."""
    metrics: Metrics = Metrics()
    """Prometheus metrics and health checks over HTTP."""
    state: State = State()
    """Where and how the daemon keeps what survives a restart."""
    training: Training = Training()
    """How the networks are trained, in a separate process."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, which arrives as the constructor's arguments."""
        return env_settings, init_settings

    @classmethod
    def partial(cls, data: Any, handler: ModelWrapValidatorHandler[Self], places: Sequence[Place]) -> Any:
        """What there is, with stand-ins for streams that have mistakes."""
        wrong = {place[1] for place in places if place[0] == "streams" and len(place) > 1}
        if wrong:
            streams = [stand_in(i) if i in wrong else one for i, one in enumerate(data["streams"])]
            data, places = {**data, "streams": streams}, [place for place in places if place[0] != "streams"]
        return super().partial(data, handler, places)

    @together
    def unique_names(self) -> Iterator[str]:
        names = [stream.name for stream in self.streams]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            yield f"streams: two streams are named {', '.join(twice)}: names must differ"

    @together
    def enough_to_train(self) -> Iterator[str]:
        held_out = self.training.held_out
        for i, stream in enumerate(self.streams):
            sizes = stream.sizes
            need = max(
                math.ceil((sizes.m + sizes.k + 0.5) / (1 - held_out)), math.ceil((sizes.horizon + 1.5) / held_out)
            )
            if stream.retrain.every and stream.first_training < need:
                what = f"streams.{i}.retrain.minimum: with this m, k, p and training.held_out"
                yield f"{what} it must be {need} or more"

    @together
    def leads_within_a_horizon(self) -> Iterator[str]:
        longest = max(stream.sizes.horizon for stream in self.streams)
        if any(lead > longest for lead in self.metrics.leads or ()):
            yield f"metrics.leads: no stream forecasts further than {longest} ticks ahead"


def stand_in(i: int) -> dict[str, Any]:
    """A stream that passes every check of several streams, in the place of one that has mistakes."""
    return {"name": f"-{i}-", "topics": ["-"], "model": {"p": 10**9}, "retrain": {"every": 0, "minimum": 1}}


def schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
