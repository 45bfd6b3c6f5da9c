"""Looks at processes from outside, and judges whether what they use grows."""

import os
import re
import statistics
from collections.abc import Sequence

# Seconds since the beginning, resident megabytes, threads, descriptors, seconds of CPU.
Sample = dict[str, float]


def _number(name: str, status: str) -> int:
    found = re.search(name + r":\s+(\d+)", status)
    assert found, f"no {name} in {status}"
    return int(found.group(1))


class Process:
    """One that is watched."""

    def __init__(self, name: str, pid: int) -> None:
        self.name = name
        self.pid = pid
        self.samples: list[Sample] = []

    def look(self, moment: float) -> Sample:
        """Adds a sample."""
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as file:
            status = file.read()
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as file:
            times = file.read().rpartition(")")[2].split()[11:13]
        sample: Sample = {
            "seconds": round(moment, 2),
            "resident_mb": round(_number("VmRSS", status) / 1024, 3),
            "threads": _number("Threads", status),
            "descriptors": len(os.listdir(f"/proc/{self.pid}/fd")),
            "cpu_seconds": sum(map(int, times)) / os.sysconf("SC_CLK_TCK"),
        }
        self.samples.append(sample)
        return sample


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The median of the slopes between all pairs (Theil and Sen): single peaks do not move it."""
    pairs = [
        (y2 - y1) / (x2 - x1) for index, (x1, y1) in enumerate(points) for x2, y2 in points[index + 1 :] if x2 > x1
    ]
    return statistics.median(pairs) if pairs else 0.0
