"""What a measurement was taken on, and what a process has used of it."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

BUSY = 0.3
"""Load average per core, before the measurement begins, from which on figures are not to be trusted."""
LIBRARIES = ("torch", "numpy", "orjson", "river")


def describe() -> dict[str, Any]:
    """Cores, models of CPU and GPU, versions, and the load average of the last minute."""
    return {
        "cores": cores(),
        "cpu": cpu_model(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("streamer", *LIBRARIES)},
        "load": round(os.getloadavg()[0], 2),
    }


def warning(machine: dict[str, Any]) -> str | None:
    """That others were at work when the measurement began, if they were."""
    if machine["load"] <= BUSY * machine["cores"]:
        return None
    return (
        f"Load average {machine['load']} on {machine['cores']} cores at the start: others were at work. "
        "Take ratios within this run, and no figure by itself."
    )


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_model() -> str:
    """As the kernel names it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process since its start; to 10 ms on Linux."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists():
        fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds_of(ps(pid, "time"))


def seconds_of(text: str) -> float:
    """What ps calls a time: [[days-]hours:]minutes:seconds."""
    days, _, rest = text.strip().rpartition("-")
    seconds = 0.0
    for part in rest.split(":"):
        seconds = 60 * seconds + float(part)
    return 86400 * int(days or 0) + seconds


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in RAM."""
    statm = Path(f"/proc/{pid}/statm")
    if statm.exists():
        return int(statm.read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 1024 * int(ps(pid, "rss"))


def ps(pid: int, column: str) -> str:
    """What the system tells of a process where there is no /proc."""
    command = ["ps", "-o", f"{column}=", "-p", str(pid)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603
