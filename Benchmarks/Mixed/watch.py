"""Looks at processes from outside, and judges whether what they use grows."""

from __future__ import annotations

import os
import re
import statistics
from typing import Any


class Process:
    """One that is watched."""

    def __init__(self, name: str, pid: int) -> None:
        self.name = name
        self.pid = pid
        self.samples: list[Any] = []

    def look(self, moment: float) -> dict[str, Any]:
        """Adds a sample."""
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as file:
            status = file.read()
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as file:
            times = file.read().rpartition(")")[2].split()[11:13]
        sample = {
            "seconds": round(moment, 2),
            "resident_mb": round(int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024, 3),
            "threads": int(re.search(r"Threads:\s+(\d+)", status).group(1)),
            "descriptors": len(os.listdir(f"/proc/{self.pid}/fd")),
            "cpu_seconds": sum(map(int, times)) / os.sysconf("SC_CLK_TCK"),
        }
        self.samples.append(sample)
        return sample


def slope(points: list[tuple[float, float]]) -> float:
    """The median of the slopes between all pairs (Theil and Sen): single peaks do not move it."""
    pairs = [
        (y2 - y1) / (x2 - x1) for index, (x1, y1) in enumerate(points) for x2, y2 in points[index + 1 :] if x2 > x1
    ]
    return statistics.median(pairs) if pairs else 0.0
