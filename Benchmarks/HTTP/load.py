"""Clients that load a server: each returns requests a second, the 99th percentile of the latency in seconds, and how
many requests there were."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping

# Requests a second, the 99th percentile of the latency in seconds, and the number of requests.
Measured = tuple[float, float, int]


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found, f"no {pattern} in {text}"
    return found.group(1)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    assert found, f"{text} is no time"
    number, unit = found.groups()
    return float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[unit]


def _output(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        sys.exit(f"bench-http: {command[0]} has failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def wrk(url: str, connections: int, duration: int, script: str | None = None) -> Measured:
    """HTTP/1.1, a request at a time on each connection."""
    command = [
        "wrk",
        "-t2",
        f"-c{connections}",
        f"-d{duration}s",
        "--latency",
        *(["-s", script] if script else []),
        url,
    ]
    output = _output(command)
    if "Non-2xx" in output or "Socket errors" in output:
        sys.exit(f"bench-http: {url} has failed:\n{output}")
    rate = float(_found(r"Requests/sec:\s+([\d.]+)", output))
    count = int(_found(r"(\d+) requests in", output))
    return rate, _seconds(_found(r"(?m)^\s+99%\s+(\S+)", output)), count


def h2load(url: str, connections: int, duration: int, folder: str, streams: int = 10) -> Measured:
    """HTTP/2, so many requests at a time on each connection; the percentile is from its log of each request."""
    log = os.path.join(folder, "h2load.log")
    if os.path.exists(log):
        os.remove(log)
    output = _output(
        [
            "h2load",
            "-t1",
            f"-c{connections}",
            f"-m{streams}",
            f"-D{duration}",
            "--warm-up-time=1",
            f"--log-file={log}",
            url,
        ]
    )
    done = re.search(r"requests: .*?(\d+) succeeded, (\d+) failed, (\d+) errored", output)
    if done is None or int(done.group(1)) == 0 or int(done.group(2)) != 0:
        sys.exit(f"bench-http: {url} has failed:\n{output}")
    with open(log) as lines:
        times = sorted(int(line.split()[2]) for line in lines)
    rate = float(_found(r"finished in [\d.]+m?s, ([\d.]+) req/s", output))
    # Those of the second in which it warms up are not reported; they came at the same rate.
    return rate, times[int(len(times) * 0.99)] / 1e6, round(len(times) * (duration + 1) / duration)


def pgbench(
    url: str,
    connections: int,
    duration: int,
    script: str,
    variables: Mapping[str, str],
    settings: Mapping[str, str | int],
    folder: str,
) -> Measured:
    """A statement that each session prepares once; the percentile is from its log of each transaction."""
    log = os.path.join(folder, "pgbench")
    for name in os.listdir(folder):
        if name.startswith("pgbench."):
            os.remove(os.path.join(folder, name))
    output = _output(
        [
            "pgbench",
            "-n",
            "-M",
            "prepared",
            "-f",
            script,
            f"-c{connections}",
            "-j2",
            f"-T{duration}",
            "-l",
            f"--log-prefix={log}",
            *(f"-D{name}={value}" for name, value in variables.items()),
            url,
        ],
        {"PGOPTIONS": " ".join(f"-c {name}={value}" for name, value in settings.items())},
    )
    times = []
    for name in os.listdir(folder):
        if name.startswith("pgbench."):
            with open(os.path.join(folder, name)) as lines:
                times += [int(line.split()[2]) for line in lines]
    times.sort()
    rate = float(_found(r"tps = ([\d.]+) \(without initial connection time\)", output))
    return rate, times[int(len(times) * 0.99)] / 1e6, len(times)
