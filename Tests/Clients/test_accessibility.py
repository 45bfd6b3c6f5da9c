"""axe-core's rules on every page: names, roles, contrast, order, landmarks."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from fixture_types import WatchedPage

PAGES = {
    "bars": "",
    "one ranking": "?group=all",
    "table": "?view=table",
    "nothing": "?location=500",
    "refused": "?n=0",
    "snippets": "bi/?location=1&n=3",
    "connector": "wdc/",
}


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(page: WatchedPage, base_url: str, name: str) -> None:
    page.expected_errors += ["400", "Failed to load resource", "net::ERR"]
    page.route("https://connectors.tableau.com/**", lambda route: route.abort())
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto(f"{base_url}/{PAGES[name]}")
    if "/" not in PAGES[name]:
        page.locator('#connection:not([data-state="connecting"])').wait_for()
        page.locator('#board[aria-busy="false"], #connection[data-state="refused"]').first.wait_for()
        page.locator("#places summary").click()
    assert violations(page) == []
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.wait_for_function("matchMedia('(prefers-color-scheme: dark)').matches")
    assert violations(page, runOnly=["color-contrast"]) == []


def violations(page: WatchedPage, **options: Any) -> list[str]:
    results = Axe().run(page, options={"resultTypes": ["violations"], **options}).response
    return [
        f"{rule['id']}: {rule['help']}: {[node['html'][:120] for node in rule['nodes'][:3]]}"
        for rule in results["violations"]
    ]
