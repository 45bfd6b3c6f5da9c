-- What is kept for how long belongs to the database and not to each worker's options, of which the shortest won. One row,
-- written by the first worker or by `topitems retention set`; none means that neither has run yet.
CREATE TABLE retention_setting (
  only_row            boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  -- All in seconds.
  dedup_horizon_s     bigint NOT NULL CHECK (dedup_horizon_s > 0),
  keep_minutes_s      bigint NOT NULL CHECK (keep_minutes_s > 0),
  keep_hours_s        bigint NOT NULL CHECK (keep_hours_s > 0),
  -- NULL: for ever.
  keep_dead_letters_s bigint CHECK (keep_dead_letters_s > 0),
  keep_quarantine_s   bigint CHECK (keep_quarantine_s > 0),
  changed_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  changed_by          text NOT NULL DEFAULT current_user
);
