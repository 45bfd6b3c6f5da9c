"""axe-core's rules on every page: names, roles, contrast, order, landmarks."""

import pytest
from axe_playwright_python.sync_playwright import Axe

PAGES = {
    "bars": "",
    "one ranking": "?group=all",
    "table": "?view=table",
    "nothing": "?location=500",
    "refused": "?n=0",
    "snippets": "bi/?location=1&n=3",
    "connector": "wdc/",
}


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(page, base_url, name, colours):
    page.expected_errors += ["400", "Failed to load resource", "net::ERR"]
    page.route("https://connectors.tableau.com/**", lambda route: route.abort())
    page.emulate_media(color_scheme=colours, reduced_motion="reduce")
    page.goto(f"{base_url}/{PAGES[name]}")
    if "/" not in PAGES[name]:
        page.locator('#connection:not([data-state="connecting"])').wait_for()
        page.wait_for_timeout(200)
        page.locator("#places summary").click()
    # axe is put into the page past its security policy, which would let it in under no name.
    results = Axe().run(page, options={"resultTypes": ["violations"]})
    found = [f"{rule['id']}: {rule['help']}: {[node['html'][:120] for node in rule['nodes'][:3]]}" for rule in results.response["violations"]]
    assert found == []
