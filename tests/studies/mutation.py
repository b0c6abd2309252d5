"""Folders of the project in, the faults out that could be put there without any test failing.

`python -m tests.studies.mutation streamer/swap streamer/forecast/scale.py --sample 100`; README.md says more.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hypothesis import HealthCheck, settings

from tests.studies.mutants import Mutant, mutants
from tests.studies.trials import (
    PATIENCE,
    PROFILE,
    ROOT,
    Baseline,
    Chosen,
    Copy,
    kill,
    measured,
    preload,
    traced,
    wait,
    within,
)

TARGETS = ("forecast", "swap", "resume", "store")
TESTS = {
    "forecast": ("tests/forecast", "tests/swap", "tests/resume", "tests/golden", "tests/lanes"),
    "swap": ("tests/swap", "tests/stream", "tests/resume", "tests/golden"),
    "resume": ("tests/resume", "tests/golden", "tests/stream", "tests/swap", "tests/lanes"),
    "store": ("tests/store", "tests/golden", "tests/lanes"),
    "stream": ("tests/stream", "tests/swap", "tests/resume", "tests/lanes"),
}
"""Folders of tests for each folder of faults, where they exist; without an entry, those in the folder of its name."""
START_SECONDS = 120.0
"""Time for everything else of a run."""
SURVIVED = "survived"
PASSED = {0, 5}
"""Exit codes of pytest when all tests passed, and when the fault has left none to run."""
CAUSES = {1: "failed", 2: "not importable", 4: "not importable", -signal.SIGALRM: "timeout", -signal.SIGKILL: "timeout"}


@dataclass(slots=True)
class Result:
    """What came of a mutant: `survived`, or a cause of CAUSES; `by` the test that failed."""

    mutant: Mutant
    outcome: str
    by: str = ""
    seconds: float = 0.0
    tests: int = 0


@dataclass(slots=True)
class Run:
    """A mutant whose tests run, in a copy whose file had this text before."""

    at: int
    copy: Copy
    result: Result
    text: str
    begun: float
    seconds: float

    def ended(self, pid: int) -> bool:
        """Whether it has come to an end; then the copy is as it was, and the result known."""
        spent = time.monotonic() - self.begun
        code = wait(pid, self.seconds - spent)
        if code is None:
            return False
        self.copy.put(self.result.mutant.file, self.text)
        self.result.seconds = spent
        self.result.outcome = SURVIVED if code in PASSED else CAUSES.get(code, f"ended with {code}")
        if self.copy.out.exists():
            self.result.by = self.copy.out.read_text(encoding="utf-8")
        return True


def start(at: int, result: Result, copy: Copy, tests: list[str], baseline: Baseline) -> tuple[int, Run]:
    """Begin to run the tests on a mutant: the pid, and what runs there."""
    text = copy.put(result.mutant.file, result.mutant.text)
    copy.out.unlink(missing_ok=True)
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    pid = copy.fork(lambda: copy.pytest(["-x", *files], Chosen(tests, baseline.seconds, copy.out)))
    seconds = START_SECONDS + PATIENCE * sum(baseline.seconds[test] for test in tests)
    return pid, Run(at, copy, result, text, time.monotonic(), seconds)


def run(queue: Sequence[Mutant], free: list[Copy], baseline: Baseline) -> list[Result]:
    """All mutants, as many at a time as there are copies."""
    results, running = dict[int, Result](), dict[int, Run]()
    waiting, begun = list(enumerate(queue))[::-1], time.monotonic()
    try:
        while waiting or running:
            while free and waiting:
                at, mutant = waiting.pop()
                tests = baseline.tests_of(mutant, tests_of(mutant.file))
                result = Result(mutant, SURVIVED, tests=len(tests))
                if tests:
                    pid, one = start(at, result, free.pop(), tests, baseline)
                    running[pid] = one
                else:
                    results[at] = result
            for pid in [pid for pid, one in running.items() if one.ended(pid)]:
                one = running.pop(pid)
                free.append(one.copy)
                results[one.at] = one.result
                if len(results) % 20 == 0:
                    left = (time.monotonic() - begun) / len(results) * (len(queue) - len(results)) / 60
                    alive = sum(result.outcome == SURVIVED for result in results.values())
                    print(f"{len(results)} of {len(queue)}, {alive} survived, {left:.0f} min left", file=sys.stderr)
            time.sleep(0.02)
    finally:
        for pid in running:
            kill(pid)
    return [results[at] for at in sorted(results)]


def folder_of(file: str) -> str:
    return Path(file).parts[1]


def tests_of(file: str) -> tuple[str, ...]:
    """The folders of tests for a file."""
    return TESTS.get(folder_of(file), (f"tests/{folder_of(file)}",))


def chosen(root: Path, options: argparse.Namespace) -> tuple[list[str], list[Mutant]]:
    """The files with faults, and the mutants to run, all or a sample."""
    paths = [root / target for target in options.targets]
    gone = [str(path.relative_to(root)) for path in paths if not path.exists()]
    if gone:
        raise SystemExit(f"not in the tree: {', '.join(gone)}")
    found = sorted({file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))})
    files = [str(file.relative_to(root)) for file in found]
    if options.only:
        files = [file for file in files if file.endswith(tuple(options.only))]
    every = [mutant for file in files for mutant in mutants(file, (root / file).read_text(encoding="utf-8"))]
    if options.sample is None or options.sample >= len(every):
        print(f"{len(every)} mutants of {len(files)} files")
        return files, every
    print(f"{options.sample} of {len(every)} mutants of {len(files)} files, drawn with seed {options.seed}")
    at = random.Random(options.seed).sample(range(len(every)), options.sample)
    return files, [every[one] for one in sorted(at)]


def baseline_of(copy: Copy, files: Sequence[str]) -> Baseline:
    """The tests of these files without a fault, twice: to measure them, and to trace them."""
    wanted = sorted({path for file in files for path in tests_of(file) if (copy.root / path).exists()})
    if not wanted:
        raise SystemExit("there are no tests of these files")
    baseline = measured(copy, wanted)
    preload(baseline.modules)
    traced(copy, wanted, files, baseline)
    for test in baseline.failed:
        print(f"fails without a fault and is left out: {test}")
    for folder, known in {folder_of(file): tests_of(file) for file in files}.items():
        tests = [path for path in known if path in wanted]
        times = [seconds for test, seconds in baseline.seconds.items() if within(test, tests)]
        print(f"{folder}: {len(times)} tests take {sum(times):.1f} s without a fault ({', '.join(tests)})", flush=True)
    return baseline


def report(results: Sequence[Result]) -> None:
    """Survivors by line, and the score of each folder."""
    print("\nSurvivors:")
    for result in results:
        if result.outcome == SURVIVED:
            print(f"{result.mutant}{'' if result.tests else '  (no test runs this line)'}")
    print("\nScore:")
    by_folder: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_folder[folder_of(result.mutant.file)].append(result)
    for folder, some in by_folder.items():
        causes = Counter(result.outcome for result in some)
        dead = len(some) - causes[SURVIVED]
        others = ", ".join(f"{count} {cause}" for cause, count in sorted(causes.items()))
        print(f"{folder}: {dead} of {len(some)} killed, {dead / len(some):.0%} ({others})")


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.studies.mutation", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    every, cores = [f"streamer/{name}" for name in TARGETS], len(os.sched_getaffinity(0))
    add("targets", nargs="*", default=every, metavar="PATH", help="folders or files from the root of the tree")
    add("--only", action="append", metavar="FILE", help="of these, files whose path ends so")
    add("--sample", type=int, metavar="N", help="so many mutants, drawn at random")
    add("--seed", type=int, default=0, help="of the draw")
    add("--jobs", type=int, default=cores, metavar="N", help=f"mutants at a time, by default {cores}")
    add("--examples", type=int, default=25, metavar="N", help="of property tests that set no number, by default 25")
    add("--json", type=Path, metavar="FILE", help="write every mutant and what came of it")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    options = parsed(arguments)
    settings.register_profile(
        PROFILE, max_examples=options.examples, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        first = Copy(ROOT, Path(folder, "0"))
        files, queue = chosen(first.root, options)
        baseline = baseline_of(first, files)
        copies = [first, *(Copy(first.root, Path(folder, str(at))) for at in range(1, options.jobs))]
        begun = time.monotonic()
        results = run(queue, copies, baseline)
        print(f"{len(queue)} mutants took {(time.monotonic() - begun) / 60:.1f} min with {options.jobs} at a time")
    report(results)
    if options.json:
        about = [asdict(result) for result in results]
        for one in about:
            del one["mutant"]["text"]
        options.json.write_text(json.dumps(about, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
