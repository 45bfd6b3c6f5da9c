-- Coarser levels of window_count, which make long ranges cheap: sums by hour, day and month (UTC). A level holds
-- what lies below its mark, and nothing else may be read from it. docs/decisions/rollups.md tells how a level is
-- folded while counts go on.

-- A row of a coarser level is written once, when its time is over, and then changes only by late events. So the
-- count may stand in the index, and a long range is read from there alone (index-only).
CREATE TABLE window_count_hour (
  geographical_location_oid bigint NOT NULL,
  window_start              timestamptz NOT NULL,
  item_id                   bigint NOT NULL,
  item_count                bigint NOT NULL CHECK (item_count > 0),
  PRIMARY KEY (geographical_location_oid, window_start, item_id) INCLUDE (item_count)
) PARTITION BY RANGE (window_start);

-- Vacuum keeps the visibility map, without which an index-only scan looks into the table all the same: often, and
-- by the number of new rows, however large the table has grown.
CREATE TABLE window_count_day (
  geographical_location_oid bigint NOT NULL,
  window_start              timestamptz NOT NULL,
  item_id                   bigint NOT NULL,
  item_count                bigint NOT NULL CHECK (item_count > 0),
  PRIMARY KEY (geographical_location_oid, window_start, item_id) INCLUDE (item_count)
) WITH (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 20000,
        autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

CREATE TABLE window_count_month (
  geographical_location_oid bigint NOT NULL,
  window_start              timestamptz NOT NULL,
  item_id                   bigint NOT NULL,
  item_count                bigint NOT NULL CHECK (item_count > 0),
  PRIMARY KEY (geographical_location_oid, window_start, item_id) INCLUDE (item_count)
) WITH (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 20000,
        autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

-- How far each level reaches. Batches and queries read it in the snapshot that they count in; it changes only under
-- the exclusive rollup lock. No event is as old as the year 1, which stands for "not yet".
CREATE TABLE rollup_mark (
  level         text PRIMARY KEY CHECK (level IN ('minute', 'hour', 'day', 'month')),
  -- Below it the level is complete, and every batch keeps it so. (Minutes always are: their mark is infinity.)
  folded_until  timestamptz NOT NULL,
  -- Between the two, batches list what they change, for the fold that is under way.
  folding_until timestamptz NOT NULL,
  -- What is older has been dropped by retention, or is about to be.
  kept_from     timestamptz NOT NULL DEFAULT '0001-01-01 00:00:00+00',
  CHECK (folded_until <= folding_until)
);

INSERT INTO rollup_mark (level, folded_until, folding_until) VALUES
  ('minute', 'infinity', 'infinity'),
  ('hour',   '0001-01-01 00:00:00+00', '0001-01-01 00:00:00+00'),
  ('day',    '0001-01-01 00:00:00+00', '0001-01-01 00:00:00+00'),
  ('month',  '0001-01-01 00:00:00+00', '0001-01-01 00:00:00+00');

-- What batches added while a level was being folded. Insert-only for batches, and without a key: nobody waits, and
-- the fold takes exactly those rows that its snapshot shows, together with what they stand for.
CREATE TABLE rollup_change (
  level                     text NOT NULL,
  geographical_location_oid bigint NOT NULL,
  window_start              timestamptz NOT NULL,
  item_id                   bigint NOT NULL,
  item_count                bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Every location that has ever counted anything: without it, finding them would take a search through every
-- partition of every level.
CREATE TABLE counted_location (
  geographical_location_oid bigint PRIMARY KEY
);

-- Partitions that retention is getting rid of: written down before the first of its steps, so that whatever stops it,
-- the next run takes up where it was. A table that somebody else detached is not in here, and nobody's business.
CREATE TABLE retired_partition (
  name   text PRIMARY KEY,
  parent text NOT NULL
);
