"""The demo's live list: the five most frequent items of each location, read from the HTTP API.

On a terminal the list is redrawn in place twice a second; elsewhere a plain block is printed every five seconds.
"""

import argparse
import json
import shutil
import sys
import time
import unicodedata
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

TOP = 5


def read_top_items(address: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{address}/v1/top-items?n={TOP}", timeout=5) as response:
        return json.load(response)


def printable(text: str) -> str:
    """Names come from outside: a control character must not reach the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, width: int) -> str:
    """The text in exactly `width` terminal columns, cut or padded."""
    kept: list[str] = []
    used = 0
    for character in text:
        if used + columns(character) > width:
            break
        kept.append(character)
        used += columns(character)
    return "".join(kept) + " " * (width - used)


def lines(answer: dict[str, Any], width: int) -> Iterator[str]:
    meta = answer["meta"]
    yield f"top {TOP} per location, {meta.get('from') or '…'} to {meta.get('to') or '…'}, revision {meta['revision']}"
    locations: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for row in answer["data"]:
        name = row["geographical_location"] or f"location {row['geographical_location_oid']}"
        locations.setdefault((int(row["geographical_location_oid"]), name), []).append(row)
    cell = max(12, (width - 22) // TOP)
    for (_, name), rows in sorted(locations.items()):
        cells = (f"{row['item_count']:>6} {printable(row['item_name'])}" for row in rows)
        yield fit(printable(name), 20) + "  " + "".join(fit(text, cell - 1) + " " for text in cells)


def block(address: str, width: int, height: int) -> list[str]:
    try:
        shown = list(lines(read_top_items(address), width))
    except (OSError, urllib.error.URLError, ValueError, KeyError, TypeError) as error:
        return [f"no answer: {error!r}"[:width]]
    if len(shown) > height:  # what has left the screen cannot be redrawn
        shown = [*shown[: height - 1], f"… and {len(shown) - height + 1} more locations"]
    return [fit(line, width).rstrip() for line in shown]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("address")
    arguments.add_argument("--seconds", type=float, help="end after this time")
    options = arguments.parse_args()
    end = None if options.seconds is None else time.monotonic() + options.seconds
    terminal = sys.stdout.isatty()
    pause, drawn = (0.5 if terminal else 5.0), 0
    while True:
        size = shutil.get_terminal_size()
        if terminal:
            shown = block(address=options.address, width=size.columns - 1, height=size.lines - 1)
            back = f"\x1b[{drawn}F" if drawn else ""
            sys.stdout.write(back + "".join(f"{line}\x1b[K\n" for line in shown) + "\x1b[J")
            drawn = len(shown)
        else:
            shown = block(address=options.address, width=140, height=100_000)
            sys.stdout.write("\n".join(shown) + "\n\n")
        sys.stdout.flush()
        left = pause if end is None else min(pause, end - time.monotonic())
        if left <= 0:
            return
        time.sleep(left)


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
