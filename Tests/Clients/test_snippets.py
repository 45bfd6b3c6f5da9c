"""The queries of /bi/ for other tools: each language is read back by a reader of its own, with hostile values."""

import csv
import io
import json
import re
import shlex
import subprocess
import urllib.parse
from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from deployment import CHECKOUT, Deployment
from fixture_types import WatchedPage
from lxml import etree
from playwright.sync_api import Browser

HOSTILE = [
    "'; rm -rf / #",
    '"quoted"',
    "#(lf)#(",
    "a&b=c",
    "</code><script>",
    "$(id)`id`",
    "tab\tnew\nline",
    "%22",
    "1 or 1 eq 1",
    "\u2028",
    "日本",
]


class Snippets(Protocol):
    def __call__(self, name: str, query: str | None, *arguments: str | bool) -> Any: ...


@pytest.fixture(scope="module")
def snippets(chromium: Browser, base_url: str) -> Iterator[Snippets]:
    """snippets(function, query, *arguments): what a generator writes for the view of an address."""
    page = chromium.new_page()
    page.goto(f"{base_url}/bi/")

    def call(name: str, query: str | None, *arguments: str | bool) -> Any:
        return page.evaluate(
            """async ([name, query, root, others]) => {
                 const { parse } = await import('/assets/view.js');
                 const snippets = await import('/assets/snippets.js');
                 const views = query === null ? [] : [parse(query)];
                 return snippets[name](...views, ...others.map(o => o === '@root' ? root : o));
               }""",
            [name, query, f"{base_url}/", list(arguments)],
        )

    yield call
    page.close()


def m_texts(code: str) -> list[str]:
    """The text literals of M code, as Power Query reads them (M language specification, §2.4.2.3)."""
    names = {"lf": "\n", "cr": "\r", "tab": "\t", "#": "#"}

    def unescape(match: re.Match[str]) -> str:
        return "".join(names.get(part) or chr(int(part, 16)) for part in match.group(1).split(","))

    code = re.sub(r"^\s*//.*$", "", code, flags=re.M)
    literals = re.findall(r'"((?:[^"]|"")*)"', code)
    return [re.sub(r"#\(([^)]*)\)", unescape, literal.replace('""', '"')) for literal in literals]


@pytest.mark.parametrize("value", HOSTILE)
def test_power_query_gets_every_value_as_text(snippets: Snippets, base_url: str, value: str) -> None:
    query = "?" + urllib.parse.urlencode([("location", value), ("location", "2"), ("n", value), ("from", value)])
    code = snippets("restQuery", query, "@root")
    assert code.count("\u2028") == 0
    texts = m_texts(code)
    assert texts[0] == base_url and texts.count(value) == 3
    assert 'RelativePath = "v1/top-items"' in code and 'ApiKeyName = "api_key"' in code
    # The address stands alone, or the service would not refresh the query.
    assert re.search(r"Web\.Contents\(Address, \[", code)


@pytest.mark.parametrize("value", HOSTILE)
def test_curl_gets_every_value_as_one_word(snippets: Snippets, base_url: str, value: str) -> None:
    query = "?" + urllib.parse.urlencode([("location", value), ("n", value)])
    words = shlex.split(snippets("curl", query, "@root").replace("\\\n", " "))
    assert words[:4] == ["curl", "--fail-with-body", "--get", f"{base_url}/v1/top-items.csv"]
    assert words[4:6] == ["--data-urlencode", f"location={value}"] and f"n={value}" in words


@pytest.mark.parametrize("value", HOSTILE)
def test_addresses_keep_every_value_in_its_parameter(snippets: Snippets, value: str) -> None:
    query = "?" + urllib.parse.urlencode([("location", value), ("n", value)])
    address = snippets("csvAddress", query, "@root")
    parameters = urllib.parse.parse_qs(urllib.parse.urlparse(address).query)
    assert parameters["location"] == [value] and parameters["n"] == [value]
    formula = snippets("importData", query, "@root")
    assert re.fullmatch(r'=IMPORTDATA\("[^"]*"\)', formula) and address in formula


@pytest.mark.parametrize("value", HOSTILE)
def test_odata_and_sql_leave_out_what_is_no_number_or_time(snippets: Snippets, value: str) -> None:
    query = "?" + urllib.parse.urlencode([("location", value), ("location", "7"), ("n", value), ("from", value)])
    address = urllib.parse.unquote(snippets("odataAddress", query, "@root"))
    assert address.endswith("?$filter=item_rank le 10 and geographical_location_oid eq 7")
    assert "[geographical_location_oid] = 7)" in snippets("odataQuery", query, "@root")
    assert "geographical_location_oid IN (7)" in snippets("sql", query)
    assert value not in snippets("sql", query)


