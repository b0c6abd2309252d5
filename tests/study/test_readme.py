"""The report names what there is."""

import re
from pathlib import Path

from streamer.study.registry import STUDIES
from streamer.study.rivals import RIVALS
from streamer.study.tasks import tasks

README = Path("streamer/study/README.md").read_text(encoding="utf-8")


def test_every_study_is_reported() -> None:
    """Each study has its command in the report, and no other is named; so has each comparison model."""
    assert set(re.findall(r"`streamer study ([a-z]+)", README)) == {*STUDIES, "all"}
    for name in RIVALS:
        assert f"| {name} |" in README


def test_every_task_has_its_row() -> None:
    """Each memory task, in the sizes of the whole study, is in the table of results."""
    for task in tasks(quick=False):
        assert f"| {task.name}" in README
