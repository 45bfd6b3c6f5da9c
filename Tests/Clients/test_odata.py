"""OData, read by two clients that know nothing of us: python-odata (on requests) and odatapy (modelled on Olingo)."""

import collections
import datetime
import pathlib
import subprocess
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import events
import pytest
import requests
from deployment import Deployment, Rank, ranking
from fixture_types import Publish, Recount
from lxml import etree
from odata import ODataService
from odatapy.client import ODataClient
from odatapy.client.responses import ClientResponse
from odatapy.edm.json_csdl import parse_metadata_json
from odatapy.edm.xml_io import parse_metadata

REPOSITORY = pathlib.Path(__file__).parents[2]
EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
EDMX = "{http://docs.oasis-open.org/odata/ns/edmx}"
SETS = ["TopItems", "TopItemsByMinute", "TopItemsByHour", "TopItemsByDay", "WindowCounts", "Locations"]
POWER_QUERY = {
    "Accept": "application/json;odata.metadata=minimal;q=1.0,application/json;odata=minimalmetadata;q=0.9,"
    "application/atomsvc+xml;q=0.8,application/atom+xml;q=0.8,application/xml;q=0.7,text/plain;q=0.7",
    "OData-MaxVersion": "4.0",
    "User-Agent": "Microsoft.Data.Mashup (https://go.microsoft.com/fwlink/?LinkID=304225)",
}


# {(location, start of the window): what was counted in it}
Ranked = dict[tuple[int, datetime.datetime], list[Rank]]


class Requests:
    """odatapy's transport over requests."""

    def __init__(self) -> None:
        self.session = requests.Session()

    def send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> ClientResponse:
        answer = self.session.request(method, url, headers=headers, data=body or None, timeout=60)
        return ClientResponse(answer.status_code, dict(answer.headers), answer.content)


@pytest.fixture(scope="module")
def root(base_url: str) -> str:
    return f"{base_url}/odata/v4"


@pytest.fixture(scope="module")
def olingo(root: str) -> ODataClient:
    return ODataClient(root, Requests())


@pytest.fixture(scope="module")
def reflected(root: str) -> ODataService:
    return ODataService(root, reflect_entities=True, quiet_progress=True)


def get(url: str, **options: Any) -> requests.Response:
    answer = requests.get(url, timeout=60, **options)
    assert answer.headers["OData-Version"] == "4.0", "once, and this one"
    return answer


