"""The queries of Grafana's dashboard, with its macros replaced as Grafana replaces them, as a reader that may do no
more."""

from __future__ import annotations

import datetime
import json
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import events
import psycopg
import pytest
import yaml

if TYPE_CHECKING:
    from deployment import Counts, Deployment

GRAFANA = pathlib.Path(__file__).parents[2] / "deploy" / "grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards" / "top-items.json").read_text())
PANELS = {panel["title"]: panel["targets"][0]["rawSql"] for panel in DASHBOARD["panels"]}


@pytest.fixture(scope="module")
def reader(deployment: Deployment) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(deployment.database_url, autocommit=True) as connection:
        connection.execute("SET ROLE topitems_reader")
        yield connection


def replaced(sql: str, start: datetime.datetime, end: datetime.datetime, locations: Iterable[int], n: int = 10) -> str:
    def text(time: datetime.datetime) -> str:
        return f"'{time:%Y-%m-%dT%H:%M:%SZ}'"

    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN {text(start)} AND {text(end)}", sql)
    sql = sql.replace("$__timeFrom()", text(start)).replace("$__timeTo()", text(end))
    sql = sql.replace("${location:csv}", ",".join(map(str, locations))).replace("$n", str(n))
    assert "$" not in sql, sql
    return sql


@pytest.fixture
def ask(deployment: Deployment, reader: psycopg.Connection[Any]) -> Any:
    end = deployment.now.replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
    start = end - datetime.timedelta(hours=8)

    def ask(title: str, locations: tuple[int, ...] = (*events.LOCATIONS, events.UNNAMED_LOCATION)) -> Any:
        return reader.execute(replaced(PANELS[title], start, end, locations)).fetchall()

    return ask


def test_the_list_of_locations_keeps_every_oid_exact(reader: psycopg.Connection[Any]) -> None:
    (query,) = [v["query"] for v in DASHBOARD["templating"]["list"] if v["name"] == "location"]
    names = dict(reader.execute(query).fetchall())
    assert {str(oid): name for oid, name in events.LOCATIONS.items()}.items() <= names.items()
    assert names[str(events.UNNAMED_LOCATION)] == str(events.UNNAMED_LOCATION)


def test_the_most_frequent_items_are_those_of_a_recount(
    ask: Callable[..., list[Any]], recount: Callable[..., Counts]
) -> None:
    best = sorted(recount()[3].items(), key=lambda item: (-item[1], item[0].encode()))[:10]
    assert ask("Most frequent items", [3]) == best


def test_the_courses_add_up_to_what_was_counted(ask: Callable[..., list[Any]], recount: Callable[..., Counts]) -> None:
    counts = recount()[3]
    course = ask("The five most frequent, minute by minute", [3])
    sums: dict[Any, Any] = {}
    for _, item, count in course:
        sums[item] = sums.get(item, 0) + count
    assert len(sums) == 5 and sums == {item: counts[item] for item in sums}
    assert sum(count for _, count in ask("All detections", [3])) == sum(counts.values())


def test_the_table_has_three_ranks_of_each_hour(ask: Callable[..., list[Any]]) -> None:
    rows = ask("Top three of each hour")
    assert rows and {rank for _, _, rank, _, _ in rows} == {1, 2, 3}
    assert len({(place, hour, rank) for place, hour, rank, _, _ in rows}) == len(rows)


def test_every_panel_asks_the_provisioned_source() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/topitems.yaml").read_text())["datasources"]
    for panel in DASHBOARD["panels"]:
        assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}
    assert "$" in source["secureJsonData"]["password"], "no password stands in the repository"
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_reader_cannot_write_or_look_behind_the_views(reader: psycopg.Connection[Any]) -> None:
    for statement in (
        "DELETE FROM bi.locations",
        "SELECT * FROM detection",
        "INSERT INTO bi.window_counts DEFAULT VALUES",
    ):
        with pytest.raises(psycopg.errors.Error, match=r"permission denied|cannot"):
            reader.execute(statement)
