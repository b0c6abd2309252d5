"""The dashboard *Forecasts*: whether they are good, for which series, how far ahead, and what to do if not."""

from panels import Panel, Query, band, dashboard, variable
from queries import STREAM

MODEL = f'{STREAM}, model="$model"'
LEAD = f'{STREAM}, lead="$lead"'
ONE = f'{STREAM}, series="$series", element="$element"'
PREDICTED = f'streamer_series_predicted{{{ONE}, model="$model", lead="$lead"}}'
SPREAD = (
    "on (job, instance, stream, series, model, lead) group_left () "
    f'(2 * streamer_series_rmse{{{MODEL}, series="$series", lead="$lead"}})'
)
KINDS = 'model=~"memoryless|traditional"'

VARIABLES = [
    variable("instance", "Instance", "label_values(streamer_build_info, instance)", several=True),
    variable("stream", "Stream", 'label_values(streamer_series{instance=~"$instance"}, stream)', several=True),
    variable("model", "Model", f"label_values(streamer_forecast_rmse{{{STREAM}}}, model)"),
    variable("lead", "Lead, in ticks", f"label_values(streamer_forecast_rmse{{{STREAM}}}, lead)"),
    variable("series", "Series", f"label_values(streamer_series_actual{{{STREAM}}}, series)"),
    variable("element", "Element", f'label_values(streamer_series_actual{{{STREAM}, series="$series"}}, element)'),
]


def skill(metric: str, selector: str, by: str) -> str:
    """The expression 1 - error / error of persistence, both matched by these labels."""
    naive = f'{metric}{{{selector}, model="persistence"}}'
    return f"1 - {metric}{{{selector}, {KINDS}}} / on ({by}) group_left () ({naive} > 0)"


SUMMARY = [
    Panel(
        "Do the networks beat “nothing will change”?",
        "Skill over the whole horizon: 1 is perfect, 0 is as good as repeating the newest value, below 0 is worse. "
        "Empty before the first training. Below 0 for hours: see StreamerSkillBelowZero in the runbook.",
        "percentunit",
        [Query(skill("streamer_forecast_e_p", STREAM, "job, instance, stream"), "{{stream}} {{model}}")],
        kind="stat",
        width=8,
        height=6,
        base="red",
        steps=[(0, "yellow"), (0.1, "green")],
        decimals=0,
    ),
    Panel(
        "Which model is published?",
        "Forecasts published per second, by the model that made them. With publish.model: best, each series has the "
        "model with the least live error; if most have a baseline, the networks are not better than it.",
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
        "E_p, the error over all k·p leads, in the units of the series. If all models rise at once, the signal has "
        "changed or become noisier. If the networks rise alone, they are out of date: see the trainings in Operations.",
        "short",
        [Query(f"streamer_forecast_e_p{{{STREAM}}}", "{{stream}} {{model}}")],
        width=8,
        height=6,
    ),
]

ONE_SERIES = [
    Panel(
        "What happened, and what had been predicted for it?",
        "The newest value of one series, what the chosen model had predicted for it `lead` ticks before, and a band of "
        "two RMSE around that: about one value in twenty should lie outside. Empty: set metrics.per_series.",
        "short",
        [
            Query(f"streamer_series_actual{{{ONE}}}", "actual"),
            Query(PREDICTED, "predicted"),
            Query(f"{PREDICTED} + {SPREAD}", "upper"),
            Query(f"{PREDICTED} - {SPREAD}", "lower"),
        ],
        width=24,
        height=10,
        overrides=band("upper", "lower"),
    )
]

LEADS = [
    Panel(
        "How does the error grow with the lead?",
        "RMSE now, by model and lead in ticks, in the units of the series. Use forecasts up to the lead whose error "
        "you can accept; if that is too near, give the networks a longer window (model.m) or more data.",
        "short",
        [Query(f"sort_desc(streamer_forecast_rmse{{{STREAM}}})", "{{stream}} {{model}} +{{lead}}")],
        kind="bargauge",
        height=10,
    ),
    Panel(
        "What is the typical miss?",
        "Mean absolute error by model at the chosen lead, in the units of the series: the figure to tell users of the "
        "forecast. If it is far below the RMSE, a few large misses dominate: look for steps and outliers.",
        "short",
        [Query(f"streamer_forecast_mae{{{LEAD}}}", "{{stream}} {{model}} +{{lead}}")],
        height=10,
    ),
    Panel(
        "At which lead do forecasts win against persistence?",
        "Skill by model and lead; above 0 is better than “nothing will change”. One tick ahead, persistence is hard to "
        "beat on slow signals; that is normal. Below 0 at long leads: the networks are out of date, or cannot learn "
        "the signal.",
        "percentunit",
        [Query(f'streamer_forecast_skill_ratio{{{STREAM}, model!="persistence"}}', "{{stream}} {{model}} +{{lead}}")],
        base="red",
        steps=[(0, "green")],
    ),
    Panel(
        "Which of the two networks is better?",
        "Error of the memoryless network divided by that of the traditional one, by lead; below 1 the memoryless one "
        "is better. No action is needed, as both stay trained and scored. Far from 1 for weeks: publish.model may name "
        "the better one.",
        "short",
        [
            Query(
                f'streamer_forecast_rmse{{{STREAM}, model="memoryless"}} / ignoring (model) '
                f'(streamer_forecast_rmse{{{STREAM}, model="traditional"}} > 0)',
                "{{stream}} +{{lead}}",
            )
        ],
        steps=[(1, "yellow")],
        decimals=2,
    ),
]

THRESHOLDS = [
    Panel(
        "When is a threshold reached?",
        "Time until the newest forecast crosses a threshold (streams[].thresholds), for the series of each stream that "
        "crosses first; 0: the newest value is beyond it already. No line: no forecast crosses. The messages on "
        "forecast/…/threshold/… name the series. See StreamerThresholdNear.",
        "s",
        [Query(f"streamer_threshold_seconds{{{STREAM}}} < +Inf", "{{stream}} {{threshold}}")],
    ),
    Panel(
        "How many series are about to cross a threshold?",
        "Series whose newest forecast crosses the threshold, or that are beyond it already. Many at once have a common "
        "cause. A series without new samples keeps its last state.",
        "short",
        [Query(f"streamer_threshold_series{{{STREAM}}}", "{{stream}} {{threshold}}")],
        decimals=0,
    ),
]

ERROR = f'streamer_series_rmse{{{LEAD}, model="$model"}}'
NAIVE = f'(streamer_series_rmse{{{LEAD}, model="persistence"}} > 0)'
LEAST = f"bottomk(10, 1 - {ERROR} / ignoring (model) {NAIVE})"
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
    [SUMMARY, ONE_SERIES, THRESHOLDS, LEADS[:2], LEADS[2:], WORST],
)
