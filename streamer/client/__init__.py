"""A broker's address in, the forecasts of a Streamer daemon out, for programs of your own.

    async with forecasts("mqtt://localhost", "plant/#") as stream:
        async for forecast in stream:
            print(forecast.series, forecast.times[0], forecast.mean[0], forecast.quantiles[0.1][0])

It needs aiomqtt (`pip install 'streamer[client]'`) and imports nothing else of this package.
"""

from streamer.client.access import CannotListen
from streamer.client.forecast import Curve, Forecast, NotAForecast, decode
from streamer.client.stream import Forecasts, forecasts

__all__ = ["CannotListen", "Curve", "Forecast", "Forecasts", "NotAForecast", "decode", "forecasts"]
