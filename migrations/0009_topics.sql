-- Topics that are forgotten, and a key for the one table that had none.

-- What was counted of topics whose offsets were deleted by `topitems topics forget`: one row a topic, so that the totals
-- never fall. A topic that is read again begins a row in ingest_offset; this one stays beside it.
CREATE TABLE forgotten_topic (
  topic         text COLLATE "C" PRIMARY KEY,
  -- How often a partition of it was forgotten.
  partitions    bigint NOT NULL,
  counted       bigint NOT NULL,
  duplicates    bigint NOT NULL,
  late          bigint NOT NULL,
  future        bigint NOT NULL,
  dead_letters  bigint NOT NULL,
  tombstones    bigint NOT NULL,
  -- Messages that Kafka had deleted before they were read: the sum of offset_gap.
  lost          bigint NOT NULL,
  -- The newest window never moves back.
  max_event_at  timestamptz,
  forgotten_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  forgotten_by  text NOT NULL DEFAULT current_user
);

-- The fates of all messages that were ever accounted for.
CREATE VIEW fate_total AS
SELECT coalesce(sum(counted), 0)::bigint AS counted, coalesce(sum(duplicates), 0)::bigint AS duplicates,
       coalesce(sum(late), 0)::bigint AS late, coalesce(sum(future), 0)::bigint AS future,
       coalesce(sum(dead_letters), 0)::bigint AS dead_letters, coalesce(sum(tombstones), 0)::bigint AS tombstones
FROM (SELECT counted, duplicates, late, future, dead_letters, tombstones FROM ingest_offset
      UNION ALL
      SELECT counted, duplicates, late, future, dead_letters, tombstones FROM forgotten_topic) AS fates;

-- A role that may read the offsets, as a server's own role does, may read these, too: every answer needs them.
DO $$
DECLARE
  reader oid;
BEGIN
  FOR reader IN
    SELECT acl.grantee FROM pg_class, aclexplode(relacl) AS acl
    WHERE pg_class.oid = 'ingest_offset'::regclass AND acl.privilege_type = 'SELECT' AND acl.grantee <> relowner
  LOOP
    EXECUTE format('GRANT SELECT ON forgotten_topic, fate_total TO %s', CASE reader WHEN 0 THEN 'PUBLIC' ELSE reader::regrole::text END);
  END LOOP;
END $$;

-- A publication FOR ALL TABLES refuses to delete from a table without a replica identity (SQLSTATE 55000), which stopped
-- every fold. A key, and not REPLICA IDENTITY FULL: a subscriber would look for each row through the whole table.
-- Batches insert only while a fold is under way, and none waits for another's key.
ALTER TABLE rollup_change ADD COLUMN change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
