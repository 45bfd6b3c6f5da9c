"""The live page, in Chromium: it shows what SQL counts, follows it, and says when it cannot."""

import datetime
import signal
import subprocess
import urllib.parse
from collections.abc import Mapping

import events
import pytest
from deployment import SCRIPTS, Deployment, Rank, ranking, wait_until
from fixture_types import Publish, Recount, WatchedPage
from playwright.sync_api import Route

READ_BOARD = """() => Object.fromEntries([...document.querySelectorAll('#lists section.card')].map(card => [
  card.id?.length ? card.id : card.querySelector('h2').id,
  [...card.querySelectorAll('li')].map(line => [
    Number(line.querySelector('.rank').textContent), line.querySelector('.name').textContent,
    Number(line.querySelector('.count').textContent.replaceAll(',', ''))])]))"""

CONTROLS = (
    {code: chr(0x2400 + code) for code in range(0x20)}
    | dict.fromkeys([*range(128, 160), *range(8232, 8239), *range(8294, 8298)], "�")
    | {0x7F: "\u2421"}
)


# A range in the address's words, its start and its end.
WholeDay = tuple[str, datetime.datetime, datetime.datetime]


def visible(name: str) -> str:
    return name.translate(CONTROLS)


def board(page: WatchedPage) -> dict[str, list[Rank]]:
    """Return {location or "all": [(rank, item, count)]} as the page shows it."""
    return {
        card.removeprefix("ranking-"): [tuple(line) for line in lines]
        for card, lines in page.evaluate(READ_BOARD).items()
    }


def expected(
    counts: Mapping[int, Mapping[str, int]] | Mapping[str, Mapping[str, int]], n: int
) -> dict[str, list[Rank]]:
    return {
        str(oid): [(rank, visible(item), count) for rank, item, count in ranking(items, n)]
        for oid, items in counts.items()
    }


def open_page(page: WatchedPage, base_url: str, query: str = "", state: str = "live") -> None:
    page.goto(f"{base_url}/{query}")
    page.locator(f'#connection[data-state="{state}"]').wait_for()


def state(page: WatchedPage) -> str | None:
    return page.locator("#connection").get_attribute("data-state")


