-- What BI tools read: views with names instead of numbers, ranked inside each location and window. Their columns stay
-- as they are when tables change. docs/connect/postgresql.md shows how to use them.
--
-- A condition on geographical_location_oid, geographical_location or window_start reaches the tables, as rankings are
-- cut by exactly these three; one on window_end does not. Counts stand behind the location (LATERAL), so that they are
-- read location by location through an index, whatever the condition. Hours and days are complete at every moment: the
-- folded level below its mark, and above it the finer levels, summed here (docs/decisions/rollups.md).
CREATE SCHEMA bi;

CREATE VIEW bi.locations AS
SELECT geographical_location_oid, geographical_location
FROM counted_location FULL JOIN location USING (geographical_location_oid);

CREATE VIEW bi.window_counts AS
SELECT place.geographical_location_oid, place.geographical_location,
       stored.window_start, stored.window_start + interval '1 minute' AS window_end,
       item.item_name, stored.item_count
FROM (SELECT * FROM counted_location LEFT JOIN location USING (geographical_location_oid)) AS place
JOIN window_count AS stored
  ON stored.geographical_location_oid = place.geographical_location_oid
 AND stored.window_start >= (SELECT kept_from FROM rollup_mark WHERE level = 'minute')
JOIN item USING (item_id);

CREATE VIEW bi.top_items_by_minute AS
SELECT geographical_location_oid, geographical_location, window_start, window_end,
       row_number() OVER (PARTITION BY geographical_location_oid, window_start, geographical_location
                          ORDER BY item_count DESC, item_name) AS item_rank,
       item_name, item_count
FROM bi.window_counts;

CREATE VIEW bi.top_items_by_hour AS
SELECT place.geographical_location_oid, place.geographical_location,
       counts.window_start, counts.window_start + interval '1 hour' AS window_end,
       row_number() OVER (
         PARTITION BY place.geographical_location_oid, counts.window_start, place.geographical_location
         ORDER BY counts.item_count DESC, item.item_name) AS item_rank,
       item.item_name, counts.item_count
FROM (SELECT * FROM counted_location LEFT JOIN location USING (geographical_location_oid)) AS place
CROSS JOIN LATERAL (
  SELECT window_start, item_id, item_count FROM window_count_hour AS stored
  WHERE stored.geographical_location_oid = place.geographical_location_oid
    AND window_start >= (SELECT kept_from FROM rollup_mark WHERE level = 'hour')
    AND window_start < (SELECT folded_until FROM rollup_mark WHERE level = 'hour')
  UNION ALL
  -- Hour by hour, so that a condition on window_start decides which of them are summed at all.
  SELECT unit.window_start, sums.item_id, sums.item_count
  FROM (
    SELECT min(window_start) AS oldest, max(window_start) AS newest FROM window_count AS stored
    WHERE stored.geographical_location_oid = place.geographical_location_oid
      AND window_start >= (SELECT folded_until FROM rollup_mark WHERE level = 'hour')) AS unfolded,
  generate_series(date_trunc('hour', oldest, 'UTC'), newest, interval '1 hour') AS unit(window_start),
  LATERAL (
    SELECT item_id, sum(item_count)::bigint AS item_count FROM window_count AS stored
    WHERE stored.geographical_location_oid = place.geographical_location_oid
      AND stored.window_start >= unit.window_start
      AND stored.window_start < unit.window_start + interval '1 hour'
    GROUP BY item_id) AS sums) AS counts
JOIN item USING (item_id);

CREATE VIEW bi.top_items_by_day AS
SELECT place.geographical_location_oid, place.geographical_location,
       -- 24 hours and not a day, which would be 23 or 25 hours long in some clients' time zones.
       counts.window_start, counts.window_start + interval '24 hours' AS window_end,
       row_number() OVER (
         PARTITION BY place.geographical_location_oid, counts.window_start, place.geographical_location
         ORDER BY counts.item_count DESC, item.item_name) AS item_rank,
       item.item_name, counts.item_count
