"""The dashboard *Forecasts*: whether they are good, for which series, how far ahead, and what to do if not."""

from panels import Panel, Query, band, dashboard, stacked, variable
from queries import STREAM

MODEL = f'{STREAM}, model="$model"'
LEAD = f'{STREAM}, lead="$lead"'
ONE = f'{STREAM}, series="$series", element="$element"'
PREDICTED = f'streamer_series_predicted{{{ONE}, model="$model", lead="$lead"}}'
BOUND = f'streamer_series_bound{{{ONE}, lead="$lead"}}'
SHOWN = f'{STREAM}, model=~"mix|persistence|$model"'
SHARES = (
    f"sum by (model) (streamer_mix_weight{{{LEAD}}})"
    f' / scalar(count(streamer_mix_weight{{{LEAD}, model="persistence"}}))'
)

VARIABLES = [
    variable("instance", "Instance", "label_values(streamer_build_info, instance)", several=True),
    variable("stream", "Stream", 'label_values(streamer_series{instance=~"$instance"}, stream)', several=True),
    variable("model", "Model", f"label_values(streamer_forecast_rmse{{{STREAM}}}, model)", chosen="mix"),
    variable("lead", "Lead, in ticks", f"label_values(streamer_forecast_rmse{{{STREAM}}}, lead)"),
    variable("series", "Series", f"label_values(streamer_series_actual{{{STREAM}}}, series)"),
    variable("element", "Element", f'label_values(streamer_series_actual{{{STREAM}, series="$series"}}, element)'),
]


SKILL = f'avg by (job, instance, stream) (streamer_forecast_skill_ratio{{{STREAM}, model="mix"}})'

SUMMARY = [
    Panel(
        "Do the forecasts beat “nothing will change”?",
        "Skill of the mixture, mean over the leads shown and over series: 1 is perfect, 0 is as good as repeating the "
        "newest value, below 0 is worse. Near 0: nothing predicts the series, and the mixture says so. Below 0 for "
        "hours: see StreamerSkillBelowZero in the runbook.",
        "percentunit",
        [Query(SKILL, "{{stream}}")],
        kind="stat",
        width=8,
        height=6,
        base="red",
        steps=[(0, "yellow"), (0.1, "green")],
        decimals=0,
    ),
    Panel(
        "What is published?",
        "Forecasts published per second, by the model that made them: mix with publish.model: best, the default. If "
        "publish.model names a forecaster, mix stands in for it while it has nothing to say.",
        "cps",
        [
            Query(
                f"sum by (stream, model) (rate(streamer_forecasts_total{{{STREAM}}}[$__rate_interval]))",
                "{{stream}} {{model}}",
            )
        ],
        width=8,
        height=6,
    ),
    Panel(
        "Are errors growing?",
        "E_p, the error over all k·p leads, in the unit of the series: of the mixture, of persistence and of the "
        "chosen model. If all rise at once, the signal has changed or become noisier. If a network rises alone, it is "
        "out of date, and the mixture takes its weight away: see the trainings in Operations. Where the series of a "
        "stream have several units, those with the largest numbers decide.",
        "short",
        [Query(f"streamer_forecast_e_p{{{SHOWN}}}", "{{stream}} {{model}}")],
        width=8,
        height=6,
    ),
]

MIXTURE = [
    Panel(
        "Who speaks in the mixture?",
        "Weight of each model in the published forecast at the chosen lead, mean over the chosen streams and their "
        "series. It follows from the live errors, and is the explanation of the forecast. A new network begins at 0. "
        "Persistence alone: no model is better than it at this lead. No action is needed.",
        "percentunit",
        [Query(SHARES, "{{model}}")],
        overrides=stacked(),
        decimals=0,
    ),
    Panel(
        "Who speaks at which lead?",
        "Weight now by model and lead in ticks, those of 5 % and more, mean over the series of each stream. Near leads "
        "usually follow the newest values (linear, persistence), far ones the day and the week. To save time, "
        "streams[].forecasters may leave out models that have had no weight for weeks.",
        "percentunit",
        [Query(f"sort_desc(streamer_mix_weight{{{STREAM}}} >= 0.05)", "{{stream}} +{{lead}} {{model}}")],
        kind="bargauge",
        decimals=0,
    ),
]

