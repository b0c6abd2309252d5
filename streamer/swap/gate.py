"""Candidates in, those that may go live out, and why, in words."""

import math

from streamer.records import Candidate, Errors


def admit(candidate: Candidate) -> bool:
    """Whether a candidate replaces the live network: beside persistence, its error on the median series is smaller.

    With no live network, or one whose error is no number, any candidate with a finite E_p goes live: there it has no
    weight in the mixture until it has earned it.
    """
    own, live = candidate.errors, candidate.live
    if not math.isfinite(own.e_p):
        return False
    return live is None or math.isnan(live.e_p) or own.ratio < live.ratio


def verdict(candidate: Candidate) -> str:
    """The errors that were compared, all of the same held-out truths, as a person would say it."""
    own, live = candidate.errors, candidate.live
    before = "there is no live network" if live is None else f"the live network has {beside(live)}"
    return f"{beside(own)} on the median series, {before}; e_p={own.e_p:.4f} in scaled units"


def beside(errors: Errors) -> str:
    """An error beside that of persistence on the same truths."""
    if math.isinf(errors.ratio):
        return f"an error of {errors.e_p:.4g}, where 'no change' has none"
    return f"{errors.ratio:.2f} times the error of 'no change'"
