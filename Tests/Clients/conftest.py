"""What the tests of this folder share: one deployment with known events, and one browser."""

import datetime
import itertools
import os
import shutil
from collections.abc import Iterator
from typing import cast

import events
import pytest
from deployment import Deployment
from fixture_types import Publish, Recount, WatchedPage
from playwright.sync_api import Browser, sync_playwright

# Above the oids of the known events, which begin at 2^53 + 2.
fresh_oids = itertools.count(events.BEYOND_DOUBLE + 1_000_000)


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Services, worker and server with `events.known` counted; `deployment.known` has them."""
    deployment = Deployment(tmp_path_factory.mktemp("deployment"))
    try:
        deployment.now = datetime.datetime.now(datetime.UTC)
        deployment.known, twice = events.known(deployment.now)
        deployment.publish(deployment.known, again=twice)
        yield deployment
    finally:
        deployment.close()


@pytest.fixture(scope="session")
def base_url(deployment: Deployment) -> str:
    return deployment.base_url


@pytest.fixture
def publish(deployment: Deployment) -> Publish:
    """publish(item, location=1, count=1, at=now): sends new events and waits until they are counted."""

    def publish(item: str, location: int = 1, count: int = 1, at: datetime.datetime | None = None) -> None:
        at = at or datetime.datetime.now(datetime.UTC)
        deployment.publish([events.Event(location, item, at, next(fresh_oids)) for _ in range(count)])

    return publish


@pytest.fixture
def recount(deployment: Deployment) -> Recount:
    """recount(start=None, end=None, locations=None): {location: {item: count}} from SQL."""
    return deployment.recount


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, driven by Playwright."""
    program = os.environ.get("TOPITEMS_CHROMIUM") or shutil.which("chromium")
    assert program, "Chromium is missing: apt-get install --yes --no-install-recommends chromium"
    with sync_playwright() as playwright:
        # As root, as in CI's container, Chromium's own sandbox cannot be set up.
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[WatchedPage]:
    """A fresh browser page, whose errors on the console fail the test (those in `page.expected_errors` do not)."""
    context = chromium.new_context(locale="en-GB", timezone_id="Europe/Berlin")
    page = cast(WatchedPage, context.new_page())
    page.expected_errors, page.errors = [], []
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    yield page
    context.close()
    unexpected = [error for error in page.errors if not any(known in error for known in page.expected_errors)]
    assert not unexpected, f"errors on the page's console: {unexpected}"
