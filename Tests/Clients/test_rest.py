"""The REST formats, read by Python's json and csv: the same numbers as a recount, exactly, in each of them."""

import csv
import datetime
import email.message
import io
import json
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import events
import psycopg
import pytest
from deployment import Deployment, ranking, wait_until
from fixture_types import Publish, Recount

Parameters = Mapping[str, Any] | Sequence[tuple[str, Any]]
Span = tuple[datetime.datetime, datetime.datetime]
# Location, rank, item and count.
Row = tuple[str, int, str, int]
# A minute, and the parameters that ask for it.
Many = tuple[datetime.datetime, dict[str, Any]]


def fetch(
    base_url: str, path: str, parameters: Parameters = (), headers: Iterable[tuple[str, str]] = ()
) -> tuple[email.message.Message, bytes]:
    query = urllib.parse.urlencode(parameters, doseq=True)
    request = urllib.request.Request(f"{base_url}{path}?{query}", headers=dict(headers))
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.headers, response.read()


def page(base_url: str, path: str, parameters: Parameters = ()) -> Any:
    return json.loads(fetch(base_url, path, parameters)[1])


def table(base_url: str, path: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
    """CSV as Python reads it, types put back."""
    text = fetch(base_url, path, parameters)[1].decode("utf-8")
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(text, newline="")))
    for row in rows:
        row["item_count"], row["item_rank"] = int(row["item_count"]), int(row["item_rank"])
        row["geographical_location"] = row["geographical_location"] or None
    return rows


@pytest.fixture
def span(deployment: Deployment) -> Span:
    """The hours of the known events."""
    start = deployment.now.replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=6)
    return start, start + datetime.timedelta(hours=7)


def query_of(span: Span, **more: Any) -> dict[str, Any]:
    return {"from": span[0].isoformat(), "to": span[1].isoformat(), **more}


def expected(recount: Recount, span: Span, n: int) -> list[Row]:
    counts = recount(*span)
    return [(str(location), *row) for location in sorted(counts) for row in ranking(counts[location], n)]