ONE_SERIES = [
    Panel(
        "What happened, and what had been predicted for it?",
        "The newest value of one series, what the chosen model had predicted for it `lead` ticks before, and the "
        "outermost bounds that had been published with that forecast (publish.quantiles): with 0.1 and 0.9, two values "
        "in ten should lie outside. If more do for long, see below whether the stream's bands keep their promise. "
        "Empty: set metrics.per_series.",
        "short",
        [
            Query(f"streamer_series_actual{{{ONE}}}", "actual"),
            Query(PREDICTED, "predicted"),
            Query(f"max without (bound) ({BOUND})", "upper"),
            Query(f"min without (bound) ({BOUND})", "lower"),
        ],
        width=24,
        height=10,
        overrides=band("upper", "lower"),
    )
]

BANDS = [
    Panel(
        "Do the bands keep their promise?",
        "Share of values that lay in the band published for them, by level and lead in ticks, mean over series and "
        "over the newest thousand values or so; the line without a lead is what the band promises. Off by a tenth for "
        "hours: see StreamerBandsOff. A band that is wide at the right moments is worth more than one that is wide "
        "always, and may have the same coverage: see its score beside.",
        "percentunit",
        [
            Query(f"streamer_band_coverage_ratio{{{STREAM}}}", "{{stream}} {{level}} +{{lead}}"),
            Query(f"streamer_band_level_ratio{{{STREAM}}}", "{{stream}} {{level}} promised"),
        ],
        decimals=0,
    ),
    Panel(
        "What are the bands worth?",
        "Winkler score of each band by level and lead, relative to the mean error of persistence on the same values: "
        "its width, and what values are outside of it, divided by the share that may be. Of two bands with the same "
        "coverage the better one has the smaller score. If it grows while coverage stays, the series have become "
        "harder to predict, or a forecaster has failed: see “Are errors growing?”.",
        "short",
        [Query(f"streamer_band_winkler_ratio{{{STREAM}}}", "{{stream}} {{level}} +{{lead}}")],
        decimals=2,
    ),
]

LEADS = [
    Panel(
        "How does the error grow with the lead?",
        "RMSE now by lead in ticks, in the unit of the series: of mixture, persistence and chosen model. Use the "
        "forecasts up to the lead whose error you can accept; if that is too near, give the networks a longer window "
        "(model.m) or more data. A model that spoke for a part of the time is compared fairly by its skill alone.",
        "short",
        [Query(f"sort_desc(streamer_forecast_rmse{{{SHOWN}}})", "{{stream}} {{model}} +{{lead}}")],
        kind="bargauge",
        height=10,
    ),
    Panel(
        "What is the typical miss?",
        "Mean absolute error at the chosen lead, in the unit of the series: of the mixture, of persistence and of the "
        "chosen model. It is the figure to tell users of the forecast, and what the mixture makes small. If it is far "
        "below the RMSE, a few large misses dominate: look for steps and outliers.",
        "short",
        [Query(f'streamer_forecast_mae{{{SHOWN}, lead="$lead"}}', "{{stream}} {{model}} +{{lead}}")],
        height=10,
    ),
    Panel(
        "At which lead do forecasts win against persistence?",
        "Skill by lead, of the mixture and of the chosen model: 1 - mean absolute error / that of “nothing will "
        "change” on the same truths, mean over series; above 0 is better. One tick ahead, persistence is hard to beat "
        "on slow signals; that is normal. A model below 0 has little or no weight in the mixture; for the mixture see "
        "StreamerSkillBelowZero.",
        "percentunit",
        [Query(f'streamer_forecast_skill_ratio{{{STREAM}, model=~"mix|$model"}}', "{{stream}} {{model}} +{{lead}}")],
        width=8,
        base="red",
        steps=[(0, "green")],
    ),
    Panel(
        "Are forecasts better than yesterday's values?",
        "Mean absolute error of the mixture and of the chosen model divided by that of the value one day (or other "
        "cycle) before, on the same truths, mean over series; below 1 is better. If it stays above 1 at far leads, "
        "check season and timezone. Empty: the stream has no season, or its first cycle is not over.",
        "short",
        [Query(f'streamer_forecast_mase_ratio{{{STREAM}, model=~"mix|$model"}}', "{{stream}} {{model}} +{{lead}}")],
        width=8,
        steps=[(1, "yellow")],
        decimals=2,
    ),
    Panel(
        "Which of the two networks is better?",
        "Error of the memoryless network divided by that of the traditional one, each as a multiple of persistence's "
        "on the same truths, by lead; below 1 the memoryless one is better. No action is needed: both stay trained "
        "and scored, and the mixture weighs them by their errors.",
        "short",
        [
            Query(
                f'(1 - streamer_forecast_skill_ratio{{{STREAM}, model="memoryless"}}) / ignoring (model) '
                f'(1 - streamer_forecast_skill_ratio{{{STREAM}, model="traditional"}} > 0)',
                "{{stream}} +{{lead}}",
            )
        ],
        width=8,
        steps=[(1, "yellow")],
        decimals=2,
    ),
]

