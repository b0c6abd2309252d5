"""The OpenAPI document as a stranger reads it: schemathesis asks whatever the document allows, and what it does not."""

import asyncio
import math
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.observe.site import got, looked_at
from tests.streams import fast_lane, feed, message, sample, timed

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance
EXAMPLES = 25
"""Requests of each operation, in each mode."""


def asked(document: dict[str, Any], url: str) -> set[str]:
    """Ask every operation but the endless one, rightly and wrongly; the paths that were asked."""
    seen = set()
    schema = schemathesis.openapi.from_dict(document).exclude(path="/api/v1/events")
    for made in schema.get_all_operations():
        operation = made.ok()
        for mode in schemathesis.GenerationMode:
            if mode.is_negative and not [*operation.iter_parameters()]:
                continue

            @hypothesis.settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=[*hypothesis.HealthCheck],
            )
            @hypothesis.given(operation.as_strategy(generation_mode=mode))
            def ask(case: Any) -> None:
                case.call_and_validate(base_url=url, checks=CHECKS, timeout=10)

            ask()
            seen.add(operation.path)
    return seen


async def test_the_document_says_all_that_is_answered(tmp_path: Path) -> None:
    """Whatever is asked, there is no answer of the 500s, none of a status or a type that the document lacks, and none
    that does not fit its schema."""
    fast = fast_lane(tmp_path, timed(max_ahead=None, thresholds=[{"name": "hot", "above": 1.5}]))
    for t in range(60):
        feed(fast, [sample(f"plant/{name}", t, math.sin(t / 5)) for name in "ab"])
    feed(fast, [message("plant/a", b"?")])
    with looked_at(fast, tmp_path) as url:
        document = (await got(f"{url}/api/v1/openapi.json")).json
        seen = await asyncio.to_thread(asked, document, url)
    fast.journal.close()
    assert seen == set(document["paths"]) - {"/api/v1/events"}
