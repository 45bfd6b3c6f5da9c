"""What the figures are, and whether they keep the promises."""

import statistics
from collections.abc import Iterator
from typing import Any

Figures = dict[str, float]
# {scenario: {server: [figures of each round]}}
Results = dict[str, dict[str, list[Figures]]]
# Scenario, what, ratio, its bound, whether it is kept.
Bound = tuple[str, str, float, str, bool]

# What a server of ours must be worth of another one, by the beginning of the protocol's name; and its p99 at most.
RATES = {
    ("http/1.1", "nginx"): 1.2,
    ("http/1.1", "hummingbird"): 2,
    ("http/1.1", "epoll"): 0.75,
    ("h2", "nginx"): 0.9,
    ("query", "pgbench"): 0.7,
    ("under ingestion", "calm"): 0.5,
}
SLOWEST = {"nginx": 1.5}


def ratio(mine: list[Figures], its: list[Figures], field: str) -> float:
    """The median of the rounds' ratios: noise hits neighbours alike."""
    return statistics.median(a[field] / b[field] for a, b in zip(mine, its, strict=False))


def rows(results: Results) -> Iterator[dict[str, Any]]:
    """A row for each scenario and server."""
    for scenario, servers in results.items():
        mine = servers["topitems"]
        for name, rounds in servers.items():
            row: dict[str, Any] = {"scenario": scenario, "server": name}
            for field in ("rate", "p99", "cpu"):
                row[field] = statistics.median(each[field] for each in rounds)
            yield {
                **row,
                "rate_ours_by_it": ratio(mine, rounds, "rate"),
                "p99_ours_by_it": ratio(mine, rounds, "p99"),
                "rounds": rounds,
            }


def bounds(results: Results) -> Iterator[Bound]:
    """(scenario, what, ratio, its bound, whether it is kept)"""
    for scenario, servers in results.items():
        for name, rounds in servers.items():
            for (beginning, other), least in RATES.items():
                if name.startswith(other) and scenario.startswith(beginning):
                    value = ratio(servers["topitems"], rounds, "rate")
                    yield scenario, f"rate / {name}", value, f">= {least}", value >= least
            if name in SLOWEST:
                value = ratio(servers["topitems"], rounds, "p99")
                yield scenario, f"p99 / {name}", value, f"<= {SLOWEST[name]}", value <= SLOWEST[name]


def show(results: Results) -> None:
    print(f"{'':34}{'server':14}{'requests/s':>12}{'p99 ms':>10}{'CPU µs':>9}{'ours / it':>12}{'p99 ours / it':>15}")
    last = None
    for row in rows(results):
        scenario = row["scenario"] if row["scenario"] != last else ""
        last = row["scenario"]
        print(
            f"{scenario:34}{row['server']:14}{row['rate']:12.0f}{row['p99'] * 1000:10.2f}{row['cpu']:9.1f}"
            f"{row['rate_ours_by_it']:12.2f}{row['p99_ours_by_it']:15.2f}"
        )
    print(f"\n{'':34}{'ours':20}{'is':>8}{'bound':>10}")
    for scenario, what, value, bound, is_kept in bounds(results):
        print(f"{scenario:34}{what:20}{value:8.2f}{bound:>10}  {'pass' if is_kept else 'MISS'}")
