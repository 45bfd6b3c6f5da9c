"""What the fixtures of conftest.py are."""

import datetime
from collections.abc import Sequence
from typing import Protocol

from deployment import Counts
from playwright.sync_api import Page


class WatchedPage(Page):
    """Playwright's page, on which the fixture `page` also notes errors."""

    expected_errors: list[str]
    errors: list[str]


class Publish(Protocol):
    def __call__(self, item: str, location: int = 1, count: int = 1, at: datetime.datetime | None = None) -> None: ...


class Recount(Protocol):
    def __call__(
        self,
        start: datetime.datetime | None = None,
        end: datetime.datetime | None = None,
        locations: Sequence[int] | None = None,
    ) -> Counts: ...