@pytest.fixture
def whole_day(deployment: Deployment) -> WholeDay:
    """A range that holds every event, in the address's words and for SQL."""
    start = deployment.now.replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=6)
    end = start + datetime.timedelta(hours=9)
    query = urllib.parse.urlencode(
        {"from": start.strftime("%Y-%m-%dT%H:%M:%SZ"), "to": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
    )
    return query, start, end


def test_bars_show_every_location_as_sql_counts_it(
    page: WatchedPage, base_url: str, recount: Recount, whole_day: WholeDay
) -> None:
    query, start, end = whole_day
    open_page(page, base_url, f"?{query}&n=1000")
    wait_until(lambda: board(page) == expected(recount(start, end), 1000), "the page shows the counts", 10)
    heads = dict(page.evaluate("[...document.querySelectorAll('#lists h2')].map(h => [h.id, h.textContent])"))
    for oid, name in events.LOCATIONS.items():
        assert heads[f"ranking-{oid}"] == name
    assert heads[f"ranking-{events.UNNAMED_LOCATION}"] == f"Location {events.UNNAMED_LOCATION}"
    total = sum(sum(items.values()) for items in recount(start, end).values())
    assert page.locator("#total").inner_text().replace(",", "") == str(total)


def test_the_total_counts_also_what_the_list_does_not_show(
    page: WatchedPage, base_url: str, recount: Recount, whole_day: WholeDay
) -> None:
    query, start, end = whole_day
    open_page(page, base_url, f"?{query}&n=2&location=3")
    total = sum(recount(start, end, [3])[3].values())
    wait_until(lambda: page.locator("#total").inner_text().replace(",", "") == str(total), "the total is right", 10)


def test_all_together_is_one_ranking(page: WatchedPage, base_url: str, recount: Recount, whole_day: WholeDay) -> None:
    query, start, end = whole_day
    open_page(page, base_url, f"?{query}&n=25&group=all")
    together: dict[str, int] = {}
    for items in recount(start, end).values():
        for item, count in items.items():
            together[item] = together.get(item, 0) + count
    wait_until(lambda: board(page) == expected({"all": together}, 25), "one ranking", 10)


def test_the_table_has_the_same_rows(page: WatchedPage, base_url: str, recount: Recount, whole_day: WholeDay) -> None:
    query, start, end = whole_day
    open_page(page, base_url, f"?{query}&n=5&view=table&location=1&location={events.BEYOND_DOUBLE}")
    page.locator("tbody tr").first.wait_for()
    rows = page.evaluate(
        "[...document.querySelectorAll('tbody tr')].map(r => [...r.children].slice(0, 4).map(c => c.textContent))"
    )
    counts = recount(start, end)
    assert rows == [
        [events.LOCATIONS[oid], str(rank), visible(item), str(count)]
        for oid in (1, events.BEYOND_DOUBLE)
        for rank, item, count in ranking(counts[oid], 5)
    ]


def test_a_new_event_moves_the_bars_without_a_reload(page: WatchedPage, base_url: str, publish: Publish) -> None:
    publish("quiet item", location=901, count=3)
    publish("loud item", location=901, count=2)
    open_page(page, base_url, "?location=901")
    wait_until(lambda: board(page).get("901") == [(1, "quiet item", 3), (2, "loud item", 2)], "the first list", 10)
    page.evaluate("window.isSamePage = true")
    publish("loud item", location=901, count=2)
    wait_until(lambda: board(page)["901"] == [(1, "loud item", 4), (2, "quiet item", 3)], "the new order", 5)
    assert page.evaluate("window.isSamePage")


def test_hostile_names_are_shown_and_do_nothing(page: WatchedPage, base_url: str, whole_day: WholeDay) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))
    for view in ("bars", "table"):
        open_page(page, base_url, f"?{whole_day[0]}&n=1000&location=3&view={view}")
        page.locator("#lists .name").first.wait_for()
        names = page.evaluate("[...document.querySelectorAll('#lists .name')].map(name => name.textContent)")
        assert {visible(item) for item in events.HOSTILE_ITEMS} <= set(names)
        assert (
            page.evaluate("document.querySelectorAll('#lists script, #lists img, #lists b, #lists [onload]').length")
            == 0
        )
        assert page.title() == "topitems"


def test_the_page_asks_nobody_else(page: WatchedPage, base_url: str) -> None:
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    open_page(page, base_url)
    page.wait_for_timeout(300)
    assert addresses and all(address.startswith((f"{base_url}/", "data:")) for address in addresses)


def test_every_choice_is_in_the_address_and_the_address_is_every_choice(page: WatchedPage, base_url: str) -> None:
    open_page(page, base_url)
    page.get_by_role("radio", name="15 minutes").check(force=True)
    page.get_by_role("combobox", name="Top").select_option("5")
    page.get_by_role("radio", name="All together").check(force=True)
    page.locator("#places summary").click()
    page.get_by_role("checkbox", name="Gate A").check()
    page.get_by_role("checkbox", name="東ターミナル").check()
    page.keyboard.press("Escape")
    page.get_by_role("radio", name="Table").check(force=True)
    query = urllib.parse.parse_qs(urllib.parse.urlparse(page.url).query)
    assert query == {"location": ["1", "4"], "n": ["5"], "window": ["PT15M"], "group": ["all"], "view": ["table"]}
    for name in ("csv", "json", "bi"):
        href = page.locator(f"#link-{name}").get_attribute("href")
        assert href
        link = urllib.parse.parse_qs(urllib.parse.urlparse(href).query)
        assert link == {"location": ["1", "4"], "n": ["5"], "window": ["PT15M"], "group": ["all"]}

    page.reload()
    page.locator('#connection[data-state="live"]').wait_for()
    assert page.get_by_role("radio", name="15 minutes").is_checked()
    assert page.get_by_role("radio", name="All together").is_checked()
    assert page.get_by_role("radio", name="Table").is_checked()
    assert page.get_by_role("combobox", name="Top").input_value() == "5"
    assert page.locator("#places-chosen").inner_text() == "2 locations"
    page.go_back()
    wait_until(lambda: page.get_by_role("radio", name="Bars").is_checked(), "back is the choice before", 5)


