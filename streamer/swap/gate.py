"""Candidates in, those that may go live out."""

import math
from collections.abc import Sequence

from streamer.records import Candidate, Kind


def admit(candidate: Candidate) -> bool:
    """Whether a candidate replaces the live network: its E_p on the held-out part of the buffer is the better one.

    With no live network, or one whose error is no number, any candidate with a finite error goes live: it is scored
    against the baselines there.
    """
    live = candidate.e_p_live
    return math.isfinite(candidate.e_p) and (live is None or math.isnan(live) or candidate.e_p < live)


def prefer(candidates: Sequence[Candidate]) -> Kind | None:
    """The network to publish until live scores can tell: the least E_p among live-to-be ones, None if persistence has.

    A candidate that was not admitted stands for the live network of its kind.
    """
    errors = {c.kind: c.e_p if admit(c) else c.e_p_live for c in candidates}
    known: dict[Kind, float] = {kind: e for kind, e in errors.items() if e is not None and math.isfinite(e)}
    if not known:
        return None
    best = min(known, key=lambda kind: known[kind])
    return best if known[best] < min(c.e_p_persistence for c in candidates) else None
