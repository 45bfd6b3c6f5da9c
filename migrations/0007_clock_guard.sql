-- What keeps a wrong clock from destroying data, and the way back from a deduplication floor that is too high.
-- docs/decisions/clocks.md has the reasons.

-- The newest event time among the keys that were ever deleted from detection; NULL where none was. An event above it can
-- be counted exactly once: if it was counted before, its key is still there.
ALTER TABLE dedup_floor ADD COLUMN purged_until timestamptz;

-- A purge deletes only keys whose event and whose arrival lie below the floor. Nothing arrived before the first table was
-- made, so a floor that is not above that time has never let a purge delete anything.
UPDATE dedup_floor SET purged_until = floor_at
WHERE floor_at > coalesce((SELECT min(applied_at) FROM schema_migration), '-infinity');

-- A trigger, so that it holds for whoever deletes: also for a worker of an earlier version that still runs, and by hand.
CREATE FUNCTION note_purged_detections() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE dedup_floor SET purged_until = greatest(purged_until, gone_until)
  FROM (SELECT max(detected_at) AS gone_until FROM gone) AS newest
  WHERE gone_until > coalesce(purged_until, '-infinity');
  RETURN NULL;
END $$;

CREATE TRIGGER note_purged AFTER DELETE ON detection
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_purged_detections();

-- For each monotonic clock (a machine since its start), when it and the database's clock agreed. From it, the time that
-- has passed tells whether the database's clock has been set. Rows stay: one for each start of a worker's machine.
CREATE TABLE clock_anchor (
  clock_id     text PRIMARY KEY,
  monotonic_us bigint NOT NULL,
  database_at  timestamptz NOT NULL,
  source       text NOT NULL CHECK (source IN ('wall_clock', 'broker', 'operator'))
);

-- Each time that an operator moved the floor down ('topitems floor set').
CREATE TABLE floor_change (
  change_id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  changed_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
  changed_by         text NOT NULL,
  reason             text,
  old_floor          timestamptz NOT NULL,
  new_floor          timestamptz NOT NULL,
  purged_until       timestamptz,
  accepts_duplicates boolean NOT NULL,
  -- Counted detections above the new floor whose key is gone: a second message of one of them counts again.
  missing_keys       bigint NOT NULL
);