def found(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    return [(row["geographical_location_oid"], row["item_rank"], row["item_name"], row["item_count"]) for row in rows]


def test_every_format_has_the_numbers_and_names_of_a_recount(base_url: str, recount: Recount, span: Span) -> None:
    wanted = expected(recount, span, 1000)
    assert {item for _, _, item, _ in wanted} >= set(events.PLAIN_ITEMS + events.HOSTILE_ITEMS)
    asked = query_of(span, n=1000)
    whole = page(base_url, "/v1/top-items", asked)
    assert found(whole["data"]) == wanted
    assert whole["rows"] == len(wanted) and whole["next"] is None
    assert page(base_url, "/v1/top-items.json", asked) == whole["data"]
    lines = fetch(base_url, "/v1/top-items.ndjson", asked)[1].decode().split("\n")
    assert lines.pop() == "" and [json.loads(line) for line in lines] == whole["data"]
    plain = table(base_url, "/v1/top-items.csv", asked | {"escape_formulas": "false"})
    assert found(plain) == wanted
    assert [{**row} for row in plain] == whole["data"]


def test_csv_is_inert_in_a_spreadsheet(base_url: str, recount: Recount, span: Span) -> None:
    asked = query_of(span, n=1000)
    guarded = table(base_url, "/v1/top-items.csv", asked)
    plain = table(base_url, "/v1/top-items.csv", asked | {"escape_formulas": "false"})
    changed = 0
    for row, original in zip(guarded, plain, strict=True):
        for column in ("item_name", "geographical_location"):
            text, raw = row[column], original[column]
            assert text is None or not text.startswith(tuple("=+-@\t\r"))
            changed += text != raw
            assert text == raw or text == "'" + raw
    assert changed >= 6


def test_oids_beyond_doubles_and_their_names_are_exact(base_url: str, span: Span) -> None:
    for location in (events.BEYOND_DOUBLE, events.LARGEST):
        for style in ("string", "number"):
            rows = page(base_url, "/v1/top-items.json", query_of(span, location=location, int64=style))
            assert rows and all(int(row["geographical_location_oid"]) == location for row in rows)
            assert {row["geographical_location"] for row in rows} == {events.LOCATIONS[location]}


def test_a_location_without_a_name_has_none(base_url: str, span: Span) -> None:
    rows = page(base_url, "/v1/top-items.json", query_of(span, location=events.UNNAMED_LOCATION))
    assert rows and all(row["geographical_location"] is None for row in rows)


def test_locations_and_items_are_the_dimensions(base_url: str, deployment: Deployment) -> None:
    locations = {
        int(row["geographical_location_oid"]): row["geographical_location"]
        for row in page(base_url, "/v1/locations.json")
    }
    assert locations.items() >= events.LOCATIONS.items()
    assert locations[events.UNNAMED_LOCATION] is None
    assert page(base_url, "/v1/locations")["rows"] == len(locations)
    items = [row["item_name"] for row in page(base_url, "/v1/items")["data"]]
    assert set(items) >= set(events.PLAIN_ITEMS + events.HOSTILE_ITEMS)
    assert items == sorted(items, key=str.encode)


def test_one_ranking_over_all_with_shares_and_the_rest(base_url: str, recount: Recount, span: Span) -> None:
    total: dict[str, int] = {}
    for counts in recount(*span).values():
        for item, count in counts.items():
            total[item] = total.get(item, 0) + count
    rows = page(base_url, "/v1/top-items.json", query_of(span, n=3, group="all", share="true", others="true"))
    assert [(row["item_rank"], row["item_name"], row["item_count"]) for row in rows[:3]] == ranking(total, 3)
    everything = sum(total.values())
    assert rows[3]["item_name"] is None and sum(row["item_count"] for row in rows) == everything
    for row in rows:
        assert abs(row["share"] - row["item_count"] / everything) <= 0.5e-6


def test_comparison_with_the_hours_before_equals_two_recounts(base_url: str, recount: Recount, span: Span) -> None:
    middle = span[0] + datetime.timedelta(hours=3)
    end = middle + datetime.timedelta(hours=2)
    now, before = recount(middle, end, [1]), recount(middle - (end - middle), middle, [1])
    rows = page(base_url, "/v1/top-items.json", query_of((middle, end), location=1, n=5, compare="previous"))
    old = {item: (rank, count) for rank, item, count in ranking(before[1], 1000)}
    assert found([row for row in rows if row["item_rank"]]) == [("1", *row) for row in ranking(now[1], 5)]
    for row in rows:
        rank, count = old.get(row["item_name"], (None, 0))
        assert (row["previous_rank"], row["previous_count"]) == (rank, count)
        assert row["delta"] == row["item_count"] - count
    missing = {item for item, (rank, _) in old.items() if rank <= 5} - {row[1] for row in ranking(now[1], 5)}
    assert {row["item_name"] for row in rows if row["change"] == "out"} == missing


@pytest.mark.parametrize(("bucket", "minutes"), [("5m", 5), ("1h", 60), ("1d", 1440)])
def test_a_series_equals_a_recount_of_each_bucket(
    base_url: str, recount: Recount, span: Span, bucket: str, minutes: int
) -> None:
    rows = page(base_url, "/v1/top-items/series", query_of(span, location=1, n=2, bucket=bucket))["data"]
    assert len(rows) >= 2 and sum(row["item_count"] for row in rows) > 0
    for row in rows:
        start, end = (datetime.datetime.fromisoformat(row[name]) for name in ("window_start", "window_end"))
        assert start >= span[0] and end <= span[1] and end - start <= datetime.timedelta(minutes=minutes)
        counts = recount(start, end, [1]).get(1, {})
        assert row["item_count"] == counts.get(row["item_name"], 0)


def test_times_are_shown_in_a_zone_and_mean_the_same(base_url: str, span: Span) -> None:
    asked = query_of(span, location=1, n=1)
    utc, kathmandu = (page(base_url, "/v1/top-items", asked | {"tz": zone}) for zone in ("UTC", "Asia/Kathmandu"))
    for name in ("from", "to"):
        assert utc["meta"][name].endswith("Z") and kathmandu["meta"][name].endswith("+05:45")
        assert datetime.datetime.fromisoformat(utc["meta"][name]) == datetime.datetime.fromisoformat(
            kathmandu["meta"][name]
        )
    assert page(base_url, "/v1/top-items.json", asked | {"from": span[0].astimezone().isoformat()}) == utc["data"]


PLACES, THINGS = range(10_000, 10_250), 400


@pytest.fixture(scope="module")
def many(deployment: Deployment) -> Iterator[Many]:
    """250 locations with 400 items each, in a minute three days ago: 100,000 rows. The parameters that ask for them.

    They are written past the worker, into the minutes alone, so that only a question about minutes finds them.
    """
    minute = deployment.now.replace(second=0, microsecond=0) - datetime.timedelta(days=3)
    change = """
        WITH named AS (
          INSERT INTO item (name_sha256, item_name)
          SELECT sha256(convert_to(name, 'UTF8')), name
          FROM (
            SELECT 'thing ' || i || repeat(' of length', 20) AS name FROM generate_series(1, %(things)s) AS i) AS new
          ON CONFLICT (name_sha256) DO UPDATE SET item_name = excluded.item_name RETURNING item_id),
        places AS (
          INSERT INTO counted_location SELECT generate_series(%(first)s::bigint, %(last)s) ON CONFLICT DO NOTHING)
        INSERT INTO window_count
        SELECT place, %(minute)s, item_id, 1 + item_id %% 7
        FROM generate_series(%(first)s::bigint, %(last)s) AS place, named
    """
    values = {"things": THINGS, "first": PLACES[0], "last": PLACES[-1], "minute": minute}
    with psycopg.connect(deployment.database_url) as connection:
        connection.execute(change, values)
        connection.execute("ANALYZE item, window_count, counted_location")
    yield minute, {"from": minute.isoformat(), "to": (minute + datetime.timedelta(minutes=1)).isoformat(), "n": 1000}
    with psycopg.connect(deployment.database_url) as connection:
        for table in ("window_count", "counted_location"):
            connection.execute(
                f"DELETE FROM {table} WHERE geographical_location_oid BETWEEN %(first)s AND %(last)s", values
            )


def test_100_000_rows_in_pages_of_500_are_of_one_revision_while_counts_go_on(
    deployment: Deployment, base_url: str, many: Many, publish: Publish
) -> None:
    minute, asked = many
    done = threading.Event()
    problems: list[Exception] = []

    def count_on() -> None:
        # What would move rows to other places, and add some in front and behind.
        try:
            for number in range(10_000):
                if done.is_set():
                    return
                publish(f"new thing {number}", PLACES[number * 7 % len(PLACES)], 5, minute)
        except Exception as error:
            problems.append(error)

    answer = page(base_url, "/v1/top-items", asked | {"limit": 500})
    rows, revisions, pages = answer["data"], {answer["meta"]["revision"]}, 1
    counting = threading.Thread(target=count_on)
    counting.start()
    try:
        while answer["next"]:
            with urllib.request.urlopen(answer["next"], timeout=60) as response:
                answer = json.load(response)
            rows += answer["data"]
            revisions.add(answer["meta"]["revision"])
            pages += 1
    finally:
        done.set()
        counting.join()
    assert not problems
    assert len(revisions) == 1 and pages == 200 and len(rows) == 100_000
    keys = [(int(row["geographical_location_oid"]), row["item_rank"]) for row in rows]
    assert keys == sorted(set(keys)), "a row is repeated or out of order"
    by_place: dict[int, list[int]] = {}
    for place, rank in keys:
        by_place.setdefault(place, []).append(rank)
    assert list(by_place) == list(PLACES)
    assert all(ranks == list(range(1, THINGS + 1)) for ranks in by_place.values())
    later = page(base_url, "/v1/top-items", asked | {"limit": 1, "n": 1})
    assert later["meta"]["revision"] > revisions.pop(), "nothing was counted meanwhile"


@pytest.mark.parametrize("format", ["json", "csv", "ndjson"])
def test_an_answer_that_the_database_breaks_off_never_looks_whole(
    deployment: Deployment, base_url: str, many: Many, format: str
) -> None:
    asked = urllib.parse.urlencode(many[1] | {"compare": "previous", "share": "true"})
    with socket.create_connection(("127.0.0.1", deployment.port), timeout=60) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        client.sendall(f"GET /v1/top-items.{format}?{asked} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        received = client.recv(10_000)
        assert received.startswith(b"HTTP/1.1 200") and b"\r\nTransfer-Encoding: chunked\r\n" in received
        ended = wait_until(
            lambda: deployment.query(
                """
                SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                WHERE application_name = 'topitems serve' AND state = 'active' AND pid <> pg_backend_pid()
                """
            ),
            "the statement runs",
        )
        assert ended == [(True,)]
        try:
            while piece := client.recv(1 << 20):
                received += piece
        except ConnectionResetError:
            pass
    assert not received.endswith(b"\r\n0\r\n\r\n"), "the last chunk says that the answer is whole"
    # The server goes on.
    assert page(base_url, "/v1/top-items", {"n": 1, "location": 1})["rows"] == 1


def test_a_long_answer_is_whole_when_nothing_breaks_and_pages_have_a_limit(
    base_url: str, many: Many, publish: Publish
) -> None:
    minute, asked = many
    headers, body = fetch(base_url, "/v1/top-items.json", asked)
    rows = json.loads(body)
    assert len(rows) >= 100_000 and headers["ETag"] is None
    lines = fetch(base_url, "/v1/top-items.ndjson", asked)[1].splitlines()
    assert [json.loads(line) for line in lines] == rows
    assert len(table(base_url, "/v1/top-items.csv", asked)) == len(rows)
    publish("one more", PLACES[0], 1, minute)
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(base_url, "/v1/top-items", asked)
    assert refused.value.code == 400 and json.load(refused.value)["type"].endswith("too-many-rows")
