"""Candidates in, those that may go live out."""

import math

from streamer.records import Candidate


def admit(candidate: Candidate) -> bool:
    """Whether a candidate replaces the live network: its E_p on the held-out part of the buffer is the better one.

    With no live network, or one whose error is no number, any candidate with a finite error goes live: there it has no
    weight in the mixture until it has earned it.
    """
    live = candidate.e_p_live
    return math.isfinite(candidate.e_p) and (live is None or math.isnan(live) or candidate.e_p < live)