def test_dates_of_ones_own_are_sent_in_utc(page: WatchedPage, base_url: str) -> None:
    open_page(page, base_url)
    page.get_by_role("radio", name="Dates…").check(force=True)
    page.get_by_label("from").fill("2026-07-01T14:00")  # Berlin, two hours ahead of UTC in summer
    page.get_by_label("to", exact=True).fill("2026-12-01T14:00")  # and one in winter
    query = urllib.parse.parse_qs(urllib.parse.urlparse(page.url).query)
    assert query == {"from": ["2026-07-01T12:00:00.000Z"], "to": ["2026-12-01T13:00:00.000Z"]}


def test_an_oid_beyond_the_doubles_stays_itself(page: WatchedPage, base_url: str) -> None:
    open_page(page, base_url)
    page.locator("#places summary").click()
    page.get_by_role("checkbox", name=events.LOCATIONS[events.BEYOND_DOUBLE]).check()
    assert f"location={events.BEYOND_DOUBLE}" in page.url
    wait_until(lambda: list(board(page)) == [str(events.BEYOND_DOUBLE)], "that location alone", 10)


def test_a_location_without_counts_says_so(page: WatchedPage, base_url: str) -> None:
    open_page(page, base_url, f"?location={events.EMPTY_LOCATION}")
    wait_until(lambda: "No detections in this time range" in page.locator("#empty").inner_text(), "the empty state", 10)
    assert page.locator("#total").inner_text() == "0"


@pytest.mark.parametrize(
    ("query", "words"),
    [("?n=0", "n must be"), ("?window=yesterday", "window must be"), ("?location=abc", "location must be")],
)
def test_a_question_that_the_server_refuses_is_explained_and_can_be_changed(
    page: WatchedPage, base_url: str, query: str, words: str
) -> None:
    page.expected_errors.append("400")
    open_page(page, base_url, query, state="refused")
    assert words in page.locator("#trouble-text").inner_text()
    page.goto(f"{base_url}/")
    page.locator('#connection[data-state="live"]').wait_for()
    assert page.locator("#trouble").is_hidden()


def test_a_key_is_asked_for_kept_in_the_tab_and_sent(page: WatchedPage, base_url: str) -> None:
    page.expected_errors.append("401")

    def guard(route: Route) -> None:
        if route.request.headers.get("authorization") == "Bearer s3cret":
            route.continue_()
            return
        route.fulfill(status=401, json={"type": "unauthorized", "title": "A key is needed"})

    page.route("**/v1/**", guard)
    open_page(page, base_url, state="locked")
    page.get_by_label("Access token").fill("s3cret")
    page.get_by_role("button", name="Use this token").click()
    page.locator('#connection[data-state="live"]').wait_for()
    assert "s3cret" not in page.url and "s3cret" not in page.content()


def test_a_server_that_is_away_is_announced_and_the_page_recovers_by_itself(
    page: WatchedPage, deployment: Deployment, publish: Publish
) -> None:
    page.expected_errors += [
        "ERR_CONNECTION_REFUSED",
        "ERR_INCOMPLETE_CHUNKED_ENCODING",
        "ERR_CONNECTION_RESET",
        "ERR_EMPTY",
    ]
    publish("survivor", location=902)
    open_page(page, deployment.base_url, "?location=902")
    wait_until(lambda: board(page).get("902") == [(1, "survivor", 1)], "the list", 10)
    deployment.end("serve", signal.SIGKILL)
    page.locator('#connection[data-state="away"]').wait_for()
    assert "does not respond" in page.locator("#trouble-text").inner_text()
    assert board(page)["902"] == [(1, "survivor", 1)]  # what was shown stays, marked as old
    deployment.serve()
    page.locator('#connection[data-state="live"]').wait_for()
    assert page.locator("#trouble").is_hidden()
    publish("survivor", location=902)
    wait_until(lambda: board(page)["902"] == [(1, "survivor", 2)], "it goes on", 10)


def test_a_database_that_is_away_is_announced_and_the_page_recovers_by_itself(
    page: WatchedPage, deployment: Deployment, publish: Publish
) -> None:
    page.expected_errors += ["503", "504"]
    publish("survivor", location=903)
    open_page(page, deployment.base_url, "?location=903")
    wait_until(lambda: board(page).get("903") == [(1, "survivor", 1)], "the list", 10)
    restart = subprocess.Popen([SCRIPTS / "restart-postgres", deployment.name, "QUIT", "6"])
    page.locator('#connection[data-state="unavailable"]').wait_for()
    assert "cannot reach its database" in page.locator("#trouble-text").inner_text()
    assert restart.wait(60) == 0
    page.locator('#connection[data-state="live"]').wait_for()
    publish("survivor", location=903)
    wait_until(lambda: board(page)["903"] == [(1, "survivor", 2)], "it goes on", 30)