FROM (SELECT * FROM counted_location LEFT JOIN location USING (geographical_location_oid)) AS place
CROSS JOIN LATERAL (
  SELECT window_start, item_id, item_count FROM window_count_day AS stored
  WHERE stored.geographical_location_oid = place.geographical_location_oid
    AND window_start < (SELECT folded_until FROM rollup_mark WHERE level = 'day')
  UNION ALL
  SELECT unit.window_start, sums.item_id, sums.item_count
  FROM (
    SELECT min(window_start) AS oldest, max(window_start) AS newest FROM window_count_hour AS stored
    WHERE stored.geographical_location_oid = place.geographical_location_oid
      AND window_start >= (SELECT folded_until FROM rollup_mark WHERE level = 'day')
      AND window_start < (SELECT folded_until FROM rollup_mark WHERE level = 'hour')) AS hours,
  (
    SELECT min(window_start) AS oldest, max(window_start) AS newest FROM window_count AS stored
    WHERE stored.geographical_location_oid = place.geographical_location_oid
      AND window_start >= (SELECT folded_until FROM rollup_mark WHERE level = 'hour')) AS minutes,
  generate_series(date_trunc('day', least(hours.oldest, minutes.oldest), 'UTC'),
                  greatest(hours.newest, minutes.newest), interval '24 hours') AS unit(window_start),
  LATERAL (
    SELECT item_id, sum(item_count)::bigint AS item_count FROM (
      SELECT item_id, item_count FROM window_count_hour AS stored
      WHERE stored.geographical_location_oid = place.geographical_location_oid
        AND stored.window_start >= unit.window_start
        AND stored.window_start < unit.window_start + interval '24 hours'
        AND stored.window_start < (SELECT folded_until FROM rollup_mark WHERE level = 'hour')
      UNION ALL
      SELECT item_id, item_count FROM window_count AS stored
      WHERE stored.geographical_location_oid = place.geographical_location_oid
        AND stored.window_start >= unit.window_start
        AND stored.window_start < unit.window_start + interval '24 hours'
        AND stored.window_start >= (SELECT folded_until FROM rollup_mark WHERE level = 'hour')) AS finer
    GROUP BY item_id) AS sums) AS counts
JOIN item USING (item_id);

COMMENT ON SCHEMA bi IS 'What BI tools read; its columns stay as they are. All times are UTC''s.';

COMMENT ON VIEW bi.locations IS 'Every location: those with a name, and those that have counted something';
COMMENT ON VIEW bi.window_counts IS 'How often each item was detected at a location in a minute; not ranked';
COMMENT ON VIEW bi.top_items_by_minute IS 'The items of each location, ranked in each minute; kept for days';
COMMENT ON VIEW bi.top_items_by_hour IS 'The items of each location, ranked in each hour; kept for a year by default';
COMMENT ON VIEW bi.top_items_by_day IS 'The items of each location, ranked in each day (UTC); kept for ever';

DO $$
DECLARE
  view text;
BEGIN
  FOREACH view IN ARRAY ARRAY['locations', 'window_counts', 'top_items_by_minute', 'top_items_by_hour', 'top_items_by_day'] LOOP
    EXECUTE format('COMMENT ON COLUMN bi.%I.geographical_location_oid IS %L', view, 'The key of the location');
    EXECUTE format('COMMENT ON COLUMN bi.%I.geographical_location IS %L', view,
                   'What the location is called now; NULL where it has no name as yet');
    CONTINUE WHEN view = 'locations';
    EXECUTE format('COMMENT ON COLUMN bi.%I.window_start IS %L', view, 'Where the window begins; inside it');
    EXECUTE format('COMMENT ON COLUMN bi.%I.window_end IS %L', view,
                   'Where the window ends; outside it. Filter on window_start, which is much faster');
    EXECUTE format('COMMENT ON COLUMN bi.%I.item_name IS %L', view,
                   '1 to 5,000 characters of whatever the cameras sent: never trust it in a page or a command');
    EXECUTE format('COMMENT ON COLUMN bi.%I.item_count IS %L', view, 'Distinct detections');
    CONTINUE WHEN view = 'window_counts';
    EXECUTE format('COMMENT ON COLUMN bi.%I.item_rank IS %L', view,
                   '1, 2, 3, ... inside the location and window: by count descending, then by name in byte order');
  END LOOP;
END $$;

-- Who may read the views and nothing else. It cannot log in; whoever needs it becomes its member. Roles belong to the
-- whole cluster: it may be there already, and not every owner of a database may make one.
DO $$
DECLARE
  grants CONSTANT text :=
    'GRANT USAGE ON SCHEMA bi TO topitems_reader; GRANT SELECT ON ALL TABLES IN SCHEMA bi TO topitems_reader;';
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'topitems_reader') THEN
    BEGIN
      CREATE ROLE topitems_reader NOLOGIN;
    EXCEPTION
      WHEN duplicate_object OR unique_violation THEN NULL; -- another database was quicker
      WHEN insufficient_privilege THEN
        RAISE NOTICE 'the role topitems_reader was not made, as % may not make roles', current_user
          USING HINT = 'Someone who may should run: CREATE ROLE topitems_reader NOLOGIN; ' || grants;
    END;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'topitems_reader') THEN
    EXECUTE grants;
  END IF;
END $$;
