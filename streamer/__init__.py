"""Streamer: a daemon that forecasts live sensor series.

Fast lane, once per batch of waiting messages (lanes/fast.py drives it, stream/state.py is one stream of it):

    broker ─ mqtt ─▶ ingest ─▶ store.journal ─▶ forecast (score ▸ step ▸ mix ▸ bands) ─▶ publish ─ mqtt ─▶ broker
           (decode ▸ gather ▸ grid) │                  └▶ observe ─▶ Prometheus, page, API
    Slow lane, once per retraining  ▼
    (lanes/slow.py)              train (a process of its own) ─▶ swap.gate ─▶ swap.promote ─▶ the stream's panel

All arrays with a row per series come from `StreamState.parts()`, which growth, snapshots and resume use. Where a new
thing goes:

    a forecaster            its file in forecast/, a line in forecast/registry.py
    a payload format        config/payload.py, ingest/decode.py or ingest/multiseries.py
    a cell                  its file in models/cells/, a line in CELLS there, its name in records.py
    a field of the message  publish/encode.py, called from publish/outlet.py
    what bands depend on    forecast/tracks.py; they are carried by ForecastBatch (records.py)
    a metric                observe/metrics.py
    an answer of the API    observe/answers.py, observe/views.py; on the page, page/
    readings within a tick  ingest/gather.py, ingest/aggregate.py, ingest/counter.py; lanes/gathering.py drives them
    samples on ticks        ingest/grid.py, ingest/ticks.py
    a study                 a file in study/ and a line in study/registry.py
    what else is known      ingest/covariates.py, ingest/outlook.py; forecast/covariates.py, forecast/effects.py
    a command               a file in cli/ and a line in COMMANDS; what it does, in tools/
    when to train           stream/schedule.py
    which network goes live swap/gate.py
    a transport             mqtt/ is the only one: its Link hands over MessageBatch and takes Outgoing (records.py)

app.py starts and stops both lanes; resume/ brings a stream back after a stop or a crash; tools/ is what runs beside the
daemon; cli/ is what users type; client/ is for other programs, and imports nothing else; paper/ reproduces the paper;
study/ compares the networks with others, and cells with each other.

Glossary, each word with one meaning:

    stream        an entry of `streams` in the configuration, and StreamState, all that the daemon holds of it
    series        one topic of a stream, or one part of its multiseries messages
    part          the name of one series within a multiseries message (`Series.part`)
    Part          state of a stream in arrays with a row per series (part.py)
    reading       values with a time as a message gives them, before they are a sample or part of one
    gather        to make the readings of a tick one sample (`aggregate`), or those of a counter what was counted
                  (`difference`); a tick is open until it closes, and its sample is there
    sample        accepted values with a time; tick: a place on the time grid of a series, measured, missing (and then
                  bridged by predictions), or filled with the last value
    batch         messages that were waiting at once (MessageBatch); tick batch: at most one tick of each series
    lead          how many ticks ahead; horizon: k·p leads, the length of a forecast (letters: records.Sizes)
    forecaster    whatever forecasts all series of a stream; model: its name in messages, metrics and on the axis M
    network       a trained torch model, of a kind: memoryless or traditional
    covariate     what messages say of ticks, beside the values of the series: known for ticks to come, or observed now
    outlook       what is known of the covariates of a series at the tick it stands at, and ahead of it
    known inputs  what a network is told of a tick that is to come: where it lies in the day and the week, covariates
    panel         the forecasters of a stream, their scores, and the mixture of them that is published
    reference     a forecaster that all models are compared with: persistence, and the value of one cycle before
    jump          a value far outside that stays, with which what was learned of a series moves along; a series that has
                  jumped and not returned is away
    surprise      where a value lay in the band that was forecast for it one tick before
    quantile      a share of the truths, which is to lie below a bound; band: all bounds of a forecast
    skill         1 - mean absolute error / that of persistence, on the truths that both had predicted
    drift         errors of the mixture that have become larger than they were after the newest outcome
    outcome       what came of a training, with a version; candidate: a network that was just trained
    gate          the rule that admits a candidate; swap: admitted networks go live
    promotion     warming the states of candidates, catching up with new samples, and the swap
    journal       the SQLite file of samples and outcomes; snapshot: a file with all states of a stream
    resume        from snapshot and journal to the stream as it was
    forget        to delete all that is known of a series, here and at the broker
    claim         a topic that a series publishes on, and no second one may
    slot          a part of a season that has usual values of its own; of `publish.shape`, the interval of a value
    diary         what is remembered of each training since the start
    link          the connection to the broker, over reconnects; outbox: messages that wait for the broker
"""
