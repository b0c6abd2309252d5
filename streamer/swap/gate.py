"""Candidates in, those that may go live out, and why, in words."""

import math

from streamer.records import Candidate


def admit(candidate: Candidate) -> bool:
    """Whether a candidate replaces the live network: its E_p on the held-out part of the buffer is the better one.

    With no live network, or one whose error is no number, any candidate with a finite error goes live: there it has no
    weight in the mixture until it has earned it.
    """
    live = candidate.e_p_live
    return math.isfinite(candidate.e_p) and (live is None or math.isnan(live) or candidate.e_p < live)


def verdict(candidate: Candidate) -> str:
    """The errors that were compared, all of the same held-out truths, as a person would say it."""
    naive, live = candidate.e_p_persistence, candidate.e_p_live
    before = "there is no live network" if live is None else f"the live network has {beside(live, naive)}"
    return f"{beside(candidate.e_p, naive)}, {before}; e_p={candidate.e_p:.4f} in scaled units"


def beside(error: float, naive: float) -> str:
    """An error beside that of persistence on the same truths."""
    if not naive:
        return f"an error of {error:.4g}, where 'no change' has none"
    return f"{error / naive:.2f} times the error of 'no change'"
