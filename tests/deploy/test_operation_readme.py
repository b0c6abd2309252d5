"""What deploy/README.md tells an operator to type and to set, held against the code."""

import re
import subprocess
import sys
from pathlib import Path

from streamer.config.loader import reference
from streamer.store.database import FILE
from streamer.store.journal import Journal
from tests.deploy.dashboards import FILES, load
from tests.deploy.prometheus import DEPLOY
from tests.streams import fast_lane, feed, sample, timed

TEXT = (DEPLOY / "README.md").read_text(encoding="utf-8")
PANELS = {panel["title"] for file in FILES for panel in load(file)["panels"]}


def test_a_backup_beside_the_daemon_is_the_journal(tmp_path: Path) -> None:
    """The command of the README copies an open journal, uncommitted to its file as it may be, and a daemon takes the
    copy for its own."""
    found = re.search(r"<<'END'\n(.*?)END\n", TEXT, re.DOTALL)
    assert found
    stream = timed()
    fast = fast_lane(tmp_path / "state", stream)
    feed(fast, [sample("plant/a", t, t) for t in range(20)])
    (tmp_path / "restored").mkdir()
    copy = tmp_path / "restored" / FILE
    command = [sys.executable, "-", str(tmp_path / "state" / FILE), str(copy)]
    subprocess.run(command, input=found.group(1), text=True, check=True, timeout=60)
    source, known = fast.streams[0].source, fast.journal.series(fast.streams[0].source)
    fast.journal.close()
    restored = Journal.open(tmp_path / "restored")
    assert restored.series(source) == known
    assert [row.tick for row in known] == [19]
    restored.close()


def test_keys_that_are_named_exist() -> None:
    """Every configuration key in the README is one of the reference."""
    keys = set(re.findall(r"(\w+):", reference()))
    named = re.findall(r"`(?:mqtt|training|state|metrics|retrain|publish|model|payload)(?:\.\w+)+", TEXT)
    assert len(named) > 15
    for name in named:
        assert set(name[1:].split(".")) <= keys, name


def test_panels_and_files_that_are_named_exist() -> None:
    """Every question in italics is a panel's, or its beginning, and every file of this folder that is named is here."""
    for question in re.findall(r"\*([A-Z][^*]*\?)\*", TEXT):
        assert any(title.startswith(question.rstrip("?")) for title in PANELS), question
    for path in re.findall(r"(?:^|\s|`)deploy/([\w./-]+\.\w+)", TEXT):
        assert (DEPLOY / path).exists() or path.startswith("secrets/"), path
