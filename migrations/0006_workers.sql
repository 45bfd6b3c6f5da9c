-- The workers that count. Each worker writes a row of its own every five seconds, outside of all batches, and one last
-- time when it stops. Times are the database's; what a worker measures by a monotonic clock of its own comes as an age.
-- docs/semantics.md (Freshness) says what servers make of it.
CREATE TABLE worker (
  id               uuid PRIMARY KEY,
  started_at       timestamptz NOT NULL,
  seen_at          timestamptz NOT NULL,
  stopped_at       timestamptz,
  version          text NOT NULL,
  host             text NOT NULL,
  pid              integer NOT NULL,
  topics           text[] COLLATE "C" NOT NULL,
  partitions       integer[] NOT NULL,
  lags             bigint[] NOT NULL,
  broker_reachable boolean NOT NULL,
  lag              bigint,
  behind_since     timestamptz,
  last_commit_at   timestamptz,
  last_error       text,
  last_error_at    timestamptz
) WITH (fillfactor = 50);

COMMENT ON TABLE worker IS 'The workers (topitems ingest) of the last day';
COMMENT ON COLUMN worker.seen_at IS 'When it wrote this row last; one that runs does so every 5 s';
COMMENT ON COLUMN worker.stopped_at IS 'When it said that it stops; NULL while it runs, and where it ended without a word';
COMMENT ON COLUMN worker.topics IS 'The topics of the partitions that Kafka has assigned to it; one element for each partition';
COMMENT ON COLUMN worker.partitions IS 'Their numbers, in the same order';
COMMENT ON COLUMN worker.lags IS 'Messages of each that are not committed, by the end that the broker tells; NULL where it is not known';
COMMENT ON COLUMN worker.broker_reachable IS 'Whether a broker has answered it within 15 s';
COMMENT ON COLUMN worker.lag IS 'The sum of lags; NULL where one is not known';
COMMENT ON COLUMN worker.behind_since IS 'Messages that arrived from then on may not be counted yet; NULL when all are';
COMMENT ON COLUMN worker.last_error IS 'The last failure of Kafka or PostgreSQL that it met; later success does not remove it';

-- A role that may read the offsets, as a server's own role does, may read this, too.
DO $$
DECLARE
  reader oid;
BEGIN
  FOR reader IN
    SELECT acl.grantee FROM pg_class, aclexplode(relacl) AS acl
    WHERE pg_class.oid = 'ingest_offset'::regclass AND acl.privilege_type = 'SELECT' AND acl.grantee <> relowner
  LOOP
    EXECUTE format('GRANT SELECT ON worker TO %s', CASE reader WHEN 0 THEN 'PUBLIC' ELSE reader::regrole::text END);
  END LOOP;
END $$;
