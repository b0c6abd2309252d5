"""What Prometheus is told, checked by Prometheus's own tool and against what happened."""

import asyncio
import math
import re
import shutil
import time
import urllib.error
import urllib.request
from asyncio.subprocess import PIPE, STDOUT
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streamer.config import Mqtt
from streamer.errors import StartError
from streamer.lanes.fast import FastLane
from streamer.mqtt.link import Link
from streamer.observe.http import serve
from streamer.observe.metrics import RESULTS, Readings, registry
from streamer.observe.site import site
from streamer.stream.schedule import CAUSES
from tests.broker import free_port, program
from tests.streams import fast_lane, feed, message, sample, timed, untimed

SOURCES = list(Path("streamer").rglob("*.py"))
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[FastLane]:
    made = fast_lane(tmp_path, timed())
    yield made
    made.journal.close()


async def text(fast: FastLane, per_series: int = 0) -> str:
    link = Link(Mqtt(url="mqtt://localhost"), [])
    return generate_latest(registry(Readings(fast, link, Counter(), per_series))).decode()


def values(exposed: str) -> Values:
    families = text_string_to_metric_families(exposed)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def labels(**pairs: str) -> frozenset[tuple[str, str]]:
    return frozenset({"stream": "plant", **pairs}.items())


async def test_metrics_tell_what_happened(fast: FastLane) -> None:
    """Samples, rejections by reason, forecasts, RMSE and skill by lead are those of the messages that went through."""
    feed(fast, [sample("plant/a", t, t) for t in range(20)])
    feed(fast, [message("plant/a", b"?"), sample("plant/a", 0, 1), sample("plant/a", 19, 1)])
    got = values(await text(fast, per_series=5))
    assert got["streamer_samples_total", labels()] == 20
    assert got["streamer_outliers_total", labels()] == 0
    assert got["streamer_mix_weight", labels(model="persistence", lead="1")] == 1
    assert got["streamer_forecasts_total", labels(model="mix")] == 19
    for reason in ("syntax", "late", "duplicate"):
        assert got["streamer_rejected_messages_total", labels(reason=reason)] == 1
    assert got["streamer_sample_to_forecast_seconds_count", labels()] == 19
    for lead in (1, 3, 6):
        assert got["streamer_forecast_rmse", labels(model="persistence", lead=str(lead))] == pytest.approx(lead)
        assert got["streamer_forecast_mae", labels(model="persistence", lead=str(lead))] == pytest.approx(lead)
        assert got["streamer_forecast_skill_ratio", labels(model="persistence", lead=str(lead))] == 0
        one = labels(series="plant/a", element="0", model="persistence", lead=str(lead))
        assert got["streamer_series_predicted", one] == 19 - lead
        each = labels(series="plant/a", model="persistence", lead=str(lead))
        assert got["streamer_series_rmse", each] == pytest.approx(lead)
        assert got["streamer_series_skill_ratio", each] == 0
    e_p = np.sqrt(np.mean(np.square(np.arange(1, 7))))
    assert got["streamer_forecast_e_p", labels(model="persistence")] == pytest.approx(e_p, rel=0.01)
    assert got["streamer_series_actual", labels(series="plant/a", element="0")] == 19


async def test_skill_and_mase_have_no_unit(tmp_path: Path) -> None:
    """On ramps of any slope, persistence is off by the lead, and the value one cycle of two ticks before by 2, 4 and 6
    at leads of 1, 3 and 6: their ratio is the stream's, be its series in volts or in millivolts."""
    fast = fast_lane(tmp_path, timed(season=(2,), forecasters=["last-2"]))
    feed(fast, [sample(f"plant/{slope}", t, slope * t) for t in range(40) for slope in (1, 1000)])
    got = values(await text(fast, per_series=1))
    for lead, ratio in ((1, 1 / 2), (3, 3 / 4), (6, 1)):
        at = {"lead": str(lead)}
        assert got["streamer_forecast_mase_ratio", labels(model="persistence", **at)] == pytest.approx(ratio)
        assert got["streamer_forecast_mase_ratio", labels(model="last-2", **at)] == 1
        assert got["streamer_forecast_skill_ratio", labels(model="last-2", **at)] == pytest.approx(1 - 1 / ratio)
        one = labels(series="plant/1", model="last-2", **at)
        assert got["streamer_series_skill_ratio", one] == pytest.approx(1 - 1 / ratio)
    assert not any(name == "streamer_series_skill_ratio" and labels(series="plant/1000") <= key for name, key in got)
    fast.journal.close()


