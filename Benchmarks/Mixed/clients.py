"""The clients of the mixed load: each kind is a coroutine that does one thing once, and returns the outcome."""

import asyncio
import collections
import json
import random
import re
import ssl
import time
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from http1 import Answer, Closed, Target

LOCATIONS = 20


class Tally:
    """What was answered, by kind of client, and what ought not to have happened."""

    def __init__(self) -> None:
        self.answers: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        self.failures: collections.Counter[str] = collections.Counter()
        self.examples: list[str] = []

    def note(self, kind: str, outcome: object) -> None:
        self.answers[kind][str(outcome)] += 1

    def fail(self, kind: str, what: str) -> None:
        self.failures[kind] += 1
        if len(self.examples) < 40:
            self.examples.append(f"{time.strftime('%H:%M:%S')} {kind}: {what}")

    def expect(self, kind: str, path: str, answer: Answer, *statuses: int) -> None:
        self.note(kind, answer.status)
        if answer.status not in statuses:
            self.fail(kind, f"{answer.status} for {path}: {answer.body[:200]!r}")


def time_range() -> str:
    """Some minutes, all of which there is something in once it has warmed up: answers must not grow by themselves."""
    end = int(time.time()) // 60 * 60 - 60 * random.randrange(4)
    texts = [
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)) for moment in (end - 60 * random.randint(1, 3), end)
    ]
    return "from={}&to={}".format(*texts)


async def hot(target: Target, tally: Tally) -> None:
    async with target.connected() as connection:
        for _ in range(random.randint(1, 50)):
            path = f"/v1/top-items?n=10&location={random.randint(1, 3)}"
            fields = [("Accept-Encoding", "gzip")] if random.random() < 0.3 else []
            tally.expect("hot", path, await connection.get(path, fields), 200)
            await asyncio.sleep(0.01)


async def uncached(target: Target, tally: Tally) -> None:
    async with target.connected() as connection:
        for _ in range(random.randint(1, 10)):
            locations = "".join(f"&location={random.randint(1, LOCATIONS)}" for _ in range(random.randint(0, 4)))
            path = f"/v1/top-items?n={random.randint(1, 1000)}&{time_range()}{locations}"
            tally.expect("uncached", path, await connection.get(path), 200)
            await asyncio.sleep(0.05)


async def conditional(target: Target, tally: Tally) -> None:
    path = f"/v1/top-items?n=20&location={random.randint(1, 5)}"
    tag = "*nothing*"
    async with target.connected() as connection:
        for _ in range(10):
            answer = await connection.get(path, [("If-None-Match", tag)] if tag.startswith(("W/", '"')) else [])
            tally.expect("conditional", path, answer, 200, 304)
            tag = answer.fields.get("etag", tag)
            await asyncio.sleep(random.uniform(0, 0.3))


FORMATS = [
    "/v1/top-items.csv?n=100&group=all",
    "/v1/top-items.ndjson?n=1000",
    "/v1/top-items.json?n=50",
    "/v1/top-items/series?n=5&location=1",
    "/v1/locations",
    "/v1/locations.csv",
    "/v1/items?limit=50",
    "/v1/status",
    "/odata/v4/",
    "/odata/v4/$metadata",
    "/odata/v4/TopItems?$top=50&$filter=geographical_location_oid%20eq%201",
    "/odata/v4/TopItems?$count=true&$top=200",
    "/",
    "/bi/",
    "/openapi.json",
    "/metrics",
    "/healthz",
    "/readyz",
]


async def formats(target: Target, tally: Tally) -> None:
    async with target.connected() as connection:
        for path in random.sample(FORMATS, 6):
            fields = [("Accept-Encoding", "gzip")] if random.random() < 0.5 else []
            tally.expect("formats", path, await connection.get(path, fields), 200)


async def pages(target: Target, tally: Tally) -> None:
    """Reads a result page by page, and gives some of them up half-way: the server keeps their rest for five minutes."""
    path = "/odata/v4/TopItems?$top=100"
    async with target.connected() as connection:
        for _ in range(random.randint(1, 5)):
            answer = await connection.get(
                path, [("Host", target.origin.partition("//")[2]), ("Prefer", "maxpagesize=20")]
            )
            tally.expect("pages", path, answer, 200)
            following = json.loads(answer.body).get("@odata.nextLink")
            if following is None:
                return
            path = following.removeprefix(target.origin)


async def stream(target: Target, tally: Tally) -> None:
    """Follows an answer for some seconds, and leaves: in order, or by a reset."""
    path = f"/v1/top-items/stream?n=5&location={random.randint(1, LOCATIONS)}"
    async with target.connected(resets=random.random() < 0.5) as connection:
        connection.writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        events = 0
        try:
            async with asyncio.timeout(20) as limit:
                status, _ = await connection.head()
                tally.note("stream", status)
                if status != 200:
                    tally.fail("stream", f"{status} for {path}")
                    return
                async for chunk in connection.chunks():
                    if events == 0 and b"event: top-items" in chunk:
                        limit.reschedule(asyncio.get_running_loop().time() + random.uniform(1, 20))
                    events += chunk.count(b"event: top-items")
        except TimeoutError:
            pass
        tally.answers["stream"]["events"] += events
        if events == 0:
            tally.fail("stream", f"no event for {path}")


async def slow_reader(target: Target, tally: Tally) -> None:
    """Asks for much and hardly reads: the server must end it, after 30 s and one more for each 16 KB that were taken,
    also by the buffers of this client: half a megabyte with TLS."""
    async with target.connected(receive_buffer=4096) as connection:
        connection.writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 300)
        try:
            async with asyncio.timeout(150):
                while await connection.reader.read(512):
                    # Behind what is buffered here an end is not seen for minutes: it is learned by sending. Empty lines
                    # before a request are no request.
                    connection.writer.write(b"\r\n")
                    await asyncio.sleep(0.5)
        except (ConnectionError, ssl.SSLError):
            pass
        except TimeoutError:
            tally.fail("slow reader", "was not ended within 150 s")
            return
        tally.note("slow reader", "ended by the server")


