-- The truth that one ingestion transaction keeps: what was detected, what it adds up to, and how far each
-- Kafka partition has been accounted for. docs/semantics.md says why each table is as it is.

-- Dataset B: what a location is called. Events of a location that is not listed yet count all the same.
CREATE TABLE location (
  geographical_location_oid bigint PRIMARY KEY,
  geographical_location     text NOT NULL
);

-- An item is the bytes of its name. The unique key is their hash: a B-tree entry cannot hold 5,000 characters.
CREATE TABLE item (
  item_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name_sha256 bytea NOT NULL UNIQUE,
  item_name   text COLLATE "C" NOT NULL
);

-- Every detection ever counted, within the deduplication horizon. The primary key is the judge of duplicates;
-- it must not contain the time, or the same detection with another time would count twice.
CREATE TABLE detection (
  detection_oid bigint PRIMARY KEY,
  detected_at   timestamptz NOT NULL,
  ingested_at   timestamptz NOT NULL DEFAULT now()
);

-- How often an item was detected at a location in the minute that begins at window_start.
-- One partition for each day (UTC), made ahead of need by the workers, so that old minutes are dropped and not
-- deleted. There is no default partition: it would have to be scanned whenever another one is attached.
CREATE TABLE window_count (
  geographical_location_oid bigint NOT NULL,
  window_start              timestamptz NOT NULL,
  item_id                   bigint NOT NULL,
  item_count                bigint NOT NULL CHECK (item_count > 0),
  PRIMARY KEY (geographical_location_oid, window_start, item_id)
) PARTITION BY RANGE (window_start);

-- Where each partition goes on. Whoever claims a partition raises its epoch, and a batch counts only under the
-- epoch that it was read in. The fates add up to every message that was ever accounted for.
CREATE TABLE ingest_offset (
  topic           text COLLATE "C" NOT NULL,
  partition       integer NOT NULL,
  next_offset     bigint NOT NULL,
  epoch           bigint NOT NULL,
  max_event_at    timestamptz,
  last_message_at timestamptz,
  counted         bigint NOT NULL DEFAULT 0,
  duplicates      bigint NOT NULL DEFAULT 0,
  late            bigint NOT NULL DEFAULT 0,
  future          bigint NOT NULL DEFAULT 0,
  dead_letters    bigint NOT NULL DEFAULT 0,
  tombstones      bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

-- Offsets that Kafka had already deleted when their turn came: lost, and never silently.
CREATE TABLE offset_gap (
  topic       text COLLATE "C" NOT NULL,
  partition   integer NOT NULL,
  from_offset bigint NOT NULL,
  to_offset   bigint NOT NULL,
  found_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (topic, partition, from_offset),
  CHECK (to_offset > from_offset)
);

-- Messages that can never be an event, with the bytes they came in (cut at a limit; payload_bytes is the whole).
CREATE TABLE dead_letter (
  topic         text COLLATE "C" NOT NULL,
  partition     integer NOT NULL,
  "offset"      bigint NOT NULL,
  reason        text NOT NULL,
  field         text,
  payload       bytea NOT NULL,
  payload_bytes bigint NOT NULL,
  message_at    timestamptz,
  recorded_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (topic, partition, "offset")
);

-- Events put aside by their time: older than the deduplication floor, or further ahead than the allowed skew.
CREATE TABLE quarantine (
  topic                     text COLLATE "C" NOT NULL,
  partition                 integer NOT NULL,
  "offset"                  bigint NOT NULL,
  reason                    text NOT NULL CHECK (reason IN ('late', 'future')),
  detection_oid             bigint NOT NULL,
  geographical_location_oid bigint NOT NULL,
  video_camera_oid          bigint NOT NULL,
  item_name                 text COLLATE "C" NOT NULL,
  detected_at               timestamptz NOT NULL,
  recorded_at               timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (topic, partition, "offset")
);

-- One row for each committed change, numbered in the order of visibility. Insert-only: a single row updated by
-- every batch would slow down behind any long snapshot. No locations means: any of them may have changed.
CREATE TABLE revision (
  revision     bigint PRIMARY KEY,
  committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  locations    bigint[]
);

-- The event time below which keys may have been purged, so that nothing older may be counted any more. It only grows.
CREATE TABLE dedup_floor (
  only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  floor_at  timestamptz NOT NULL
);
