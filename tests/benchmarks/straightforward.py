"""What one would write first, to measure the daemon against: one message, one forecast, one awaited publish at a time.

`python -m tests.benchmarks.straightforward PORT QOS FORECASTER`; it needs `pip install aiomqtt==2.5.1`.
"""

import asyncio
import importlib
import json
import sys
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime

import torch

from streamer.models import Memoryless, Sizes

HORIZON = 40
REFIT = 100
Forecaster = Callable[[float], list[float]]


def network(cell: str) -> Callable[[], Forecaster]:
    """One network for all series, called with one sample at a time."""
    net = Memoryless(Sizes(cell=cell)).eval()  # type: ignore[arg-type]

    def series() -> Forecaster:
        s = net.zero_state(1)

        @torch.inference_mode()
        def forecast(x: float) -> list[float]:
            nonlocal s
            s = net.step(torch.tensor([[x]]), s)
            values: list[float] = net.forecast(s, HORIZON)[0, :, 0].tolist()
            return values

        return forecast

    return series


def river(name: str) -> Callable[[], Forecaster]:
    """A model of river's for each series."""
    models = importlib.import_module("river.time_series")

    def series() -> Forecaster:
        model = models.SNARIMAX(p=12, d=0, q=0) if name == "snarimax" else models.HoltWinters(alpha=0.3, beta=0.1)
        seen = 0

        def forecast(x: float) -> list[float]:
            nonlocal seen
            model.learn_one(x)
            seen += 1
            return list(model.forecast(HORIZON)) if seen > 2 else [x] * HORIZON

        return forecast

    return series


def ets() -> Forecaster:
    """AutoETS of statsforecast, fitted again after every REFIT samples on the newest of them."""
    model, held, ahead = importlib.import_module("statsforecast.models").AutoETS(season_length=1), list[float](), []

    def forecast(x: float) -> list[float]:
        nonlocal ahead
        held.append(x)
        if len(held) % REFIT == 0:
            model.fit(importlib.import_module("numpy").array(held[-REFIT:]))
            ahead = model.predict(HORIZON)["mean"].tolist()
        return ahead or [x] * HORIZON

    return forecast


FORECASTERS: dict[str, Callable[[], Callable[[], Forecaster]]] = {
    **{cell: (lambda cell=cell: network(cell)) for cell in ("rnn", "gru", "lstm")},  # type: ignore[misc]
    **{name: (lambda name=name: river(name)) for name in ("snarimax", "holt-winters")},  # type: ignore[misc]
    "ets": lambda: ets,
}


async def main(port: int, qos: int, name: str) -> None:
    """Forecasts every sample below bench/, for ever."""
    series: defaultdict[str, Forecaster] = defaultdict(FORECASTERS[name]())
    aiomqtt = importlib.import_module("aiomqtt")
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("bench/#", qos=qos)
        print("subscribed to bench/#", file=sys.stderr, flush=True)
        async for message in client.messages:
            sample, topic = json.loads(message.payload), str(message.topic)
            time = datetime.fromtimestamp(sample["time"], UTC).isoformat()
            forecast = {"series": topic, "time": time, "mean": series[topic](sample["value"])}
            await client.publish(f"forecast/{topic}", json.dumps(forecast, separators=(",", ":")), qos, retain=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    try:
        asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
    except ModuleNotFoundError as error:
        sys.exit(f"{error.name} is missing: pip install aiomqtt==2.5.1 river statsforecast")
