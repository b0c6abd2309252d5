"""The paper's claims (sections 5 and 6): for each, what the study measured and whether the claim held.

A difference counts if it exceeds two standard errors over seeds. E "does not depend" on n if the means differ by less
than 5 %, and "hardly depends" on r if its slope against ln r is below 0.01.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from streamer.paper.grid import KP, Study
from streamer.paper.table import Estimate, Row, by_ratio, error, estimate, networks, slope
from streamer.tools.replay.signals import WAVES

SAME = 0.05
SURE = 2.0
FLAT = 0.01
WAVES_FIRST = next(iter(WAVES))


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of the paper, what was measured for it, and whether it held."""

    text: str
    measured: str
    held: bool


def claims(results: dict[str, Any], study: Study) -> Iterator[Claim]:
    """Every claim that can be checked with the finished parts."""
    done = [n for n in study.n if networks(results, f"traditional {n} ", share=0.0)]
    if len(done) > 1:
        for wave in WAVES:
            yield independence(results, done, wave)
    for n in done:
        for wave in WAVES:
            yield trend(results, n, wave)
    for share, way in ((0.0, "windowed"), (1.0, "carried")):
        yield from lower(results, study, share, way)
    if study.m and f"m {study.m[0]}" in results:
        yield inputs(results, study)
    if "recursions" in results:
        yield same_recursion(results)
    if "equation 13" in results:
        yield holds(results)


def independence(results: dict[str, Any], done: list[int], wave: str) -> Claim:
    """The claim that E of the sine does not depend on n; the same is checked for the trapezoid."""
    text, worst = [], 0.0
    for kp in KP:
        key = f"{wave} {kp}"
        of_n = [by_ratio(networks(results, f"traditional {n} ", share=0.0)) for n in done]
        common = set.intersection(*(set(ratios) for ratios in of_n))
        means = [fmean(error(ratios[r], "windowed", key).mean for r in common) for ratios in of_n]
        worst = max(worst, max(means) / min(means) - 1)
        text.append(f"kp = {kp}: " + ", ".join(f"{n}: {mean:.3f}" for n, mean in zip(done, means, strict=True)))
    return Claim(f"E of the {wave} does not depend on n (traditional, mean over r)", "; ".join(text), worst < SAME)


def trend(results: dict[str, Any], n: int, wave: str) -> Claim:
    """The claim about E as a function of r, for this signal and n."""
    rows = networks(results, f"traditional {n} ", share=0.0)
    slopes = [slope(rows, "windowed", f"{wave} {kp}") for kp in KP]
    says, check = said(wave, n)
    text = "; ".join(
        f"dE/d ln r, kp = {kp}: {found.mean:+.4f} ± {found.error:.4f}" for kp, found in zip(KP, slopes, strict=True)
    )
    return Claim(f"{wave}, n = {n}: {says}", text, all(check(found) for found in slopes))


def said(wave: str, n: int) -> tuple[str, Callable[[Estimate], bool]]:
    """The paper's statement on E as a function of r, and its test on a slope."""
    if n >= 200:
        return "E grows with r", lambda found: found.mean > SURE * found.error
    if wave == "trapezoid":
        return "E falls as r grows", lambda found: found.mean < -SURE * found.error
    return "E hardly depends on r", lambda found: abs(found.mean) < FLAT


def lower(results: dict[str, Any], study: Study, share: float, way: str) -> Iterator[Claim]:
    """The claim that the memoryless network has a lower E than the traditional one of equal n, at every r."""
    n = study.n[0]
    memoryless = networks(results, f"memoryless {n}", share=share)
    pairs = by_ratio(networks(results, f"traditional {n} ", share=share))
    for wave in WAVES:
        text, held = [], True
        for kp in KP:
            gains = [gain(memoryless, some, way, f"{wave} {kp}") for some in pairs.values()]
            sure = sum(found.mean > SURE * found.error for found in gains)
            least = min(gains, key=lambda found: found.mean)
            held &= sure == len(gains)
            text.append(
                f"kp = {kp}: lower for {sure} of {len(gains)} r, by {fmean(found.mean for found in gains):.3f}"
                f" on average, at least by {least}"
            )
        yield Claim(f"{wave}, n = {n}, {way}: memoryless is lower than traditional at every r", "; ".join(text), held)


def gain(memoryless: list[Row], traditional: list[Row], way: str, key: str) -> Estimate:
    """E of the traditional network minus E of the memoryless one, paired by seed."""
    of_seed = {row["seed"]: row[way][key] for row in memoryless}
    return estimate(row[way][key] - of_seed[row["seed"]] for row in traditional)


def inputs(results: dict[str, Any], study: Study) -> Claim:
    """The claim that any m from 20 to 80 serves equally well."""
    n, text, worst = study.n[0], [], 0.0
    for wave in WAVES:
        key = f"{wave} {KP[0]}"
        levels = {m: error(networks(results, f"m {m}"), "windowed", key) for m in study.m if f"m {m}" in results}
        levels[70] = error(networks(results, f"memoryless {n}", share=0.0), "windowed", key)
        worst = max(worst, max(e.mean for e in levels.values()) / min(e.mean for e in levels.values()) - 1)
        text.append(f"{wave} {KP[0]}: " + ", ".join(f"m = {m}: {levels[m].mean:.3f}" for m in sorted(levels)))
    return Claim("memoryless: any m between 20 and 80 does (the paper shows 70)", "; ".join(text), worst < SAME)


def same_recursion(results: dict[str, Any]) -> Claim:
    """The claim that the memoryless recursion stores nothing and has the error of the expanding window."""
    found = results["recursions"]
    key = f"{WAVES_FIRST} {max(KP)}"
    levels = {name: estimate(row[key] for row in some["errors"]).mean for name, some in found.items()}
    text = "; ".join(
        f"{name}: E = {levels[name]:.3f}, {some['stored']:g} stored, {some['microseconds']:.2f} µs"
        for name, some in found.items()
    )
    equal = abs(levels["memoryless"] / levels["expanding"] - 1) < 1e-3
    return Claim("memoryless recursion: the expanding window's error, nothing stored", text, equal)


def holds(results: dict[str, Any]) -> Claim:
    """The claim that eq. (13) holds in a trained traditional network; a residual of 1 is the distance to the mean."""
    rows = [row for row in results["equation 13"] if row["way"] == "as trained"]
    first, every = (estimate(row[key] for row in rows) for key in ("residual", "residuals"))
    text = f"residual over spread: i = 1: {first}; i < k: {every}"
    return Claim("eq. (13) holds in trained traditional networks", text, first.mean < 2 * SAME)