async def test_bands_by_lead_and_level(tmp_path: Path) -> None:
    """The share of values in their bands is shown beside what the band promises, never without its Winkler score; and
    nothing of a stream without bands."""
    fast = fast_lane(tmp_path, timed(season=None, publish={"quantiles": [0.25, 0.75]}))
    rng = np.random.default_rng(1)
    feed(fast, [sample("plant/a", t, x) for t, x in enumerate(rng.normal(size=400).tolist())])
    got = values(await text(fast))
    assert got["streamer_band_level_ratio", labels(level="0.5")] == 0.5
    for lead in (1, 3, 6):
        at = labels(lead=str(lead), level="0.5")
        assert got["streamer_band_coverage_ratio", at] == pytest.approx(0.5, abs=0.08)
        assert 0.5 < got["streamer_band_width_ratio", at] < got["streamer_band_winkler_ratio", at] < 5
        for quantile in ("0.25", "0.75"):
            assert 0.1 < got["streamer_band_pinball_ratio", labels(lead=str(lead), bound=quantile)] < 0.5
    fast.journal.close()
    without = fast_lane(tmp_path / "without", timed(publish={"quantiles": []}))
    assert not any(name.startswith("streamer_band") for name, _ in values(await text(without)))
    without.journal.close()


async def test_bounds_of_a_series(tmp_path: Path) -> None:
    """The bounds of single series are those that were published for the newest value, as many ticks before as said; its
    surprise is where it lay between those of the tick before. Announcements are counted where they are configured."""
    fast = fast_lane(tmp_path, timed(publish={"quantiles": [0.2, 0.7]}, surprise={"in_a_row": 1}))
    rng = np.random.default_rng(1)
    out = [one for t in range(30) for one in feed(fast, [sample("plant/a", t, rng.normal())])]
    got = values(await text(fast, per_series=1))
    for lead in (1, 3, 6):
        published = [one for one in out if "quantiles" in one][-1 - lead]["quantiles"]
        for bound, curve in published.items():
            key = labels(series="plant/a", element="0", lead=str(lead), bound=bound)
            assert got["streamer_series_bound", key] == pytest.approx(curve[lead - 1], abs=2e-3)
    low, high = (
        got["streamer_series_bound", labels(series="plant/a", element="0", lead="1", bound=q)] for q in ("0.2", "0.7")
    )
    newest = got["streamer_series_actual", labels(series="plant/a", element="0")]
    assert got["streamer_series_surprise", labels(series="plant/a")] == pytest.approx(
        (2 * newest - low - high) / (high - low), rel=1e-4
    )
    announced = [one for one in out if one["topic"].endswith("/surprise") and one["in_a_row"]]
    assert got["streamer_surprises_total", labels()] == len(announced) > 0
    assert got["streamer_surprised_series", labels()] in (0, 1)
    fast.journal.close()
    without = fast_lane(tmp_path / "without", timed(publish={"quantiles": [0.5]}))
    feed(without, [sample("plant/a", t, t) for t in range(5)])
    got = values(await text(without, per_series=1))
    assert not any("surprise" in name for name, _ in got)
    without.journal.close()


async def test_series_of_a_message_by_name_and_label(tmp_path: Path) -> None:
    """Series that share a message are told apart by their names, their labels are a gauge of 1 beside, and a message
    that holds none is counted."""
    form = {"format": "json", "fields": "*"}
    fast = fast_lane(tmp_path, untimed(topics=["plant/{machine}"], payload=form))
    feed(fast, [message("plant/press", b'{"a": 1, "b": 2}'), message("plant/press", b'{"c": "on"}')])
    got = values(await text(fast, per_series=5))
    assert got["streamer_series_actual", labels(series="plant/press/a", element="0")] == 1
    assert got["streamer_series_actual", labels(series="plant/press/b", element="0")] == 2
    for name in ("plant/press/a", "plant/press/b"):
        assert got["streamer_series_label", labels(series=name, name="machine", value="press")] == 1
    assert got["streamer_ignored_messages_total", labels()] == 1
    assert not any(name == "streamer_series_label" for name, _ in values(await text(fast)))
    fast.journal.close()