def test_without_a_stream_the_page_asks_again_and_again(page: WatchedPage, base_url: str, publish: Publish) -> None:
    page.expected_errors.append("404")
    missing = {"type": "https://example.org/unknown-path", "title": "There is nothing at this address"}
    page.route("**/v1/top-items/stream*", lambda route: route.fulfill(status=404, json=missing))
    publish("polled", location=904)
    open_page(page, base_url, "?location=904", state="polling")
    publish("polled", location=904)
    wait_until(lambda: board(page)["904"] == [(1, "polled", 2)], "the polled answer", 10)


def test_behind_a_proxy_that_keeps_the_stream_back_the_page_asks_again_and_again(
    page: WatchedPage, base_url: str, publish: Publish
) -> None:
    kept_back: list[Route] = []
    page.route("**/v1/top-items/stream*", lambda route: kept_back.append(route))
    publish("kept back", location=915)
    page.clock.install()
    open_page(page, base_url, "?location=915", state="connecting")
    page.clock.fast_forward("00:46")
    page.locator('#connection[data-state="polling"]').wait_for()
    wait_until(lambda: board(page).get("915") == [(1, "kept back", 1)], "the polled answer", 10)
    assert len(kept_back) == 1


def test_everything_can_be_reached_and_changed_with_the_keyboard(page: WatchedPage, base_url: str) -> None:
    open_page(page, base_url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the top lists"
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.name || document.activeElement.id || document.activeElement.tagName")
        )
    for name in ("theme", "span", "n", "group", "SUMMARY", "view", "link-csv", "link-json", "link-bi", "copy"):
        assert name in reached, f"{name} is not among {reached}"
    page.locator('input[name="span"][value="PT1H"]').focus()
    page.keyboard.press("ArrowRight")
    assert "window=PT6H" in page.url
    page.locator("#places summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("Gate A")
    assert page.locator("#places-list li").count() == 1
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert not page.locator("#places .panel").is_visible()


def test_the_colours_follow_the_system_until_the_reader_chooses(page: WatchedPage, base_url: str) -> None:
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    open_page(page, base_url)
    page.emulate_media(color_scheme="dark")
    dark = "rgb(14, 17, 19)"
    wait_until(lambda: page.evaluate(paper) == dark, "dark", 5)
    page.emulate_media(color_scheme="light")
    wait_until(lambda: page.evaluate(paper) != dark, "light", 5)
    page.get_by_role("button", name="Dark colours").click()
    assert page.evaluate(paper) == dark
    page.reload()
    assert page.evaluate(paper) == dark


def test_nothing_moves_for_those_who_want_it_still(page: WatchedPage, base_url: str, publish: Publish) -> None:
    publish("first", location=905, count=2)
    publish("second", location=905)
    page.emulate_media(reduced_motion="reduce")
    open_page(page, base_url, "?location=905")
    wait_until(lambda: len(board(page).get("905", [])) == 2, "the list", 10)
    publish("second", location=905, count=2)
    wait_until(lambda: board(page)["905"][0] == (1, "second", 3), "the new order", 5)
    assert page.evaluate("document.getAnimations().length") == 0


def test_listeners_are_announced_who_leads_but_not_of_every_count(
    page: WatchedPage, base_url: str, publish: Publish
) -> None:
    publish("leader", location=906, count=5)
    open_page(page, base_url, "?location=906")
    reported = page.locator("#announcer")
    wait_until(lambda: "leader, 5" in (reported.text_content() or ""), "the summary", 10)
    publish("leader", location=906)
    wait_until(lambda: board(page)["906"] == [(1, "leader", 6)], "the new count", 5)
    assert "leader, 5" in (reported.text_content() or "")


@pytest.mark.parametrize("width", [320, 390, 768])
def test_no_width_makes_the_page_scroll_sideways(page: WatchedPage, base_url: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for query in ("", "?group=all", "?view=table"):
        open_page(page, base_url, query)
        page.locator("#lists *").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, query
