"""Compares the API's answers with the simulator's truth, item by item: over the whole time and in every window.

Ends with 0 when they are equal, with 1 and the differences when they are not.
"""

import argparse
import collections
import datetime
import json
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

MAXIMUM_N = 1000
MINUTE = datetime.timedelta(minutes=1)


# A location and an item.
Key = tuple[int, str]
# A location, a rank, an item and its count.
Row = tuple[int, int, str, int]


def read_truth(path: str) -> tuple[dict[str, dict[Key, int]], dict[str, Any]]:
    """The counts per window, as {window start: {(location, item): count}}, and the summary of the last line."""
    windows: dict[str, dict[Key, int]] = collections.defaultdict(dict)
    summary: dict[str, Any] | None = None
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            record = json.loads(line)
            if summary is not None:
                sys.exit(f"{path}:{number}: a line after the summary")
            if "summary" in record:
                summary = record["summary"]
                continue
            counts = windows[record["window_start"]]
            key = (int(record["geographical_location_oid"]), record["item_name"])
            if key in counts:
                sys.exit(f"{path}:{number}: counted twice: {key}")
            counts[key] = record["item_count"]
    if summary is None:
        sys.exit(f"{path}: no summary at the end: the simulator was cut off")
    return windows, summary


def rfc3339(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def answer(address: str, start: datetime.datetime, end: datetime.datetime) -> list[dict[str, Any]]:
    """The rows of every location, in the API's order."""
    query = urllib.parse.urlencode({"n": MAXIMUM_N, "from": rfc3339(start), "to": rfc3339(end)})
    url = f"{address}/v1/top-items?{query}"
    rows: list[dict[str, Any]] = []
    while url:
        with urllib.request.urlopen(url, timeout=30) as response:
            page = json.load(response)
        rows += page["data"]
        url = page.get("next")
    return rows


def ranking(counts: Mapping[Key, int]) -> list[Row]:
    """The rows that the API must give: location, then count downwards, then name."""
    order = sorted((location, -count, item) for (location, item), count in counts.items())
    rows: list[Row] = []
    rank, previous = 0, None
    for location, count, item in order:
        rank = rank + 1 if location == previous else 1
        previous = location
        if rank <= MAXIMUM_N:
            rows.append((location, rank, item, -count))
    return rows


def differences(address: str, start: datetime.datetime, end: datetime.datetime, counts: Mapping[Key, int]) -> list[str]:
    expected = ranking(counts)
    found = [
        (int(row["geographical_location_oid"]), row["item_rank"], row["item_name"], row["item_count"])
        for row in answer(address, start, end)
    ]
    if found == expected:
        return []
    span = f"{rfc3339(start)} to {rfc3339(end)}"
    lines = [
        f"{span}: missing in the answer: location %d, rank %d, %r: %d" % row
        for row in expected
        if row not in set(found)
    ]
    lines += [
        f"{span}: not in the truth: location %d, rank %d, %r: %d" % row for row in found if row not in set(expected)
    ]
    return lines or [f"{span}: the rows are right, their order or number is not"]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("address")
    arguments.add_argument("truth")
    arguments.add_argument("--deadline", type=float, default=0, help="seconds in which the answer may still catch up")
    options = arguments.parse_args()

    windows, summary = read_truth(options.truth)
    if not windows:
        sys.exit("the truth holds no event at all: nothing was compared")
    starts = {text: datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ") for text in windows}
    total: collections.Counter[Key] = collections.Counter()
    for counts in windows.values():
        total.update(counts)
    counted = sum(total.values())
    if counted != summary["counted"]:
        sys.exit(f"the truth contradicts itself: {counted} in its lines, {summary['counted']} in its summary")

    first, last = min(starts.values()), max(starts.values()) + MINUTE
    end = time.monotonic() + options.deadline
    while found := differences(options.address, first, last, total):
        if time.monotonic() >= end:
            break
        time.sleep(0.2)
    for text, start in sorted(starts.items()):
        found += differences(options.address, start, start + MINUTE, windows[text])
    if found:
        print("\n".join(found[:40]), file=sys.stderr)
        sys.exit(f"{len(found)} differences between the API's answers and the truth")
    print(
        f"equal: {counted} events in {len(windows)} windows at {len({key[0] for key in total})} locations, "
        f"{len(total)} counts; left out: {summary['duplicates']} duplicates, {summary['late']} late, "
        f"{summary['future']} future, {summary['dead_letters']} dead letters, {summary['tombstones']} tombstones"
    )


if __name__ == "__main__":
    main()
