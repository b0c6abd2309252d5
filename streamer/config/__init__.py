"""The whole YAML file as pydantic models; the descriptions, with unit and reason, are those of configs/reference.yaml.

Keys outside `streams` can be overridden by environment variables: `STREAMER_MQTT__URL` for `mqtt.url`. Secrets are
masked wherever shown.
"""

import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from streamer.config.base import Section, Ticks
from streamer.config.mqtt import Mqtt, Tls
from streamer.config.payload import (
    ArrayPayload,
    InfluxPayload,
    JsonPayload,
    NumberPayload,
    Payload,
    SparkplugPayload,
)
from streamer.config.stream import HomeAssistant, Stream, Threshold
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


class Metrics(Section):
    """Prometheus metrics and health over HTTP: /metrics, /healthz, /readyz."""

    enabled: bool = True
    """Whether to serve them."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 lets other machines in."""
    port: Annotated[int, Field(ge=0, le=65535)] = 9464
    """Port to listen on; 0 takes a free one and logs it."""
    leads: tuple[Ticks, ...] | None = None
    """Leads to score, in ticks; null for 1, k and k·p. Each takes 32·d bytes per series and tick of it."""
    window: Ticks = 1000
    """Ticks over which the rolling errors fade (time constant of an exponential mean)."""
    per_series: Annotated[int, Field(ge=0)] = 0
    """Series per stream shown one by one (value, and what was predicted for it); each costs several time series."""


class State(Section):
    """What survives a restart."""

    path: Path = Path("streamer-state")
    """Directory of journal and snapshots; made with mode 0700 if absent."""
    durability: Literal["process", "power"] = "process"
    """What an acknowledged sample outlives: the death of this process, or a power cut too (a disk flush per batch)."""
    snapshot: Annotated[float, Field(ge=1)] = 60.0
    """Seconds between snapshots of all states; a start after a crash replays the samples since the last one."""


class Training(Section):
    """How the networks are trained, in a process of its own."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where: auto takes a GPU if there is one."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of weights and order; a training of the same data with the same seed gives the same network."""
    epochs: Ticks = 50
    """Passes over the sampled windows."""
    windows: Ticks | None = None
    """Windows sampled afresh for each epoch, from all series together; null takes the measured best for the cell."""
    batch: Ticks | None = None
    """Windows per step; null as above."""
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    """Peak of Adam's one-cycle learning rate; null as above."""
    clip: Annotated[float, Field(gt=0)] | None = None
    """Largest norm of a gradient; null as above."""
    initial_state: InitialState = "mixed"
    """What windows start from: carried states (as live), zero (as a new series), or a mix."""
    carried_share: Annotated[float, Field(ge=0, le=1)] = 0.8
    """Share of carried windows in the mix."""
    held_out: Annotated[float, Field(ge=0.01, le=0.9)] = 0.2
    """Newest share of the buffer that validates and gates, never trained on."""
    ticks: Annotated[int, Field(ge=1000)] = 500_000
    """Most ticks of all series together that are trained on; of a stream with more, a sample of its series is."""
    threads: Annotated[int, Field(ge=0)] = 0
    """CPU threads of the training, from 2 on for both networks side by side; 0: all cores but one, but both of two."""
    tune_decoder: bool = False
    """Tune the traditional network's decoder alone after its training, on all k·p truths and the paper's eq. (13)."""
    timeout: Annotated[float, Field(gt=0)] = 3600.0
    """Seconds after which a training is given up."""
    stall: Annotated[float, Field(gt=0)] = 600.0
    """Seconds without a step after which a training is given up as hung; loading and measuring are the longest."""

    def recipe(self, cell: CellName) -> Recipe:
        """What is given here, and for the rest the measured best for this cell."""
        names = [name for name in Recipe.__slots__ if name in Training.model_fields]
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(RECIPES[cell], **given)


class Config(BaseSettings):
    """The configuration file of `streamer run`."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        env_prefix="STREAMER_",
        env_nested_delimiter="__",
    )

    mqtt: Mqtt
    """The broker."""
    streams: Annotated[list[Stream], Field(min_length=1)]
    """What to forecast; a topic belongs to the first stream whose filters match it."""
    metrics: Metrics = Metrics()
    """Prometheus metrics and health."""
    state: State = State()
    """What survives a restart."""
    training: Training = Training()
    """How the networks are trained."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then the file (given as the constructor's arguments)."""
        return env_settings, init_settings

    @field_validator("streams")
    @classmethod
    def unique_names(cls, streams: list[Stream]) -> list[Stream]:
        names = [stream.name for stream in streams]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two streams are named {', '.join(twice)}: names must differ")
        return streams

    @model_validator(mode="after")
    def enough_to_train(self) -> Self:
        held_out = self.training.held_out
        for i, stream in enumerate(self.streams):
            sizes = stream.sizes
            need = max(
                math.ceil((sizes.m + sizes.k + 0.5) / (1 - held_out)), math.ceil((sizes.horizon + 1.5) / held_out)
            )
            if stream.retrain.every and stream.retrain.minimum < need:
                what = f"streams.{i}.retrain.minimum: with this m, k, p and training.held_out"
                raise ValueError(f"{what} it must be {need} or more")
        return self

    @model_validator(mode="after")
    def leads_within_a_horizon(self) -> Self:
        longest = max(stream.sizes.horizon for stream in self.streams)
        if any(lead > longest for lead in self.metrics.leads or ()):
            raise ValueError(f"metrics.leads: no stream forecasts further than {longest} ticks ahead")
        return self


def schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