def hours(deployment: Deployment) -> Ranked:
    """{(location, hour): [(rank, item, count), …]} from the minutes, by Python alone."""
    counts: dict[tuple[int, datetime.datetime], collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for location, start, item, count in deployment.query(
        "SELECT geographical_location_oid, window_start, item_name, item_count "
        "FROM window_count JOIN item USING (item_id)"
    ):
        hour = start.astimezone(datetime.UTC).replace(minute=0, second=0, microsecond=0)
        counts[location, hour][item] += count
    return {key: ranking(items, 10**6) for key, items in counts.items()}


def instant(value: str | datetime.datetime) -> datetime.datetime:
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    return value if value.tzinfo else value.replace(tzinfo=datetime.UTC)


def tops(rows: Iterable[Mapping[str, Any]]) -> Ranked:
    found: Ranked = collections.defaultdict(list)
    for row in rows:
        place = (int(row["geographical_location_oid"]), instant(row["window_start"]))
        found[place].append((row["item_rank"], row["item_name"], int(row["item_count"])))
    return dict(found)


def test_odatapy_reads_every_hour_through_pages(deployment: Deployment, olingo: ODataClient) -> None:
    pages = list(olingo.iter_pages(f"{olingo.service_root}/TopItemsByHour?$count=true", max_page_size=50))
    rows = [{str(p.name): p.value for p in entity.properties} for page in pages for entity in page.entities]
    assert len(pages) > 5
    assert {page.count for page in pages} == {len(rows)}
    assert tops(rows) == hours(deployment)
    names = {row["geographical_location_oid"]: row["geographical_location"] for row in rows}
    assert names == {oid: events.LOCATIONS.get(oid) for oid in names}
    assert events.UNNAMED_LOCATION in names and events.BEYOND_DOUBLE in names and events.LARGEST in names


def test_python_odata_reads_every_hour_through_pages(deployment: Deployment, root: str) -> None:
    paged = requests.Session()
    paged.headers["Prefer"] = "odata.maxpagesize=50"
    sizes: list[int] = []
    paged.hooks["response"].append(
        lambda answer, **_: sizes.append(len(answer.json()["value"])) if "TopItemsByHour" in answer.url else None
    )
    service = ODataService(root, session=paged, reflect_entities=True, quiet_progress=True)
    entity = service.entities["TopItemsByHour"]
    rows = [
        {
            name: getattr(row, name)
            for name in ("geographical_location_oid", "window_start", "item_rank", "item_name", "item_count")
        }
        for row in service.query(entity)
    ]
    assert tops(rows) == hours(deployment)
    assert len(sizes) > 5 and max(sizes) == 50


def test_python_odata_filters_sorts_and_counts(deployment: Deployment, reflected: ODataService) -> None:
    entity = reflected.entities["TopItemsByHour"]
    query = reflected.query(entity).filter(entity.item_rank <= 3).filter(entity.geographical_location_oid == 3)
    rows = list(query.order_by(entity.item_count.desc()))
    expected = [
        (rank, item, count)
        for (location, _), ranked in hours(deployment).items()
        if location == 3
        for rank, item, count in ranked[:3]
    ]
    assert sorted((row.item_rank, row.item_name, row.item_count) for row in rows) == sorted(expected)
    assert [row.item_count for row in rows] == sorted((count for _, _, count in expected), reverse=True)
    assert len(list(query.limit(2))) == 2


def test_odatapy_reads_entities_properties_and_counts(deployment: Deployment, olingo: ODataClient) -> None:
    (location, hour), ranked = sorted(hours(deployment).items())[0]
    key = f"geographical_location_oid={location},window_start={hour:%Y-%m-%dT%H:%M:%SZ},item_rank=1"
    address = f"{olingo.service_root}/TopItemsByHour({key})"
    entity = olingo.get_entity(address)
    assert entity.get_property("item_name").value == ranked[0][1]
    assert olingo.get_property_value(f"{address}/item_count") == ranked[0][2]
    assert olingo.get_value(f"{address}/item_name/$value").content.decode() == ranked[0][1]
    everything = sum(len(ranked) for ranked in hours(deployment).values())
    assert olingo.get_count(f"{olingo.service_root}/TopItemsByHour") == everything
    full = olingo.get_entity(address, metadata="full")
    assert olingo.get_entity(full.id).get_property("item_name").value == ranked[0][1]


def test_every_hostile_text_can_be_asked_for_and_comes_back_as_it_is(root: str, recount: Recount) -> None:
    counts = recount()[3]
    for item in events.HOSTILE_ITEMS:
        literal = "'" + item.replace("'", "''") + "'"
        if len(item) < 1000:  # the others are longer than a request line
            answer = get(
                f"{root}/WindowCounts", params={"$filter": f"item_name eq {literal} and geographical_location_oid eq 3"}
            )
            rows = answer.json()["value"]
            assert {row["item_name"] for row in rows} == {item}
            assert sum(row["item_count"] for row in rows) == counts[item]
        assert "<script" not in get(f"{root}/WindowCounts", params={"$top": "1000"}).text


def test_int64_is_exact_as_number_and_as_string(root: str) -> None:
    numbers = get(f"{root}/Locations").json()["value"]
    strings = get(f"{root}/Locations", headers={"Accept": "application/json;IEEE754Compatible=true"}).json()["value"]
    assert [str(row["geographical_location_oid"]) for row in numbers] == [
        row["geographical_location_oid"] for row in strings
    ]
    assert {events.BEYOND_DOUBLE, events.LARGEST} <= {row["geographical_location_oid"] for row in numbers}


def test_power_query_s_own_fields_and_an_incremental_refresh(deployment: Deployment, root: str) -> None:
    assert get(f"{root}/", headers=POWER_QUERY).status_code == 200
    assert get(f"{root}/$metadata", headers=POWER_QUERY).headers["Content-Type"] == "application/xml"
    ranked = hours(deployment)
    start = min(hour for _, hour in ranked)
    middle = start + datetime.timedelta(hours=2)
    local = datetime.timezone(datetime.timedelta(hours=1))
    condition = (
        f"item_rank le 10 and window_start ge {start.astimezone(local).isoformat()} "
        f"and window_start lt {middle.astimezone(local).isoformat()}"
    )
    for query in ({"$filter": condition}, {"$filter": condition, "$top": "1000", "api_key": "ignored"}):
        rows = get(f"{root}/TopItemsByHour", params=query, headers=POWER_QUERY).json()["value"]
        assert tops(rows) == {key: rows[:10] for key, rows in ranked.items() if start <= key[1] < middle}
    empty = get(f"{root}/TopItemsByHour?$filter=window_start lt 1970-01-01T00:00:00Z", headers=POWER_QUERY).json()
    assert empty["value"] == [] and empty["@odata.context"].endswith("$metadata#TopItemsByHour")


def test_apply_adds_up_what_a_recount_adds_up(root: str, recount: Recount) -> None:
    counts = recount()
    answer = get(
        f"{root}/TopItemsByHour?$apply=groupby((geographical_location_oid,item_name),"
        "aggregate(item_count with sum as total))/groupby((geographical_location_oid),topcount(2,total))"
    )
    found = collections.defaultdict(list)
    for row in answer.json()["value"]:
        found[row["geographical_location_oid"]].append((row["item_name"], row["total"]))
    expected = {location: [(item, count) for _, item, count in ranking(items, 2)] for location, items in counts.items()}
    assert found == expected


def test_metadata_is_one_model_in_both_notations_and_for_both_clients(
    root: str, olingo: ODataClient, reflected: ODataService
) -> None:
    xml = parse_metadata(olingo.get_metadata_document())
    text = get(f"{root}/$metadata", params={"$format": "application/json"}).text
    json = parse_metadata_json(text)

    def model(schemas: Iterable[Any]) -> tuple[str, dict[str, Any], dict[str, str]]:
        (schema,) = schemas
        types = {
            kind.name: ([ref.name for ref in kind.key], [(p.name, str(p.type), p.nullable) for p in kind.properties])
            for kind in schema.entity_types
        }
        return schema.namespace, types, {s.name: str(s.type) for s in schema.entity_container.entity_sets}

    assert model(xml) == model(json)
    assert list(model(xml)[2]) == SETS
    assert sorted(reflected.entities) == sorted(SETS)


def test_metadata_is_valid_by_the_schemas_of_oasis_and_means_something(root: str) -> None:
    folder = subprocess.run(
        [REPOSITORY / "deploy/dev/odata-schemas"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    text = pathlib.Path(folder, "edmx.xsd").read_text()
    # OASIS leaves it to the reader where the imported schema is.
    edmx = text.replace('ns/edm" />', f'ns/edm" schemaLocation="file://{folder}/edm.xsd" />')
    assert edmx != text
    schema = etree.XMLSchema(etree.fromstring(edmx.encode()))
    answer = get(f"{root}/$metadata").content
    document = etree.fromstring(answer)
    assert schema.validate(document), schema.error_log
    for wrong in (answer.replace(b"<PropertyRef Name", b"<PropertyRef Wrong"), answer.replace(b"Edm.Int64", b"1nt64")):
        assert not schema.validate(etree.fromstring(wrong))

    # What a schema cannot say.
    aliases = {include.get("Alias") for include in document.iter(EDMX + "Include")}
    for annotation in document.iter(EDM + "Annotation"):
        assert annotation.get("Term").split(".")[0] in aliases
    types = {kind.get("Name"): kind for kind in document.iter(EDM + "EntityType")}
    for kind in types.values():
        properties = {p.get("Name"): p for p in kind.iter(EDM + "Property")}
        for key in kind.iter(EDM + "PropertyRef"):
            assert properties[key.get("Name")].get("Nullable") == "false"
    for entity_set in document.iter(EDM + "EntitySet"):
        assert entity_set.get("EntityType").removeprefix("topitems.") in types


def test_pages_never_repeat_skip_or_mix_while_counts_go_on(deployment: Deployment, root: str, publish: Publish) -> None:
    """Ranks change places all the time; each page must be of the one state that the first page was."""
    stop = threading.Event()
    failures: list[Exception] = []

    def ingest() -> None:
        try:
            while not stop.is_set():
                publish("person", location=1, count=20)
                publish("forklift", location=2, count=20)
        except Exception as failure:  # reported by the assertion below
            failures.append(failure)

    writer = threading.Thread(target=ingest)
    writer.start()
    try:
        for _ in range(5):
            url, rows, pages = f"{root}/TopItemsByHour?$count=true", [], 0
            while url:
                page = get(url, headers={"Prefer": "odata.maxpagesize=20"}).json()
                rows += page["value"]
                pages += 1
                assert page["@odata.count"] >= len(rows)
                url = page.get("@odata.nextLink")
            assert pages > 5 and page["@odata.count"] == len(rows)
            keys = [(row["geographical_location_oid"], row["window_start"], row["item_rank"]) for row in rows]
            assert keys == sorted(set(keys))
            for ranked in tops(rows).values():
                items = {item: count for _, item, count in ranked}
                assert len(items) == len(ranked), "an item twice in a window: two states in one answer"
                assert ranked == ranking(items, 10**6)
    finally:
        stop.set()
        writer.join()
    assert not failures
