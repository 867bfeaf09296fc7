-- The change feed is the ledger in the order of its commits; the ledger says how each change was learnt; history is kept as long as is wanted.

-- Number of the latest entry of the feed.
ALTER TABLE tenant ADD COLUMN feed_no INTEGER NOT NULL DEFAULT 0;
-- Days; none for ever.
ALTER TABLE tenant ADD COLUMN history_days INTEGER CHECK (history_days > 0);
ALTER TABLE tenant ADD COLUMN runs_days INTEGER CHECK (runs_days > 0);
-- How far forgetting has come: something of entries up to this number may have been removed; of the last of them, what is behind this tag
-- is still to be gone through (none: nothing is). What was before this time is not known any more.
ALTER TABLE tenant ADD COLUMN feed_forgotten INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenant ADD COLUMN feed_forgotten_tag TEXT;
ALTER TABLE tenant ADD COLUMN history_from INTEGER;

-- Its position in the feed. None only for what a release before this one has written since: it is numbered when the database is opened.
ALTER TABLE ledger_entry ADD COLUMN feed_no INTEGER;
-- Why the run was started that noticed it, and who ran it: runs may be forgotten, history not.
ALTER TABLE ledger_entry ADD COLUMN learnt TEXT;
ALTER TABLE ledger_entry ADD COLUMN sensor_id BLOB CHECK (length(sensor_id) = 16);

-- What there is already is numbered in the order in which it was noticed.
UPDATE ledger_entry SET (learnt, sensor_id) = (SELECT "trigger", sensor_id FROM run
    WHERE run.tenant_id = ledger_entry.tenant_id AND run.run_id = ledger_entry.run_id);
UPDATE ledger_entry SET feed_no = numbered.feed_no FROM (
    SELECT tenant_id, repository_no, entry_no,
           row_number() OVER (PARTITION BY tenant_id ORDER BY noticed_at, repository_no, entry_no) AS feed_no
    FROM ledger_entry) AS numbered
WHERE ledger_entry.tenant_id = numbered.tenant_id AND ledger_entry.repository_no = numbered.repository_no
  AND ledger_entry.entry_no = numbered.entry_no;
UPDATE tenant SET feed_no = (SELECT coalesce(max(feed_no), 0) FROM ledger_entry WHERE ledger_entry.tenant_id = tenant.tenant_id);
CREATE UNIQUE INDEX ledger_feed ON ledger_entry (tenant_id, feed_no);

-- Registries that were removed, with everything in them: their ledgers are gone, but whoever follows the feed must hear of it.
CREATE TABLE registry_removal (
    tenant_id   BLOB    NOT NULL,
    feed_no     INTEGER NOT NULL,
    registry_id BLOB    NOT NULL CHECK (length(registry_id) = 16),
    name        TEXT    NOT NULL,
    removed_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, feed_no)
) STRICT, WITHOUT ROWID;
