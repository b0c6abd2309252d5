"""The dashboard *Operations*: whether the daemon keeps up, loses nothing, learns, and fits the machine."""

from machine import MACHINE, PROCESS, VERSIONS
from panels import Panel, Query, dashboard, variable
from queries import ALL, STREAM, quantile, rate

VARIABLES = [
    variable("instance", "Instance", "label_values(streamer_build_info, instance)", several=True),
    variable("stream", "Stream", 'label_values(streamer_series{instance=~"$instance"}, stream)', several=True),
]


FLOW = [
    Panel(
        "Is it connected to the broker?",
        "1 while connected and subscribed. 0: the log of the daemon gives the reason (address, password, certificate, "
        "access list); see StreamerBrokerLost in the runbook.",
        "short",
        [Query(f"streamer_mqtt_connected{{{ALL}}}", "{{instance}}")],
        kind="stat",
        width=4,
        base="red",
        steps=[(1, "green")],
    ),
    Panel(
        "How much comes in, and how much goes out?",
        "Samples accepted and forecasts published per second. Both are equal, unless series are new or publish.every "
        "is above 1. No samples: see StreamerNoSamples.",
        "cps",
        [
            Query(rate("streamer_samples_total", STREAM, "stream"), "{{stream}} samples"),
            Query(rate("streamer_forecasts_total", STREAM, "stream"), "{{stream}} forecasts"),
        ],
        width=10,
    ),
    Panel(
        "How long does a sample wait for its forecast?",
        "Time from the arrival of a sample until its forecast is handed over. If it rises with the rate, the "
        "processor is overloaded: take fewer series, a smaller model.n, model.cell: gru or a second daemon. See "
        "StreamerLatencyHigh.",
        "s",
        [Query(quantile(0.5), "{{stream}} half"), Query(quantile(0.99), "{{stream}} 99 of 100")],
        width=10,
        steps=[(1, "red")],
    ),
]

LOSS = [
    Panel(
        "Does the fast lane keep up?",
        "Waiting messages as a share of the limit. At 1, the oldest messages of QoS 0 are dropped, and those of QoS 1 "
        "wait at the broker. See StreamerQueueFilling.",
        "percentunit",
        [
            Query(f"streamer_queue_messages{{{ALL}}} / streamer_queue_limit_messages", "{{instance}} received"),
            Query(f"streamer_outbox_messages{{{ALL}}} / streamer_outbox_limit_messages", "{{instance}} to publish"),
        ],
        width=8,
        steps=[(0.8, "red")],
    ),
    Panel(
        "Is anything lost?",
        "Per second: messages dropped from a full queue, forecasts replaced by newer ones before they could be "
        "sent, forecasts that the broker refused. All should be 0. See StreamerQueueOverflow and "
        "StreamerForecastsNotTaken.",
        "cps",
        [
            Query(rate("streamer_queue_dropped_messages_total", ALL, "instance"), "{{instance}} dropped"),
            Query(rate("streamer_outbox_superseded_messages_total", ALL, "instance"), "{{instance}} replaced"),
            Query(rate("streamer_outbox_refused_messages_total", ALL, "instance"), "{{instance}} refused"),
        ],
        width=8,
    ),
    Panel(
        "What is rejected, and why?",
        "Rejected messages per second, by reason; unrouted ones belong to no stream. The log names each topic and "
        "reason once; the README lists the reasons. See StreamerRejectionsHigh.",
        "cps",
        [
            Query(rate("streamer_rejected_messages_total", STREAM, "stream, reason"), "{{stream}} {{reason}}"),
            Query(rate("streamer_unrouted_messages_total", ALL, "instance"), "{{instance}} unrouted"),
        ],
        width=8,
    ),
]

INPUT = [
    Panel(
        "Do sensors skip samples?",
        "Share of ticks without a sample, which the models bridged. Above a few percent: look for lossy radio, a wrong "
        "interval, or clocks that jump.",
        "percentunit",
        [
            Query(
                f"{rate('streamer_bridged_ticks_total', STREAM, 'stream')} / "
                f"({rate('streamer_bridged_ticks_total', STREAM, 'stream')} + "
                f"{rate('streamer_samples_total', STREAM, 'stream')} > 0)",
                "{{stream}}",
            )
        ],
        width=8,
    ),
    Panel(
        "How many series are there?",
        "Number of series of each stream. If it grows steadily, a topic filter selects more than intended; beyond "
        "streams[].max_series new series are rejected (series_limit).",
        "short",
        [Query(f"streamer_series{{{STREAM}}}", "{{stream}}")],
        width=8,
        decimals=0,
    ),
    Panel(
        "Is the connection stable?",
        "Connections lost and made in five minutes. One now and then is due to the network. One every few seconds "
        "means two daemons with one mqtt.client_id, or a broker that disconnects clients: read its log.",
        "short",
        [
            Query(f"increase(streamer_mqtt_disconnects_total{{{ALL}}}[5m])", "{{instance}} lost"),
            Query(f"increase(streamer_mqtt_connects_total{{{ALL}}}[5m])", "{{instance}} made"),
        ],
        width=8,
    ),
]

LEARNING = [
    Panel(
        "How do trainings end?",
        "Trainings in the last day, by network and result. swapped: the candidate went live; kept: the live network "
        "was as good; any other result is a failure, and the log has the reason. See StreamerRetrainingFails. And why "
        "they were due: first, growth (by retrain.every ticks), or drift (a quarter of the series have larger errors).",
        "short",
        [
            Query(
                f"sum by (stream, model, result) (increase(streamer_retrainings_total{{{STREAM}}}[1d])) > 0",
                "{{stream}} {{model}} {{result}}",
            ),
            Query(
                f"sum by (stream, cause) (increase(streamer_retrainings_due_total{{{STREAM}}}[1d])) > 0",
                "{{stream}} due: {{cause}}",
            ),
        ],
        width=8,
        decimals=0,
    ),
    Panel(
        "What did the gate compare?",
        "Mean absolute error of each network on the held-out part of the buffer at the last training, as a multiple of "
        "that of “nothing will change” on the same truths, the median over series: a candidate goes live if it has a "
        "smaller one than the live network. If a network stays above 1 here, it can learn nothing from the "
        "series, and the mixture forecasts without it.",
        "short",
        [Query(f"streamer_gate_error_ratio{{{STREAM}}}", "{{stream}} {{model}}")],
        steps=[(1, "yellow")],
        decimals=2,
        width=8,
    ),
    Panel(
        "Which versions are live, and since when?",
        "Version of each live network (0: none yet) and its age. An old network is good if trainings end with kept; "
        "without trainings see StreamerModelTooOld.",
        "short",
        [
            Query(f"streamer_model_version{{{STREAM}}}", "version"),
            Query(f"time() - streamer_last_swap_timestamp_seconds{{{STREAM}}}", "age"),
        ],
        kind="table",
        width=8,
        overrides=[{"matcher": {"id": "byName", "options": "age"}, "properties": [{"id": "unit", "value": "s"}]}],
    ),
]

OPERATIONS = dashboard(
    "streamer-operations",
    "Streamer: Operations",
    "Does the daemon keep up, does it lose anything, does it learn, does it fit the machine.",
    VARIABLES,
    [FLOW, LOSS, INPUT, LEARNING, MACHINE, PROCESS, VERSIONS],
)
