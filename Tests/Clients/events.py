"""The events that every test of this folder finds counted, and the hostile texts among them."""

import dataclasses
import datetime
import json
import random

# 2^53 + 1 is the first integer that a double cannot hold: a client that read oids as numbers would show 2^53.
BEYOND_DOUBLE = 2**53 + 1
LARGEST = 2**63 - 1

LOCATIONS = {
    1: "Gate A",
    2: 'Car Park, "Level" 1',
    3: "<b>North</b> & <script>alert(1)</script>",
    4: "東ターミナル",
    5: '=HYPERLINK("http://example.invalid")',
    6: "بوابة الشمال",
    BEYOND_DOUBLE: "Beyond the doubles",
    LARGEST: "The last oid",
}
EMPTY_LOCATION = 500  # in Dataset B, but never counted
UNNAMED_LOCATION = 77  # counted, but not in Dataset B

PLAIN_ITEMS = ["person", "forklift", "red van", "bicycle", "pallet", "dog", "suitcase", "helmet", "trolley", "box"]
HOSTILE_ITEMS = [
    "<img src=x onerror=alert(1)>",
    "</script><script>document.title='owned'</script>",
    "'\"><svg/onload=alert(1)>",
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\tleading tab",
    "carriage\rreturn",
    "line\nfeed",
    "bell\x07escape\x1b[31m",
    "\u202eevil\u202c right-to-left override",
    "שלום עולם",
    'مرحبا, "world"',
    "👩‍👩‍👧‍👦 family",
    "e\u0301 decomposed",
    "\u00e9 composed",
    "zero\u200bwidth",
    "line\u2028separator",
    "semi;colon,comma\"quote'apostrophe",
    "${jndi:ldap://example.invalid}",
    "'; DROP TABLE detection; --",
    "%3Cscript%3E",
    "null",
    " leading and trailing ",
    "x" * 5000,
]


@dataclasses.dataclass(frozen=True)
class Event:
    location: int
    item: str
    at: datetime.datetime
    oid: int
    camera: int = 1

    def payload(self) -> bytes:
        return json.dumps(
            {
                "geographical_location_oid": self.location,
                "video_camera_oid": self.camera,
                "detection_oid": self.oid,
                "item_name": self.item,
                "timestamp_detected": self.at.isoformat(),
            }
        ).encode()


def known(now: datetime.datetime, seed: int = 5) -> tuple[list[Event], list[Event]]:
    """Some 3,000 events of the five hours before `now`, in an order and with repeats that must not matter.

    The counts of an item differ between locations and hours; ties are among them.
    """
    chance = random.Random(seed)
    start = now.replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=5)
    events: list[Event] = []
    oid = BEYOND_DOUBLE
    places = [*LOCATIONS, UNNAMED_LOCATION]

    def add(location: int, item: str, at: datetime.datetime) -> None:
        nonlocal oid
        oid += 1
        events.append(Event(location, item, at, oid, camera=chance.randint(1, 4)))

    for place, location in enumerate(places):
        for rank, item in enumerate(PLAIN_ITEMS):
            for _ in range(2 + (len(PLAIN_ITEMS) - rank) * (1 + (place + rank) % 4)):
                add(location, item, start + datetime.timedelta(seconds=chance.uniform(0, 4.9 * 3600)))
    for item in HOSTILE_ITEMS:
        for _ in range(chance.randint(3, 30)):
            add(3, item, start + datetime.timedelta(seconds=chance.uniform(0, 4.9 * 3600)))
    chance.shuffle(events)
    return events, events[:: len(events) // 200]  # …, and those that are sent twice
