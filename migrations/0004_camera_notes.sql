-- What batches add to the cameras is noted, and added to their rows now and then: to update ten thousand rows with every
-- batch would cost a fifth of the throughput. docs/decisions/cameras.md has the figures.

-- The name is the view's below.
ALTER TABLE camera_health RENAME TO camera_tally;
ALTER INDEX camera_health_pkey RENAME TO camera_tally_pkey;

-- What batches added since: one row a batch, with an element for each camera, and no array where all would be 0. Each
-- worker moves its own to the cameras' rows once in ten seconds.
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
