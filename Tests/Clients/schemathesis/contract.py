"""What the schemas of single parameters cannot say of several: from is before to, and window stands for both."""

import datetime
from typing import Any

import schemathesis


def is_before(start: Any, end: Any) -> bool:
    """Whether RFC 3339 times, of whatever offsets, are in order; False for what Python cannot read (leap seconds)."""
    try:
        start, end = (datetime.datetime.fromisoformat(time.upper().replace("Z", "+00:00")) for time in (start, end))
        return start < end
    except (AttributeError, TypeError, ValueError):
        return False


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    query = case.query
    if not query or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    start, end = query.get("from"), query.get("to")
    if start or end:
        query.pop("window", None)
    if start and end and not is_before(start, end):
        query.pop("from")
    if case.path.endswith("/series"):
        # Minutes of a wide range would be more rows than an answer may have.
        query.pop("from", None)
        query.pop("to", None)
    if "tz" in query:
        # Which names there are is the database's matter.
        query["tz"] = "Europe/Berlin"
