"""Machine code is kept on disk, and whatever is wrong with the disk costs a compilation and nothing else."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

CODE = """
from streamer.compiled import compiled

@compiled
def double(x: float) -> float:
    return 2 * x

assert double(2.0) == 4.0
kept = getattr(double._cache, "cache_path", None)
print(sum(double.stats.cache_hits.values()), sum(double.stats.cache_misses.values()), kept is not None)
"""


def run(file: Path, cache: Path, before: str = "") -> str:
    """What a fresh process says that calls a compiled function: loads from disk, compilations, whether it keeps any."""
    file.write_text(textwrap.dedent(before) + CODE, encoding="utf-8")
    os.utime(file, (1e9, 1e9))  # numba compares the time of the source
    env = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, file], env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:10])


def zeros(file: Path) -> None:
    file.write_bytes(bytes(100))


def flip(file: Path) -> None:
    """As flipped bits may make it: a pickle that names a module that there is not."""
    file.write_bytes(b"cnowhere\nnothing\n.")


def test_the_second_start_compiles_nothing(tmp_path: Path) -> None:
    """What one process compiled the next one loads."""
    assert run(tmp_path / "code.py", tmp_path / "cache") == "0 1 True"
    assert run(tmp_path / "code.py", tmp_path / "cache") == "1 0 True"


@pytest.mark.parametrize("damage", [cut, zeros, flip])
@pytest.mark.parametrize("name", ["*.nbi", "*.nbc"])
def test_a_damaged_file_is_compiled_again(tmp_path: Path, name: str, damage: Callable[[Path], None]) -> None:
    """An index or code that a power cut left unfinished, or a disk has changed, is replaced."""
    run(tmp_path / "code.py", tmp_path / "cache")
    (file,) = (tmp_path / "cache").rglob(name)
    damage(file)
    assert run(tmp_path / "code.py", tmp_path / "cache") == "0 1 True"
    assert run(tmp_path / "code.py", tmp_path / "cache") == "1 0 True"


def test_a_full_disk_keeps_nothing(tmp_path: Path) -> None:
    """Where files can be made and not filled, the code runs, and the next start compiles again."""
    full = """
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    """
    for _ in range(2):
        assert run(tmp_path / "code.py", tmp_path / "cache", full) == "0 1 True"


def test_without_a_directory_everything_is_compiled(tmp_path: Path) -> None:
    """Where no directory can be made, functions are compiled in memory."""
    nowhere = """
    from numba.core.caching import CompileResultCacheImpl
    CompileResultCacheImpl._locator_classes = []
    """
    assert run(tmp_path / "code.py", tmp_path / "cache", nowhere) == "0 1 False"
