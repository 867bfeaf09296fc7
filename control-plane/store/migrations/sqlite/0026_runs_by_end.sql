-- Runs by their end, and how long runs were kept waiting.

-- What a clock that was ahead has written is found by it, however long before a run was queued.
CREATE INDEX run_end ON run (ended_at) WHERE ended_at IS NOT NULL;

-- Since when a run that had begun waits for the end of a blackout, and for how many milliseconds it did so before: that is no time that it took.
ALTER TABLE run ADD COLUMN put_off_at INTEGER;
ALTER TABLE run ADD COLUMN put_off_ms INTEGER NOT NULL DEFAULT 0;