THRESHOLDS = [
    Panel(
        "When is a threshold reached?",
        "Time until the newest forecast crosses a threshold (streams[].thresholds), for the series of each stream that "
        "crosses first, at the earliest and at the latest by its bounds; 0: the newest value is beyond it already. No "
        "line: no forecast crosses; none for the latest: it may be beyond the horizon. The messages on "
        "forecast/…/threshold/… name the series. See StreamerThresholdNear.",
        "s",
        [
            Query(f"streamer_threshold_seconds{{{STREAM}}} < +Inf", "{{stream}} {{threshold}}"),
            Query(f"streamer_threshold_earliest_seconds{{{STREAM}}} < +Inf", "{{stream}} {{threshold}} earliest"),
            Query(f"streamer_threshold_latest_seconds{{{STREAM}}} < +Inf", "{{stream}} {{threshold}} latest"),
        ],
        width=8,
    ),
    Panel(
        "How likely is it that a threshold is reached?",
        "Probability that the likeliest series of each stream is beyond the threshold, at the lead where it is "
        "greatest, by the bounds of the forecast; 1: it is beyond already. Otherwise it is at most what the outermost "
        "bounds can tell, 0.9 with the default quantiles. To be told at a probability, set `at` of the threshold.",
        "percentunit",
        [Query(f"streamer_threshold_probability_ratio{{{STREAM}}}", "{{stream}} {{threshold}}")],
        width=8,
        decimals=0,
    ),
    Panel(
        "How many series are about to cross a threshold?",
        "Series whose newest forecast crosses the threshold, or that are beyond it already. Many at once have a common "
        "cause. A series without new samples keeps its last state.",
        "short",
        [Query(f"streamer_threshold_series{{{STREAM}}}", "{{stream}} {{threshold}}")],
        width=8,
        decimals=0,
    ),
]

SURPRISES = [
    Panel(
        "Which series behave unexpectedly?",
        "The ten series whose newest values lie furthest from the middle of the band that was published one tick "
        "before, among those that metrics.per_series shows: 1 is at its bounds, beyond is outside. Two values in ten "
        "are outside with the default quantiles; a series that stays far outside has changed, or its sensor has. What "
        "stays as it is becomes expected.",
        "short",
        [Query(f"topk(10, abs(streamer_series_surprise{{{STREAM}}}))", "{{stream}} {{series}}")],
        steps=[(1, "yellow")],
        decimals=1,
    ),
    Panel(
        "How many series are outside their bands?",
        "Series that are announced on forecast/…/surprise, as several values in a row were outside their bands "
        "(streams[].surprise). Many at once have a common cause: a process that was switched, a gateway that is wrong. "
        "Empty: no stream asks for it.",
        "short",
        [Query(f"streamer_surprised_series{{{STREAM}}}", "{{stream}}")],
        decimals=0,
    ),
]

ERROR = f'streamer_series_rmse{{{LEAD}, model="$model"}}'
LEAST = f'bottomk(10, sum without (model) (streamer_series_skill_ratio{{{LEAD}, model="$model"}}))'
WORST = [
    Panel(
        "Which series are forecast worst?",
        "The ten series with the least skill of the chosen model at the chosen lead, among those that "
        "metrics.per_series shows. A stuck or noisy sensor is the usual cause: see its curve above. A series that "
        "differs from the others of its stream should have a stream of its own.",
        "short",
        [
            Query(LEAST, "skill"),
            Query(f"sum without (model) ({ERROR}) and {LEAST}", "RMSE"),
        ],
        kind="table",
        width=24,
        height=9,
        decimals=3,
    )
]

FORECASTS = dashboard(
    "streamer-forecasts",
    "Streamer: Forecasts",
    "Are the forecasts good, for which series, how far ahead, and what to do if they are not.",
    VARIABLES,
    [SUMMARY, MIXTURE, ONE_SERIES, BANDS, SURPRISES, THRESHOLDS, LEADS[:2], LEADS[2:], WORST],
)
