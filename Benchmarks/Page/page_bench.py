"""Measures the live page in Chromium; see bench-page."""

import argparse
import datetime
import functools
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence

from playwright.sync_api import Browser

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Tests" / "Clients"))

import events
from deployment import Deployment, wait_until
from playwright.sync_api import sync_playwright

PLACES = range(1001, 1051)

# Painted is what a frame has shown: the task after the frame in which it was drawn.
AFTER_PAINT = """new Promise(done => requestAnimationFrame(() => {
  const c = new MessageChannel();
  c.port1.onmessage = () => done(performance.timeOrigin + performance.now());
  c.port2.postMessage(0);
}))"""

WATCH = f"""() => {{
  window.painted = {{}};
  const look = async () => {{
    const found = document.querySelector('#lists li .count')?.textContent;
    if (found === undefined || found in window.painted) return;
    window.painted[found] = null;
    window.painted[found] = await {AFTER_PAINT};
  }};
  const lists = document.getElementById('lists');
  new MutationObserver(look).observe(lists, {{subtree: true, childList: true, characterData: true}});
}}"""

FIRST = f"""async () => {{
  while (document.querySelectorAll('#lists section.card').length < 50) await new Promise(requestAnimationFrame);
  const all = await {AFTER_PAINT} - performance.timeOrigin;
  const first = performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null;
  return {{first, all}};
}}"""


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def first_paints(browser: Browser, base_url: str, tries: int) -> list[dict[str, float]]:
    """Milliseconds from navigation until anything, and until all 50 lists, were painted; each in a fresh profile."""
    found = []
    for _ in range(tries):
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{base_url}/", wait_until="commit")
        found.append(page.evaluate(FIRST))
        context.close()
    return found


def latencies(browser: Browser, deployment: Deployment, tries: int) -> list[float]:
    """Milliseconds from produce() until the page has painted the count."""
    page = browser.new_page()
    now = datetime.datetime.now(datetime.UTC)
    deployment.publish([events.Event(2001, "watched", now, 5_000_001)])
    page.goto(f"{deployment.base_url}/?location=2001&n=3")
    page.locator('#connection[data-state="live"]').wait_for()
    page.evaluate(WATCH)
    found = []
    for number in range(2, tries + 2):
        event = events.Event(2001, "watched", datetime.datetime.now(datetime.UTC), 5_000_000 + number)
        sent = time.time() * 1000
        deployment.producer.produce(deployment.topic, event.payload(), partition=0)
        deployment.producer.poll(0)
        painted = f"window.painted['{number:,}'] ?? null"
        shown = wait_until(functools.partial(page.evaluate, painted), f"count {number} is painted")
        found.append(shown - sent)
        time.sleep(0.05)
    page.close()
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tries", type=int, default=100)
    arguments.add_argument("--json")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        deployment = Deployment(pathlib.Path(folder), name="bench-page")
        try:
            now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=2)
            batch = [
                events.Event(place, f"item {rank}", now, place * 10_000 + rank * 100 + again)
                for place in PLACES
                for rank in range(12)
                for again in range(12 - rank)
            ]
            deployment.publish(batch)
            with sync_playwright() as playwright:
                program = os.environ.get("TOPITEMS_CHROMIUM") or shutil.which("chromium")
                browser = playwright.chromium.launch(
                    executable_path=program, args=["--no-sandbox"] if os.geteuid() == 0 else []
                )
                paints = first_paints(browser, deployment.base_url, max(3, options.tries // 10))
                delays = latencies(browser, deployment, options.tries)
                browser.close()
        finally:
            deployment.close()
    first, whole = ([paint[name] for paint in paints] for name in ("first", "all"))
    figures = {
        "first_paint_ms": {"median": statistics.median(first), "worst": max(first), "tries": len(first)},
        "fifty_locations_painted_ms": {"median": statistics.median(whole), "worst": max(whole), "tries": len(whole)},
        "published_to_painted_ms": {
            "median": statistics.median(delays),
            "p99": percentile(delays, 0.99),
            "worst": max(delays),
            "tries": len(delays),
        },
    }
    for name, values in figures.items():
        print(
            f"{name:28}"
            + "  ".join(f"{key} {value:8.1f}" if key != "tries" else f"tries {value}" for key, value in values.items())
        )
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