async def test_thresholds_by_stream_and_series(tmp_path: Path) -> None:
    """The stream's times are those of its soonest series, and infinite where none crosses; its probability is that of
    the likeliest; series that cross are counted, and single ones shown where they are asked for."""
    thresholds = [{"name": "hot", "above": 50.0}, {"name": "cold", "below": -50.0}]
    fast = fast_lane(tmp_path, untimed(payload={"format": "json", "time": "time"}, thresholds=thresholds))
    feed(fast, [sample(f"plant/{i}", 10.0 * t, 0.0) for t in range(3) for i in range(3)])
    crossings = fast.streams[0].outlet.thresholds
    assert crossings
    crossings.lead[:3] = [[3.0, math.nan], [0.5, math.inf], [math.inf, math.nan]]
    crossings.earliest[:3, 0], crossings.latest[:3, 0] = [2.0, 0.4, math.inf], [math.inf, 1.0, math.inf]
    crossings.probability[:3] = [[0.6, 0.0], [0.8, 0.1], [0.3, 0.0]]
    got = values(await text(fast, per_series=2))
    assert got["streamer_threshold_seconds", labels(threshold="hot")] == 5.0
    assert got["streamer_threshold_series", labels(threshold="hot")] == 2
    assert got["streamer_threshold_seconds", labels(threshold="cold")] == math.inf
    assert got["streamer_threshold_series", labels(threshold="cold")] == 0
    for end, most in (("earliest_seconds", 4.0), ("latest_seconds", 10.0), ("probability_ratio", 0.8)):
        assert got[f"streamer_threshold_{end}", labels(threshold="hot")] == most
    assert got["streamer_series_threshold_probability_ratio", labels(series="plant/0", threshold="hot")] == 0.6
    assert got["streamer_series_threshold_latest_seconds", labels(series="plant/0", threshold="hot")] == math.inf
    single = {key[1]: value for key, value in got.items() if key[0] == "streamer_series_threshold_seconds"}
    assert single == {
        labels(series="plant/0", threshold="hot"): 30.0,
        labels(series="plant/1", threshold="hot"): 5.0,
        labels(series="plant/0", threshold="cold"): math.inf,
        labels(series="plant/1", threshold="cold"): math.inf,
    }
    fast.journal.close()


async def test_the_soonest_series_are_named(tmp_path: Path) -> None:
    """Of nine series of which seven cross, the five that do so soonest are named, and none where none crosses."""
    thresholds = [{"name": "hot", "above": 50.0}, {"name": "cold", "below": -50.0}]
    fast = fast_lane(tmp_path, untimed(payload={"format": "json", "time": "time"}, thresholds=thresholds))
    feed(fast, [sample(f"plant/{i}", 10.0 * t, 0.0) for t in range(3) for i in range(9)])
    crossings = fast.streams[0].outlet.thresholds
    assert crossings
    crossings.lead[:9] = [[math.inf, math.nan], *([9.0 - i, math.inf] for i in range(7)), [math.nan, math.inf]]
    named = {key[1]: seconds for key, seconds in values(await text(fast)).items() if "soonest" in key[0]}
    assert named == {labels(series=f"plant/{i + 1}", threshold="hot"): 10 * (9.0 - i) for i in range(2, 7)}
    fast.journal.close()


async def test_a_threshold_is_shown_before_any_series(tmp_path: Path) -> None:
    """A threshold is shown from the start: one that is misspelt in a rule is seen to be missing. How sure a crossing is
    is shown where there are bounds alone."""
    fast = fast_lane(tmp_path, timed(thresholds=[{"name": "hot", "above": 50.0}]))
    got = values(await text(fast))
    assert got["streamer_threshold_seconds", labels(threshold="hot")] == math.inf
    assert got["streamer_threshold_probability_ratio", labels(threshold="hot")] == 0
    fast.journal.close()
    without = fast_lane(
        tmp_path / "without", timed(thresholds=[{"name": "hot", "above": 50.0}], publish={"quantiles": []})
    )
    got = values(await text(without))
    assert {name for name, _ in got if "threshold" in name} == {
        "streamer_threshold_seconds",
        "streamer_threshold_series",
    }
    without.journal.close()


def journal_bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.glob("journal.sqlite3*") if path.suffix != ".sqlite3-shm")