@pytest.mark.parametrize(
    ("query", "entity_set"),
    [
        ("?window=PT15M", "TopItemsByMinute"),
        ("", "TopItemsByHour"),
        ("?window=P1D", "TopItemsByHour"),
        ("?window=P7D", "TopItemsByDay"),
        ("?window=yesterday", "TopItemsByHour"),
        ("?window=P2W", "TopItemsByDay"),
        ("?from=2026-11-01T00:00:00Z&to=2026-11-01T06:00:00Z", "TopItemsByHour"),
        ("?from=2026-11-01T00:00:00Z&to=2026-11-21T06:00:00Z", "TopItemsByDay"),
    ],
)
def test_the_set_fits_the_span(snippets: Snippets, query: str, entity_set: str) -> None:
    assert snippets("windowSet", query)["entitySet"] == entity_set


def test_incremental_refresh_filters_on_window_start_alone(snippets: Snippets) -> None:
    code = snippets("odataQuery", "?window=P7D&n=3", "@root", True)
    assert "[window_start] >= DateTime.AddZone(RangeStart, 0)" in code
    assert "[window_start] < DateTime.AddZone(RangeEnd, 0)" in code
    assert "Since" not in code


def test_files_are_well_formed_whatever_the_names(snippets: Snippets, base_url: str) -> None:
    connection = json.loads(snippets("pbids", None, "@root"))["connections"][0]
    assert connection["details"] == {"protocol": "odata", "address": {"url": f"{base_url}/odata/v4/"}}
    host = "db'\"<&>\u0007.example"
    connection = etree.fromstring(snippets("tds", "?window=P7D", host).encode()).find("connection")
    assert connection.get("server") == host.replace("\u0007", "\ufffd") and connection.get("schema") == "bi"
    assert connection.find("relation").get("table") == "[bi].[top_items_by_day]"


def test_the_files_for_the_road_are_what_the_page_would_write(snippets: Snippets) -> None:
    root = "https://topitems.example/"
    written = {
        "top-items.pq": snippets("restQuery", "", root) + "\n",
        "top-items-by-hour.pq": snippets("odataQuery", "", root, True) + "\n",
        "topitems.pbids": snippets("pbids", None, root),
        "topitems.tds": snippets("tds", "", "db.example"),
    }
    folder = CHECKOUT / "deploy" / "bi"
    assert written == {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


# What the page says, done

QUERY = "?location=1&location=3&n=7&window=P1D"


def test_the_command_of_the_page_reads_the_rows_of_the_page(snippets: Snippets, base_url: str) -> None:
    command = snippets("curl", QUERY, "@root")
    text = subprocess.run(["sh", "-c", command + " --silent"], check=True, stdout=subprocess.PIPE).stdout.decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["item_rank"] for row in rows] == [str(rank) for rank in range(1, 8)] * 2


def test_the_query_of_the_page_runs_on_the_views(snippets: Snippets, deployment: Deployment) -> None:
    rows = deployment.query(snippets("sql", QUERY))
    assert rows and {row[2] for row in rows} == set(range(1, 8))


def test_the_feed_of_the_page_answers(snippets: Snippets, page: WatchedPage) -> None:
    answer = page.request.get(snippets("odataAddress", QUERY, "@root"))
    assert answer.ok, answer.text()
    rows = answer.json()["value"]
    assert rows and max(row["item_rank"] for row in rows) <= 7


def test_downloads_have_their_names_and_contents(page: WatchedPage, base_url: str) -> None:
    page.goto(f"{base_url}/bi/{QUERY}")
    for name in ("topitems.pbids", "topitems.tds"):
        with page.expect_download() as waiting:
            page.locator(f'a[download="{name}"]').click()
        assert waiting.value.suggested_filename == name
        with open(waiting.value.path(), encoding="utf-8") as file:
            content = file.read()
        assert "odata/v4/" in content if name.endswith("pbids") else "[bi].[top_items_by_hour]" in content


def test_the_page_says_which_view_it_is_about_as_text(page: WatchedPage, base_url: str) -> None:
    hostile = urllib.parse.quote("<img src=x onerror=alert(1)>")
    page.goto(f"{base_url}/bi/?location={hostile}&n={hostile}&window={hostile}")
    assert page.locator("#view").inner_text().count("<img src=x onerror=alert(1)>") == 3
    assert page.locator("main img").count() == 0
    back = page.locator("#back").get_attribute("href")
    assert back and back.startswith(f"{base_url}/?location=%3Cimg")
