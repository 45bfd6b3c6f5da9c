"""What the other tests rely on: the database holds what was sent, each event once."""

import collections
import json
import subprocess
import urllib.request

import events
from deployment import Counts, Deployment, ranking, tabulate
from fixture_types import Recount


def truth(deployment: Deployment) -> Counts:
    counts = collections.Counter((event.location, event.item) for event in deployment.known)
    return tabulate((location, item, count) for (location, item), count in counts.items())


def test_every_event_is_counted_once_whatever_was_sent_twice(deployment: Deployment, recount: Recount) -> None:
    assert recount(end=deployment.now) == truth(deployment)


def test_curl_reads_every_location_as_it_was_counted(deployment: Deployment, base_url: str, recount: Recount) -> None:
    answer = subprocess.run(
        ["curl", "--silent", "--show-error", "--fail", f"{base_url}/v1/top-items?n=1000&window=P1D"],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    page = json.loads(answer)
    counts = recount()
    rows = collections.defaultdict(list)
    for row in page["data"]:
        assert row["geographical_location"] == events.LOCATIONS.get(int(row["geographical_location_oid"]))
        rows[int(row["geographical_location_oid"])].append((row["item_rank"], row["item_name"], row["item_count"]))
    assert rows == {location: ranking(items, 1000) for location, items in counts.items()}
    assert page["next"] is None


def test_an_oid_beyond_the_doubles_is_exact(base_url: str) -> None:
    address = f"{base_url}/v1/top-items.json?n=1&location={events.BEYOND_DOUBLE}"
    with urllib.request.urlopen(address, timeout=10) as response:
        assert json.load(response)[0]["geographical_location_oid"] == "9007199254740993"
