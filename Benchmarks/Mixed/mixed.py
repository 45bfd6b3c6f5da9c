"""Loads two servers with everything at once and looks whether they, and the worker beside them, stay as they are.

A fifth of the time is for warming up: caches fill, pools connect. Then all clients leave, and what each process uses in
this calm is noted. In the rest of the time, samples are taken; at its end all clients leave again. Flat is: resident
memory does not grow by more than 2 MB (about 8 bytes a request), as fitted by a line through the samples (Theil and
Sen), of all of them and of the second half, as a leak does not stop; and in the second calm there are no more
descriptors and threads than in the first one, but for what pools may still have opened. A server keeps the rests of
results for five minutes: where the warming up is shorter, growth is not judged. Every answer is looked at, too. Ends
with 1 if anything is not as it should be.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import ssl
import sys
import time
from typing import Any

import clients
from http1 import Target
from watch import Process, Sample, slope

# Megabytes that resident memory may grow by.
GROWTH = 2.0
# Seconds of warming up without which growth means nothing.
FILLED = 300
# Connections to PostgreSQL that a pool may open later, with a listener's; threads of libdispatch come and go.
LATER = {"descriptors": 9, "threads": 2}


async def sample(processes: list[Process], began: float, interval: float) -> None:
    while True:
        for process in processes:
            process.look(time.monotonic() - began)
        await asyncio.sleep(interval)


async def reloads(server: Process, target: Target, folder: pathlib.Path, tally: clients.Tally) -> None:
    """Changes the certificate; now and then to a file that is none, with which the old one must stay in use."""
    used = None
    for number in itertools.count(1):
        await asyncio.sleep(random.uniform(3, 8))
        is_bad = number % 5 == 0 and used
        if is_bad:
            (folder / "certificate.pem").write_text("no certificate\n")
        else:
            used = ssl.PEM_cert_to_DER_cert((folder / f"certificate-{number % 2}.pem").read_text())
            for name in ("key", "certificate"):
                shutil.copyfile(folder / f"{name}-{number % 2}.pem", folder / f"{name}.pem")
        os.kill(server.pid, signal.SIGHUP)
        await asyncio.sleep(2)
        async with target.connected() as connection:
            shown = connection.writer.get_extra_info("ssl_object").getpeercert(True)
        tally.note("reload", "refused" if is_bad else "new certificate")
        if shown != used:
            tally.fail("reload", "the certificate shown is not the last good one")


async def calm(processes: list[Process]) -> dict[str, Sample]:
    """Waits until connections are gone, and returns what is in use then."""
    await asyncio.sleep(3)
    before = None
    for _ in range(60):
        now = [len(os.listdir(f"/proc/{process.pid}/fd")) for process in processes]
        if now == before:
            break
        before = now
        await asyncio.sleep(1)
    levels = {}
    for process in processes:
        levels[process.name] = process.look(0)
        process.samples.pop()
    return levels


async def play(
    processes: list[Process], targets: list[Target], options: argparse.Namespace
) -> tuple[clients.Tally, clients.Tally, dict[str, Sample], dict[str, Sample], float]:
    warmup, rest = options.seconds * 0.2, options.seconds * 0.8
    warming, tally = clients.Tally(), clients.Tally()
    _plain, encrypted = targets
    certificate = pathlib.Path(options.certificates)
    server = processes[1]

    async def phase(seconds: float, tally: clients.Tally) -> None:
        reloading = asyncio.create_task(reloads(server, encrypted, certificate, tally))
        try:
            await clients.load(targets, tally, seconds)
        finally:
            reloading.cancel()
            for result in await asyncio.gather(reloading, return_exceptions=True):
                if not isinstance(result, asyncio.CancelledError):
                    tally.fail("reload", repr(result))

    await phase(warmup, warming)
    first = await calm(processes)
    began = time.monotonic()
    sampling = asyncio.create_task(sample(processes, began, max(0.5, rest / 300)))
    await phase(rest, tally)
    sampling.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await sampling
    return warming, tally, first, await calm(processes), time.monotonic() - began


def judge(
    process: Process, first: Sample, last: Sample, seconds: float, is_filled: bool
) -> tuple[dict[str, Any], list[str]]:
    """A row of the table, and what is wrong."""
    # The first samples are of the time in which the clients come back.
    points = [(each["seconds"], each["resident_mb"]) for each in process.samples[len(process.samples) // 20 :]]
    half = points[len(points) // 2 :]
    growth, late = slope(points) * seconds, slope(half) * seconds / 2
    problems = []
    if is_filled and growth > GROWTH and late > GROWTH / 2:
        problems.append(f"{process.name}: resident memory grew by {growth:.1f} MB, in the second half by {late:.1f} MB")
    for what, slack in LATER.items():
        if last[what] > first[what] + slack:
            problems.append(f"{process.name}: {first[what]} {what} in the first calm, {last[what]} in the second")
    cpu = (process.samples[-1]["cpu_seconds"] - process.samples[0]["cpu_seconds"]) / seconds
    row = {
        "process": process.name,
        "growth_mb": round(growth, 2),
        "growth_mb_second_half": round(late, 2),
        "resident_mb": [points[0][1], max(value for _, value in points), points[-1][1]],
        "calm": [{name: level[name] for name in ("resident_mb", "descriptors", "threads")} for level in (first, last)],
        "peak_descriptors": max(each["descriptors"] for each in process.samples),
        "cores": round(cpu, 3),
    }
    return row, problems


def show(rows: list[dict[str, Any]], tally: clients.Tally) -> None:
    print(
        f"{'':12} {'resident MB: begin, most, end':>30} {'growth, late':>13} "
        f"{'descriptors: calm, most, calm':>30} {'threads':>8} {'cores':>6}"
    )
    for row in rows:
        begin, most, end = row["resident_mb"]
        one, two = row["calm"]
        print(
            f"{row['process']:12} {begin:>12.1f} {most:>8.1f} {end:>8.1f} "
            f"{row['growth_mb']:>6.2f} {row['growth_mb_second_half']:>6.2f} "
            f"{one['descriptors']:>14} {row['peak_descriptors']:>7} {two['descriptors']:>7} "
            f"{one['threads']:>4} {two['threads']:>3} {row['cores']:>6.2f}"
        )
    for kind, outcomes in sorted(tally.answers.items()):
        print(f"{kind:14} " + ", ".join(f"{outcome}: {count}" for outcome, count in sorted(outcomes.items())))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, required=True)
    arguments.add_argument("--plain", required=True, help="port:pid of a server without TLS")
    arguments.add_argument("--encrypted", required=True, help="port:pid of one with TLS")
    arguments.add_argument("--worker", type=int, required=True, help="pid")
    arguments.add_argument("--certificates", required=True, help="folder with certificate.pem, key.pem and two pairs")
    arguments.add_argument("--json", required=True)
    options = arguments.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    ports, pids = zip(*(map(int, pair.split(":")) for pair in (options.plain, options.encrypted)), strict=False)
    targets = [Target(ports[0], False), Target(ports[1], True)]
    names = ["serve", "serve TLS", "ingest"]
    processes = [Process(name, pid) for name, pid in zip(names, [*pids, options.worker], strict=False)]
    warming, tally, first, last, seconds = asyncio.run(play(processes, targets, options))

    is_filled = options.seconds * 0.2 >= FILLED
    judged = [judge(each, first[each.name], last[each.name], seconds, is_filled) for each in processes]
    rows = [row for row, _ in judged]
    problems = [problem for _, found in judged for problem in found]
    for kind, count in (warming.failures + tally.failures).items():
        problems.append(f"{count} failures of {kind}")
    problems += (warming.examples + tally.examples)[:20]
    show(rows, tally)
    record = {
        "seconds": options.seconds,
        "processes": rows,
        "answers": tally.answers,
        "problems": problems,
        "samples": {process.name: process.samples for process in processes},
    }
    pathlib.Path(options.json).write_text(json.dumps(record, indent=1) + "\n")
    if problems:
        sys.exit("not as it should be:\n  " + "\n  ".join(problems))


if __name__ == "__main__":
    main()
