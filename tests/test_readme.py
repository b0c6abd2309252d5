"""What a reader must be able to trust: the README's lists, held against the code."""

import re
from pathlib import Path

from streamer import errors

README = Path("README.md").read_text(encoding="utf-8")
SOURCES = [path.read_text(encoding="utf-8") for path in Path("streamer").rglob("*.py")]


def test_reasons_of_rejection() -> None:
    """The README names every reason that a message can be rejected for, and no other."""
    pattern = r'Rejected\(\s*"([a-z_]+)"(?: if [^"]* else "([a-z_]+)")?'
    raised = {reason for pair in re.findall(pattern, "\n".join(SOURCES)) for reason in pair if reason}
    listed = re.search(r"Reasons: ([^.]*)\.", README)
    assert listed
    assert set(re.findall(r"`([a-z_]+)`", listed.group(1))) == raised


def test_exit_codes() -> None:
    """The README's exit codes are those of the errors."""
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    known = (errors.ConfigError, errors.StartError, errors.StateError, errors.SourceError)
    assert codes == {0, *(error.exit_code for error in known)}


def test_metrics() -> None:
    """Every metric that the README names is declared."""
    declared = "\n".join(SOURCES)
    named = set(re.findall(r"`?(streamer_[a-z_]+?)(?:_total)?[{`]", README))
    assert len(named) >= 3
    for name in named:
        assert name in declared or name.removeprefix("streamer_") in declared, name


def test_demo() -> None:
    """What the README shows of the demo's end is what the demo prints, figures aside."""
    printed = Path("streamer/tools/demo.py").read_text(encoding="utf-8")
    title = "At the end, errors of the forecasts over those of 'no change', each made before:"
    assert title.replace("'no change'", "{NO_CHANGE}") in printed
    block = README.partition(f"{title}\n")[2]
    lines = block.partition("```")[0].splitlines()
    sources = re.findall(r'"demo/([a-z/]+)": \(', printed)
    shape = r"  {}: [0-9.]+ times [0-9.]+ (s|min|h) ahead, [0-9.]+ times [0-9.]+ (s|min|h) ahead"
    assert len(lines) == len(sources)
    assert all(re.fullmatch(shape.format(name), line) for name, line in zip(sources, lines, strict=True))
