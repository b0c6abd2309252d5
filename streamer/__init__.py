"""Streamer: a daemon that forecasts live sensor series.

Fast lane, once per batch of waiting messages (lanes/fast.py; stream/state.py is one stream of it):

    broker -> mqtt.link -> ingest.intake -> ingest.grid -> store.journal -> forecast.network
           -> forecast.holt_winters -> forecast.score -> publish.encode -> mqtt.link -> broker

Slow lane, once per retraining (lanes/slow.py):

    store.journal -> train.worker (a process of its own) -> swap.gate -> swap.promote -> the fast lane's networks

app.py starts and stops both; observe/ shows what they did; cli/ is what users type.
"""