async def test_the_disk_is_shown_as_it_is(fast: FastLane, tmp_path: Path) -> None:
    """Journal size is that of its files, the last commit is now, and free space is what the file system has."""
    before = time.time()
    feed(fast, [sample("plant/a", t, t) for t in range(20)])
    got = values(await text(fast))
    nothing: frozenset[tuple[str, str]] = frozenset()
    assert got["streamer_journal_size_bytes", nothing] == journal_bytes(tmp_path) > 0
    assert before - 1 <= got["streamer_journal_last_commit_timestamp_seconds", nothing] <= time.time() + 1
    assert got["streamer_journal_blocked", nothing] == got["streamer_journal_set_aside", nothing] == 0
    assert 0 < got["streamer_state_free_bytes", nothing] < got["streamer_state_capacity_bytes", nothing]


async def test_a_scrape_outlives_the_state_directory(fast: FastLane, tmp_path: Path) -> None:
    """Where the directory is gone there are no bytes to tell of, and everything else is told."""
    shutil.rmtree(tmp_path)
    got = values(await text(fast))
    assert got["streamer_journal_size_bytes", frozenset()] == 0
    assert ("streamer_state_free_bytes", frozenset()) not in got
    assert got["streamer_mqtt_connected", frozenset()] == 0


async def test_limits_and_results_are_there_before_anything_happens(fast: FastLane) -> None:
    """Queue limits are those of the configuration, and every result of a retraining starts at 0: a rate sees the first
    failure."""
    got = values(await text(fast))
    limits = Mqtt(url="mqtt://localhost")
    assert got["streamer_queue_limit_messages", frozenset()] == limits.queue
    assert got["streamer_outbox_limit_messages", frozenset()] == limits.outbox
    assert got["streamer_retrain_every_ticks", labels()] == fast.streams[0].config.retrain.every
    assert got["streamer_retrainings_total", labels(model="memoryless", result="timeout")] == 0
    assert [got["streamer_retrainings_due_total", labels(cause=cause)] for cause in CAUSES] == [0] * len(CAUSES)
    sources = [path.read_text(encoding="utf-8") for path in SOURCES]
    reasons = set(re.findall(r'TrainingFailed\(\s*"(\w+)"', "\n".join(sources)))
    assert len(reasons) > 3
    assert reasons <= set(RESULTS)


async def test_promtool_finds_nothing_to_say(fast: FastLane) -> None:
    """`promtool check metrics` is silent about names, units and help texts."""
    promtool = program("promtool", "prometheus")
    feed(fast, [sample("plant/a", t, t) for t in range(20)] + [message("plant/a", b"?")])
    exposed = await text(fast, per_series=5)
    pipes = {"stdin": PIPE, "stdout": PIPE, "stderr": STDOUT}
    checked = await asyncio.create_subprocess_exec(promtool, "check", "metrics", **pipes)  # type: ignore[arg-type]
    said, _ = await checked.communicate(exposed.encode())
    assert (checked.returncode, said.decode()) == (0, "")


async def test_http_serves_metrics_and_health(fast: FastLane) -> None:
    """/metrics is the exposition, /healthz and /readyz are 200 or 503 with the reason, anything else 404."""
    link = Link(Mqtt(url="mqtt://localhost"), [])
    wrong: list[str] = []
    made = registry(Readings(fast, link, Counter(), 0))
    with serve("127.0.0.1", 0, site(made, lambda: None, lambda: wrong[0] if wrong else None)) as port:

        def get(path: str) -> tuple[int, str]:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read().decode()

        assert get("/healthz") == (200, "ok\n")
        assert get("/readyz") == (200, "ok\n")
        wrong.append("not connected")
        assert get("/readyz") == (503, "not connected\n")
        assert get("/")[0] == 404
        status, body = get("/metrics")
        assert status == 200
        assert "streamer_mqtt_connected 0.0" in body
        assert "process_resident_memory_bytes" in body


def test_a_taken_port_is_a_start_error() -> None:
    """A port in use is named with the key to change."""
    port, nothing = free_port(), CollectorRegistry()
    with (
        serve("127.0.0.1", port, site(nothing, lambda: None, lambda: None)),
        pytest.raises(StartError, match=f"127.0.0.1:{port} .* set metrics.host and metrics.port"),
        serve("127.0.0.1", port, site(nothing, lambda: None, lambda: None)),
    ):
        pass
