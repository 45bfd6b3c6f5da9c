"""The web data connector, driven by a host that speaks Tableau's protocol."""

import datetime
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import events
import pytest
from deployment import Deployment, Rank, ranking
from fixture_types import Recount, WatchedPage
from playwright.sync_api import Request, Route
from wdc.tableau_host import Origin, TableauHost

HOUR = datetime.timedelta(hours=1)


@pytest.fixture(scope="module")
def connector(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """The addresses of a connector that loads the host's script, and of the host."""
    with Origin() as origin, deployment.another_server("--tableau-script", f"{origin.address}/tableau.js") as base_url:
        yield f"{base_url}/wdc/", origin.address


@pytest.fixture
def host(page: WatchedPage, connector: tuple[str, str]) -> TableauHost:
    address, origin = connector
    return TableauHost(page, origin, address)


def start_of(row: Mapping[str, Any]) -> datetime.datetime:
    return datetime.datetime.strptime(row["window_start"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=datetime.UTC)


def lists(rows: Iterable[Mapping[str, Any]]) -> dict[datetime.datetime, dict[int, list[Rank]]]:
    """{window: {location: [(rank, item, count)]}}"""
    result: dict[datetime.datetime, dict[int, list[Rank]]] = {}
    for row in rows:
        line = (row["item_rank"], row["item_name"], row["item_count"])
        result.setdefault(start_of(row), {}).setdefault(int(row["geographical_location_oid"]), []).append(line)
    return result


def test_a_full_refresh_brings_each_final_window_as_sql_counts_it(
    host: TableauHost, deployment: Deployment, recount: Recount
) -> None:
    props = host.interact(n=1000, unit="hour", days=1)
    rows = host.refresh(props, "top_items_by_window")
    windows = lists(rows)
    assert len(windows) >= 3
    for start, locations in windows.items():
        assert locations == {oid: ranking(items, 1000) for oid, items in recount(start, start + HOUR).items()}
    # Not one is left out in between, and none that events are still expected for is there.
    assert sorted(windows) == [min(windows) + HOUR * number for number in range(len(windows))]
    assert max(windows) + HOUR <= deployment.now
    assert len(host.messages("_dataDoneCallback")) == 1 and host.messages("abortWithError") == []


def test_values_have_the_types_that_the_schema_says(host: TableauHost) -> None:
    props = host.interact(n=1000, unit="hour", days=1)
    assert host.begin_gathering(props)["msgName"] == "initCallback"
    schema = host.schema()
    assert schema["top_items_by_window"]["incrementColumnId"] == "window_start"
    assert "incrementColumnId" not in schema["top_items_newest"]
    for table in schema.values():
        for name in [table["id"], *(column["id"] for column in table["columns"])]:
            assert re.fullmatch(r"[a-zA-Z0-9_]*", name)
    kinds: dict[str, type | tuple[type, ...]] = {"string": (str, type(None)), "datetime": str, "int": int}
    table = schema["top_items_by_window"]
    rows = host.gather(table)
    for row in rows:
        assert set(row) == {column["id"] for column in table["columns"]}
        for column in table["columns"]:
            assert isinstance(row[column["id"]], kinds[column["dataType"]]), column["id"]
            if column["dataType"] == "datetime":
                assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row[column["id"]])
    assert {str(events.BEYOND_DOUBLE), str(events.LARGEST)} <= {row["geographical_location_oid"] for row in rows}
    assert set(events.HOSTILE_ITEMS) <= {row["item_name"] for row in rows}
    names = {int(row["geographical_location_oid"]): row["geographical_location"] for row in rows}
    assert names == {**{oid: events.LOCATIONS.get(oid) for oid in names}}
    assert names[events.UNNAMED_LOCATION] is None


def test_incremental_refreshes_add_up_to_a_full_one(host: TableauHost) -> None:
    props = host.interact(n=5, unit="hour", days=1)
    full = host.refresh(props, "top_items_by_window")
    starts = sorted({row["window_start"] for row in full})
    for last, form in itertools.product(starts, ["{}", "{}.000"]):
        rows = host.refresh(props, "top_items_by_window", increment=form.format(last))
        assert rows == [row for row in full if row["window_start"] > last]


def test_an_incremental_value_that_is_no_time_asks_for_a_full_refresh(host: TableauHost) -> None:
    props = host.interact(n=5)
    assert host.refresh(props, "top_items_by_window", increment="yesterday") == []
    assert "full refresh" in host.wait_for("abortWithError")["msgData"]["errorMsg"]
    assert host.messages("_dataDoneCallback") == []


def test_the_newest_list_is_that_of_the_api(host: TableauHost, recount: Recount, deployment: Deployment) -> None:
    props = host.interact(n=3, unit="day", group="all")
    rows = host.refresh(props, "top_items_newest")
    end = datetime.datetime.strptime(rows[0]["window_end"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=datetime.UTC)
    total: dict[str, int] = {}
    for items in recount(end - 24 * HOUR, end).values():
        for item, count in items.items():
            total[item] = total.get(item, 0) + count
    assert [(row["item_rank"], row["item_name"], row["item_count"]) for row in rows] == ranking(total, 3)
    assert {row["geographical_location_oid"] for row in rows} == {None}
    assert {row["state"] for row in rows} <= {"open", "settling", "final"}


def test_chosen_locations_are_the_only_ones(host: TableauHost) -> None:
    props = host.interact(n=1000, unit="hour", days=1, locations=f"1, {events.BEYOND_DOUBLE}")
    rows = host.refresh(props, "top_items_by_window")
    assert {row["geographical_location_oid"] for row in rows} == {"1", str(events.BEYOND_DOUBLE)}


def test_nothing_can_be_submitted_before_init(host: TableauHost) -> None:
    host.open()
    assert host.frame.locator("#connect").is_disabled()
    host.send("init", {"phase": "interactive"})
    host.wait_for("initCallback")
    host.frame.locator("#connect:not([disabled])").wait_for()
    assert host.messages("submit") == []


def test_a_location_that_is_no_number_is_refused_in_the_form(host: TableauHost) -> None:
    host.open()
    host.send("init", {"phase": "interactive"})
    host.wait_for("initCallback")
    host.frame.locator("#locations").fill("1, <b>2</b>")
    host.frame.locator("#connect").click()
    assert "<b>2</b> is not a location oid" in host.frame.locator("#problem").inner_text()
    assert host.messages("submit") == []


def test_the_key_is_in_the_password_only_and_goes_out_as_a_bearer_token(host: TableauHost, page: WatchedPage) -> None:
    props = host.interact(n=2, key="s3cret")
    assert props["password"] == "s3cret" and props["authType"] == "custom"
    assert "s3cret" not in json.dumps({**props, "password": ""})
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if "/v1/" in request.url else None)
    host.refresh(props, "top_items_newest")
    assert sent and all(request.headers["authorization"] == "Bearer s3cret" for request in sent)
    assert not any("s3cret" in request.url for request in sent)


def test_a_refused_key_is_asked_for_again_but_only_from_init(host: TableauHost, page: WatchedPage) -> None:
    props = host.interact(n=2, key="old")
    page.expected_errors.append("401")

    def refuse(route: Route) -> None:
        route.fulfill(status=401, json={"type": "unauthorized", "detail": "No such key."})

    page.route("**/v1/**", refuse)
    assert host.begin_gathering(props)["msgName"] == "abortForAuth"
    assert host.messages("initCallback") == [] and host.messages("abortWithError") == []

    # Revoked after init: an error, as the protocol has nothing else there.
    page.unroute("**/v1/**")
    assert host.begin_gathering(props)["msgName"] == "initCallback"
    page.route("**/v1/**", refuse)
    assert host.gather(host.schema()["top_items_newest"]) == []
    assert "No such key." in host.wait_for("abortWithError")["msgData"]["errorMsg"]
    assert host.messages("abortForAuth") == [] and host.messages("_dataDoneCallback") == []

    # And in the phase in which Tableau asks for it, only the key is asked for.
    page.unroute("**/v1/**")
    renewed = host.interact(phase="auth", props=props, key="new")
    assert renewed["password"] == "new" and renewed["connectionData"] == props["connectionData"]


@pytest.mark.parametrize(
    "failure",
    [
        lambda route: route.fulfill(status=503, json={"detail": "The database cannot be reached."}),
        lambda route: route.fulfill(status=502, body="<html>a proxy's page</html>"),
        lambda route: route.fulfill(status=200, body='{"meta": {"state": "final"}, "data": ['),
        lambda route: route.abort("connectionreset"),
    ],
    ids=["unavailable", "a proxy's page", "a cut answer", "no answer"],
)
def test_a_failure_in_the_middle_aborts_once_and_is_never_the_end(
    host: TableauHost, page: WatchedPage, failure: Callable[[Route], None]
) -> None:
    props = host.interact(n=1000, unit="hour", days=1)
    assert host.begin_gathering(props)["msgName"] == "initCallback"
    asked = itertools.count()
    page.expected_errors.append("Failed to load resource")
    page.route("**/v1/**", lambda route: route.continue_() if next(asked) < 21 else failure(route))
    host.gather(host.schema()["top_items_by_window"])
    assert len(host.messages("abortWithError")) == 1
    assert host.messages("_dataDoneCallback") == []


def test_many_rows_come_in_pages_and_go_on_in_chunks(host: TableauHost, page: WatchedPage) -> None:
    props = host.interact(n=1000, unit="day")
    row = {
        "geographical_location_oid": "1",
        "geographical_location": "A",
        "item_count": 1,
        "item_name": "x",
        "window_start": "2026-11-01T00:00:00Z",
        "window_end": "2026-11-02T00:00:00Z",
    }
    cursors: list[int] = []

    def answer(route: Route) -> None:
        cursor = re.search(r"cursor=(\d+)", route.request.url)
        number = int(cursor.group(1)) if cursor else 0
        cursors.append(number)
        data = [{**row, "item_rank": number * 3000 + place} for place in range(3000)]
        body = {"meta": {"state": "open"}, "data": data, "next_cursor": str(number + 1) if number < 2 else None}
        route.fulfill(json=body)

    assert host.begin_gathering(props)["msgName"] == "initCallback"
    page.route("**/v1/top-items?*", answer)
    rows = host.gather(host.schema()["top_items_newest"])
    assert cursors == [0, 1, 2]
    assert [row["item_rank"] for row in rows] == list(range(9000))
    assert [len(m["msgData"]["data"]) for m in host.messages("_tableDataCallback")] == [5000, 4000]


def test_without_tableaus_script_the_page_says_so(page: WatchedPage, deployment: Deployment) -> None:
    page.expected_errors += ["Failed to load resource", "net::ERR"]
    page.route("https://connectors.tableau.com/**", lambda route: route.abort())
    page.goto(f"{deployment.base_url}/wdc/")
    assert "could not be loaded" in page.locator("#problem").inner_text()
