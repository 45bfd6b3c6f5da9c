"""The queries of Grafana's dashboard, with its macros replaced as Grafana does, as a reader that may do no more."""

import datetime
import json
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import events
import psycopg
import pytest
import yaml
from deployment import Deployment
from fixture_types import Recount

GRAFANA = pathlib.Path(__file__).parents[2] / "deploy" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "top-items.json").read_text())
PANELS: dict[str, str] = {panel["title"]: panel["targets"][0]["rawSql"] for panel in DASHBOARD["panels"]}


Row = tuple[Any, ...]


class Ask(Protocol):
    def __call__(self, title: str, locations: Sequence[int] = ...) -> list[Row]: ...


@pytest.fixture(scope="module")
def reader(deployment: Deployment) -> Iterator[psycopg.Connection[Row]]:
    with psycopg.connect(deployment.database_url, autocommit=True) as connection:
        connection.execute("SET ROLE topitems_reader")
        yield connection


def replaced(sql: str, start: datetime.datetime, end: datetime.datetime, locations: Sequence[int], n: int = 10) -> str:
    def text(time: datetime.datetime) -> str:
        return f"'{time:%Y-%m-%dT%H:%M:%SZ}'"

    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN {text(start)} AND {text(end)}", sql)
    sql = sql.replace("$__timeFrom()", text(start)).replace("$__timeTo()", text(end))
    sql = sql.replace("${location:csv}", ",".join(map(str, locations))).replace("$n", str(n))
    assert "$" not in sql, sql
    return sql


@pytest.fixture
def ask(deployment: Deployment, reader: psycopg.Connection[Row]) -> Ask:
    end = deployment.now.replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
    start = end - datetime.timedelta(hours=8)

    def ask(title: str, locations: Sequence[int] = (*events.LOCATIONS, events.UNNAMED_LOCATION)) -> list[Row]:
        return reader.execute(replaced(PANELS[title], start, end, locations)).fetchall()

    return ask


def test_the_list_of_locations_keeps_every_oid_exact(reader: psycopg.Connection[Row]) -> None:
    (query,) = [v["query"] for v in DASHBOARD["templating"]["list"] if v["name"] == "location"]
    names: dict[str, str] = dict(reader.execute(query).fetchall())
    assert {str(oid): name for oid, name in events.LOCATIONS.items()}.items() <= names.items()
    assert names[str(events.UNNAMED_LOCATION)] == str(events.UNNAMED_LOCATION)


def test_the_most_frequent_items_are_those_of_a_recount(ask: Ask, recount: Recount) -> None:
    best = sorted(recount()[3].items(), key=lambda item: (-item[1], item[0].encode()))[:10]
    assert ask("Most frequent items", [3]) == best


def test_the_courses_add_up_to_what_was_counted(ask: Ask, recount: Recount) -> None:
    counts = recount()[3]
    course = ask("The five most frequent, minute by minute", [3])
    sums: dict[str, int] = {}
    for _, item, count in course:
        sums[item] = sums.get(item, 0) + count
    assert len(sums) == 5 and sums == {item: counts[item] for item in sums}
    assert sum(count for _, count in ask("All detections", [3])) == sum(counts.values())


def test_the_table_has_three_ranks_of_each_hour(ask: Ask) -> None:
    rows = ask("Top three of each hour")
    assert rows and {rank for _, _, rank, _, _ in rows} == {1, 2, 3}
    assert len({(place, hour, rank) for place, hour, rank, _, _ in rows}) == len(rows)


def test_every_panel_asks_the_provisioned_source() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/topitems.yaml").read_text())["datasources"]
    for panel in DASHBOARD["panels"]:
        assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}
    assert "$" in source["secureJsonData"]["password"], "no password stands in the repository"
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_reader_cannot_write_or_look_behind_the_views(reader: psycopg.Connection[Row]) -> None:
    for statement in (
        "DELETE FROM bi.locations",
        "SELECT * FROM detection",
        "INSERT INTO bi.window_counts DEFAULT VALUES",
    ):
        with pytest.raises(psycopg.errors.Error, match=r"permission denied|cannot"):
            reader.execute(statement)