async def slow_sender(target: Target, tally: Tally) -> None:
    """Never ends its head."""
    async with target.connected() as connection:
        try:
            async with asyncio.timeout(25):
                connection.writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
                # Whether something has come, without waiting for it: only the private field says so.
                while not connection.reader.at_eof() and not connection.reader._buffer:  # type: ignore[attr-defined]
                    connection.writer.write(b"x")
                    await asyncio.sleep(0.5)
        except (ConnectionError, ssl.SSLError):
            pass
        except TimeoutError:
            tally.fail("slow sender", "was not ended within 25 s")
            return
        tally.note("slow sender", "ended by the server")


async def aborted(target: Target, tally: Tally) -> None:
    """Leaves in the middle of something."""
    way = random.choice(["head", "question", "answer", "handshake"])
    async with target.connected(resets=random.random() < 0.7, encrypts=way != "handshake") as connection:
        path = f"/v1/top-items.csv?n=1000&{time_range()}" if way == "question" else "/openapi.json"
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        if way == "head":
            request = request[: random.randrange(len(request))]
        elif way == "handshake":
            request = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        connection.writer.write(request)
        await connection.writer.drain()
        if way == "answer":
            await connection.reader.read(100)
        await asyncio.sleep(random.uniform(0, 0.05))
        tally.note("aborted", way)


BAD = [
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-Filler: " + b"y" * 70000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/3.7\r\nHost: a\r\n\r\n", 505),
    (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    (b"DELETE /v1/top-items HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    (b"GET /v1/top-items?n=0 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404),
    (b"GET /v1/top-items?n=abc&location=x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400),
    (b"\x00\xff\x17\x03 nonsense\r\n\r\n", 400),
]


async def bad(target: Target, tally: Tally) -> None:
    request, status = random.choice(BAD)
    async with target.connected() as connection:
        connection.writer.write(request)
        try:
            async with asyncio.timeout(15):
                tally.expect("bad", repr(request[:60]), await connection.answer(), status)
        except Closed:
            tally.note("bad", "closed")
        except TimeoutError:
            tally.fail("bad", f"neither answered nor closed: {request[:60]!r}")


async def run(*command: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await process.communicate()
        return process.returncode, output.decode(errors="replace")
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise


async def http2(target: Target, tally: Tally) -> None:
    """Connections of h2load, with several streams each: hot and uncached questions, conditional ones."""
    paths = [
        f"/v1/top-items?n=10&location={random.randint(1, 3)}",
        f"/v1/top-items?n={random.randint(1, 1000)}&{time_range()}",
        "/openapi.json",
        f"/v1/top-items.csv?n=100&{time_range()}",
    ]
    status, output = await run(
        "h2load", "-n", "60", "-c", "3", "-m", "5", "-t", "1", "--rps", "10", *(target.origin + path for path in paths)
    )
    found = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", output)
    if status != 0 or not found or found.groups() != ("60", "0", "0", "0"):
        tally.fail("HTTP/2", f"h2load ended with {status}: {output[-500:]}")
        return
    tally.answers["HTTP/2"]["200"] += 60


async def http2_stream(target: Target, tally: Tally) -> None:
    """Follows an answer over HTTP/2, and leaves."""
    version = "--http2" if target.context else "--http2-prior-knowledge"
    seconds = f"{random.uniform(10, 20):.1f}"
    _, output = await run(
        "curl",
        "--silent",
        "--insecure",
        version,
        "--no-buffer",
        "--max-time",
        seconds,
        f"{target.origin}/v1/top-items/stream?n=5&location={random.randint(1, LOCATIONS)}",
    )
    events = output.count("event: top-items")
    tally.answers["HTTP/2 stream"]["events"] += events
    tally.note("HTTP/2 stream", "followed")
    if events == 0:
        tally.fail("HTTP/2 stream", f"no event: {output[:200]}")


Kind = Callable[[Target, Tally], Coroutine[Any, Any, None]]

# How many of each kind there are at one time, and how long each pauses before the next, in seconds.
KINDS: list[tuple[Kind, int, float]] = [
    (hot, 2, 0.2),
    (uncached, 1, 0.5),
    (conditional, 2, 0.5),
    (formats, 1, 1),
    (pages, 1, 2),
    (stream, 10, 0.5),
    (slow_reader, 3, 1),
    (slow_sender, 2, 1),
    (aborted, 2, 0.2),
    (bad, 2, 0.3),
    (http2, 1, 3),
    (http2_stream, 1, 1),
]


async def repeat(kind: Kind, pause: float, target: Target, tally: Tally) -> None:
    while True:
        try:
            await kind(target, tally)
        except (Closed, OSError, TimeoutError) as error:
            tally.fail(kind.__name__, f"{target.name}: {error!r}")
        await asyncio.sleep(random.uniform(0, 2 * pause))


async def load(targets: list[Target], tally: Tally, seconds: float) -> None:
    """All of them, for so long."""
    clients: Collection[asyncio.Task[None]] = [
        asyncio.create_task(repeat(kind, pause, target, tally))
        for target in targets
        for kind, number, pause in KINDS
        for _ in range(number)
    ]
    try:
        done, _ = await asyncio.wait(clients, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for client in done:
            client.result()
    finally:
        # Again and again: a deadline that passes at this very moment would swallow it.
        while clients:
            for client in clients:
                client.cancel()
            _, clients = await asyncio.wait(clients, timeout=1)
