-- How each camera behaves, and what it takes to see that two messages of one detection differ.
-- docs/decisions/cameras.md says what is counted where, docs/decisions/quarantine.md what is released when.

-- A hash of location, camera, item and time (Counting/PayloadHash.swift). Detections of before have none; a repeat
-- of one of them is never called a conflict.
ALTER TABLE detection ADD COLUMN payload_hash bigint;

-- What arrived from each camera; an event that was released or replayed later is counted here then. Skews are event
-- time minus the database's time on arrival, in microseconds: far above zero means a fast clock.
-- Updated with every batch: room on each page, so that it stays a heap-only (HOT) update.
CREATE TABLE camera_health (
  geographical_location_oid bigint NOT NULL,
  video_camera_oid          bigint NOT NULL,
  counted                   bigint NOT NULL DEFAULT 0,
  duplicates                bigint NOT NULL DEFAULT 0,
  conflicts                 bigint NOT NULL DEFAULT 0, -- those duplicates that differ from what was counted
  late                      bigint NOT NULL DEFAULT 0,
  future                    bigint NOT NULL DEFAULT 0,
  largest_skew_us           bigint,
  latest_skew_us            bigint,
  last_seen                 timestamptz,
  PRIMARY KEY (geographical_location_oid, video_camera_oid)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

-- All cameras for which camera_health has no room: whoever invents identifiers must not fill the disk.
CREATE TABLE camera_overflow (
  only_row        boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  counted         bigint NOT NULL DEFAULT 0,
  duplicates      bigint NOT NULL DEFAULT 0,
  conflicts       bigint NOT NULL DEFAULT 0,
  late            bigint NOT NULL DEFAULT 0,
  future          bigint NOT NULL DEFAULT 0,
  largest_skew_us bigint,
  latest_skew_us  bigint,
  last_seen       timestamptz
) WITH (fillfactor = 10);

-- The end of the partition's log as the worker last saw it; with next_offset it tells the lag.
ALTER TABLE ingest_offset ADD COLUMN log_end_offset bigint;

-- What is due is looked for every few seconds.
CREATE INDEX quarantine_due ON quarantine (detected_at) WHERE reason = 'future';
