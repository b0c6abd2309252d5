"""The measurement of the clients runs."""

import pytest

from tests.benchmarks.standin import running
from tests.benchmarks.transport import Case, link, publisher


@pytest.mark.parametrize("five", [False, True])
async def test_the_link_is_measured(five: bool) -> None:
    """Every message of the stand-in is received, and every publish acknowledged, in some time."""
    with running() as port:
        for qos in (0, 1):
            assert await link(Case("receive", qos, five, port)) > 0
            assert await link(Case("publish", qos, five, port)) > 0
        assert await publisher(Case("publish", 1, five, port)) > 0
