"""The machine of a measurement, and the CPU time and memory that a process uses on it."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

BUSY = 0.3
"""Load average per core, before the measurement, above which its figures are not reliable."""
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
    """A warning if other processes were busy when the measurement began, else None."""
    if machine["load"] <= BUSY * machine["cores"]:
        return None
    return (
        f"Load average {machine['load']} on {machine['cores']} cores at the start: other processes were busy. "
        "Trust ratios within this run, but no single figure."
    )


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_model() -> str:
    """The name of the CPU, from the kernel."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process since its start, in seconds (to 10 ms on Linux)."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists():
        fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds_of(ps(pid, "time"))


def seconds_of(text: str) -> float:
    """Seconds of a time as ps prints it: [[days-]hours:]minutes:seconds."""
    days, _, rest = text.strip().rpartition("-")
    seconds = 0.0
    for part in rest.split(":"):
        seconds = 60 * seconds + float(part)
    return 86400 * int(days or 0) + seconds


def resident_bytes(pid: int) -> int:
    """Resident memory of a process, in bytes."""
    statm = Path(f"/proc/{pid}/statm")
    if statm.exists():
        return int(statm.read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 1024 * int(ps(pid, "rss"))


def ps(pid: int, column: str) -> str:
    """A column of ps for a process, on systems without /proc."""
    command = ["ps", "-o", f"{column}=", "-p", str(pid)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603
