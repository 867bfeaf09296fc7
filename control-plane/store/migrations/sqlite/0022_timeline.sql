-- What a database knows of its own past, so that an old state of it is never taken for the present one.

CREATE TABLE timeline (
    only_row  INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    -- Counts up every minute while a control plane runs, which keeps the highest that it knows beside its keys: a database with a lower one is
    -- an old state.
    pulse     INTEGER NOT NULL CHECK (pulse >= 0),
    -- This is a copy that was taken as a backup, or one that is being restored: nobody may work on it before that has come to its end.
    mark      TEXT    CHECK (mark IN ('backup', 'restoring')),
    marked_at INTEGER CHECK ((marked_at IS NULL) = (mark IS NULL)),
    restores  INTEGER NOT NULL DEFAULT 0 CHECK (restores >= 0)
) STRICT;
INSERT INTO timeline (only_row, pulse) VALUES (1, 0);

-- Positions in the change feed in front of this one were given out before the last restore: of what followed them nobody knows.
ALTER TABLE tenant ADD COLUMN feed_from INTEGER NOT NULL DEFAULT 0;
-- Until when a sensor may recover with a continuity token that is not known here, because it was given to it after the backup was taken; until it
-- has opened a session.
ALTER TABLE sensor ADD COLUMN amnesty_until INTEGER;
