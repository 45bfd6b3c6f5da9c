"""A whole topitems of the tests' own: services, one worker, one server, and a producer."""

import collections
import contextlib
import csv
import datetime
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import confluent_kafka
import events
import psycopg

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
SCRIPTS = CHECKOUT / "deploy" / "dev"

# {location: {item: count}}
Counts = dict[int, dict[str, int]]
# Rank, item and count.
Rank = tuple[int, str, int]
Value = TypeVar("Value")


def wait_until(condition: Callable[[], Value], what: str, seconds: float = 30) -> Value:
    """Repeats `condition` until it is true; its last value is the result."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except (OSError, urllib.error.URLError):
        return False


class Deployment:
    """`base_url`, `database_url`, `publish()`, `recount()`; everything is ended by `close()`."""

    # Of the known events, which the fixture `deployment` publishes.
    now: datetime.datetime
    known: list[events.Event]

    def __init__(self, folder: pathlib.Path, name: str = "clients") -> None:
        binary = os.environ.get("TOPITEMS_BINARY", "")
        if not os.access(binary, os.X_OK):
            raise AssertionError(f"TOPITEMS_BINARY ({binary or 'unset'}) is no program: run `make test-clients`")
        self.binary, self.folder, self.name = binary, folder, name
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.topic = "raw_camera_events"
        subprocess.run([SCRIPTS / "stop", name], check=True)
        exports = subprocess.run([SCRIPTS / "services", name], check=True, stdout=subprocess.PIPE, text=True).stdout
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("TOPITEMS_")}
        for line in exports.splitlines():
            variable, value = shlex.split(line.removeprefix("export "))[0].split("=", 1)
            self.environment[variable] = value
        self.database_url = self.environment["TOPITEMS_DATABASE_URL"]
        self.brokers = self.environment["TOPITEMS_BROKERS"]
        subprocess.run(
            [
                self.environment["TOPITEMS_TANSU"],
                "topic",
                "create",
                "--broker",
                f"tcp://{self.brokers}",
                self.topic,
                "--partitions",
                "4",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        self.producer = confluent_kafka.Producer({"bootstrap.servers": self.brokers, "linger.ms": 0})
        self.run("migrate")
        self.import_locations({**events.LOCATIONS, events.EMPTY_LOCATION: "Empty hall"})
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        # Tansu delays a group's first assignment by half of the session's timeout.
        self.start("ingest", "--kafka", "session.timeout.ms=6000", "--kafka", "heartbeat.interval.ms=1000")
        self.serve()

    # Processes

    def run(self, *arguments: str) -> str:
        return subprocess.run(
            [self.binary, *arguments], check=True, env=self.environment, stdout=subprocess.PIPE, text=True
        ).stdout

    def start(self, *arguments: str) -> None:
        with open(self.folder / f"{arguments[0]}.log", "ab") as log:
            self.processes[arguments[0]] = subprocess.Popen(
                [self.binary, *arguments], env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def serve(self, *options: str) -> None:
        """Starts the server, at the same address again after `end("serve")`."""
        self.start("serve", "--listen", f"127.0.0.1:{self.port}", *options)
        wait_until(self.is_ready, f"the server is ready, see {self.folder}/serve.log")

    def is_ready(self) -> bool:
        if self.processes["serve"].poll() is not None:
            raise AssertionError(f"the server ended: {(self.folder / 'serve.log').read_text()[-2000:]}")
        return answers(f"{self.base_url}/readyz")

    @contextlib.contextmanager
    def another_server(self, *options: str) -> Iterator[str]:
        """A second server on the same database for as long as the context lasts; its base URL."""
        base_url = f"http://127.0.0.1:{free_port()}"
        with open(self.folder / "another.log", "ab") as log:
            process = subprocess.Popen(
                [self.binary, "serve", "--listen", base_url.removeprefix("http://"), *options],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            wait_until(lambda: answers(f"{base_url}/readyz"), f"another server is ready, see {self.folder}/another.log")
            yield base_url
        finally:
            process.terminate()
            process.wait(15)

    def end(self, command: str, how: signal.Signals = signal.SIGTERM) -> None:
        process = self.processes.pop(command, None)
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self) -> None:
        for command in list(self.processes):
            self.end(command, signal.SIGKILL)  # there is nothing left to finish
        del self.producer  # before its broker
        subprocess.run([SCRIPTS / "stop", self.name], check=True)

    # Events

    def import_locations(self, locations: Mapping[int, str]) -> None:
        file = self.folder / "locations.csv"
        with open(file, "w", encoding="utf-8", newline="") as output:
            writer = csv.writer(output)
            writer.writerow(["geographical_location_oid", "geographical_location"])
            writer.writerows(locations.items())
        self.run("locations", "import", str(file))

    def publish(self, batch: Sequence[events.Event], again: Iterable[events.Event] = ()) -> None:
        """Sends the events, and those of `again` a second time, and waits until PostgreSQL has counted them."""
        before = self.counted()
        for number, event in enumerate([*batch, *again]):
            self.producer.produce(self.topic, event.payload(), partition=number % 4)
            self.producer.poll(0)
        assert self.producer.flush(30) == 0, "the broker did not take the events"
        wait_until(lambda: self.counted() - before >= len(batch), f"{len(batch)} events are counted", 60)

    def counted(self) -> int:
        return self.query("SELECT coalesce(sum(counted), 0)::bigint FROM ingest_offset")[0][0]

    def query(self, statement: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(statement, values).fetchall()

    def recount(
        self,
        start: datetime.datetime | None = None,
        end: datetime.datetime | None = None,
        locations: Sequence[int] | None = None,
    ) -> Counts:
        """What the counts add up to in [start, end), from the minutes: {location: {item: count}}."""
        rows = self.query(
            """
            SELECT geographical_location_oid, item_name, sum(item_count)::bigint
            FROM window_count JOIN item USING (item_id)
            WHERE (%(start)s::timestamptz IS NULL OR window_start >= %(start)s)
              AND (%(end)s::timestamptz IS NULL OR window_start < %(end)s)
              AND (%(locations)s::bigint[] IS NULL OR geographical_location_oid = ANY (%(locations)s))
            GROUP BY 1, 2
            """,
            {"start": start, "end": end, "locations": locations},
        )
        return tabulate(rows)


def tabulate(rows: Iterable[Sequence[Any]]) -> Counts:
    counts: Counts = collections.defaultdict(dict)
    for location, item, count in rows:
        counts[location][item] = count
    return dict(counts)


def ranking(counts: Mapping[str, int], n: int) -> list[Rank]:
    """[(rank, item, count)] of one location: by count downwards, then by the name's bytes."""
    order = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0].encode()))
    return [(rank, item, count) for rank, (item, count) in enumerate(order[:n], start=1)]
