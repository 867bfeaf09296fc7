-- Runs for single repositories that push events have queued, until the audit log has been told how many there were that day. A row outlives its
-- registry: what was done there is told all the same.
CREATE TABLE event_look (
    tenant_id   BLOB    NOT NULL,
    registry_id BLOB    NOT NULL,
    -- Days of 24 hours since the Unix epoch, in UTC.
    day         INTEGER NOT NULL,
    -- The registry's name when the last of them was queued.
    registry    TEXT    NOT NULL,
    runs        INTEGER NOT NULL CHECK (runs > 0),
    PRIMARY KEY (tenant_id, registry_id, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_look_day ON event_look (day);
