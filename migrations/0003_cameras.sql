-- How each camera behaves, and what it takes to see that two messages of one detection differ.
-- docs/decisions/cameras.md says what is counted where, docs/decisions/quarantine.md what is released when.

-- A hash of location, camera, item and time (Counting/PayloadHash.swift). Detections of before have none; a repeat
-- of one of them is never called a conflict.
ALTER TABLE detection ADD COLUMN payload_hash bigint;

-- What arrived from each camera; an event that was released or replayed later is counted here then. Skews are event
-- time minus the database's time on arrival, in microseconds: far above zero means a fast clock.
-- Room on each page, so that an update stays a heap-only (HOT) one.
CREATE TABLE camera_tally (
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

-- What batches added since: one row a batch, with an element for each camera, and no array where all would be 0. To
-- update ten thousand rows with every batch would cost a fifth of the throughput; a worker does it once in ten seconds.
CREATE TABLE camera_change (
  change_id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  arrived_at                 timestamptz NOT NULL DEFAULT now(),
  geographical_location_oids bigint[] NOT NULL,
  video_camera_oids          bigint[] NOT NULL,
  counted                    integer[] NOT NULL,
  duplicates                 integer[] NOT NULL,
  conflicts                  integer[] NOT NULL,
  late                       integer[] NOT NULL,
  future                     integer[] NOT NULL,
  largest_skew_us            bigint[] NOT NULL,
  latest_skew_us             bigint[] NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
        toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 5000);

-- These rows live for seconds: to compress them is not worth the time.
ALTER TABLE camera_change
  ALTER geographical_location_oids SET STORAGE EXTERNAL, ALTER video_camera_oids SET STORAGE EXTERNAL,
  ALTER counted SET STORAGE EXTERNAL, ALTER duplicates SET STORAGE EXTERNAL, ALTER conflicts SET STORAGE EXTERNAL,
  ALTER late SET STORAGE EXTERNAL, ALTER future SET STORAGE EXTERNAL,
  ALTER largest_skew_us SET STORAGE EXTERNAL, ALTER latest_skew_us SET STORAGE EXTERNAL;

CREATE VIEW camera_change_element AS
SELECT change_id, location AS geographical_location_oid, camera AS video_camera_oid, coalesce(c, 0) AS counted,
       coalesce(d, 0) AS duplicates, coalesce(x, 0) AS conflicts, coalesce(l, 0) AS late, coalesce(f, 0) AS future,
       nullif(largest, '-9223372036854775808'::bigint) AS largest_skew_us, nullif(latest, '-9223372036854775808'::bigint) AS latest_skew_us,
       CASE WHEN latest <> '-9223372036854775808'::bigint THEN arrived_at END AS last_seen
FROM camera_change, unnest(geographical_location_oids, video_camera_oids, counted, duplicates, conflicts, late, future,
                           largest_skew_us, latest_skew_us)
  AS element(location, camera, c, d, x, l, f, largest, latest);

-- The health of each camera, exact as of each batch.
CREATE VIEW camera_health AS
SELECT geographical_location_oid, video_camera_oid, sum(counted)::bigint AS counted,
       sum(duplicates)::bigint AS duplicates, sum(conflicts)::bigint AS conflicts, sum(late)::bigint AS late,
       sum(future)::bigint AS future, max(largest_skew_us) AS largest_skew_us,
       (array_agg(latest_skew_us ORDER BY change_id DESC) FILTER (WHERE latest_skew_us IS NOT NULL))[1] AS latest_skew_us,
       max(last_seen) AS last_seen
FROM (SELECT 0::bigint AS change_id, camera_tally.* FROM camera_tally
      UNION ALL SELECT * FROM camera_change_element) AS every
GROUP BY 1, 2;

-- All cameras for which camera_tally has no room: whoever invents identifiers must not fill the disk.
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
