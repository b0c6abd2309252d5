"""Streamer: a daemon that forecasts live sensor series.

Fast lane, once per batch of waiting messages (fastlane.py; lane.py is one stream of it):

    broker -> mqtt.link -> ingest.intake -> ingest.grid -> store.journal -> state.bank
           -> forecast.baseline, models -> forecast.score -> publish.encode -> mqtt.link -> broker

Slow lane, once per retraining (slowlane.py):

    store.journal -> train.worker (a process of its own) -> swap.gate -> swap.promote -> the fast lane's networks

app.py starts and stops both; metrics.py shows what they did; cli.py is what users type.
"""
