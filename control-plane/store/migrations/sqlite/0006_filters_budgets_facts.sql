-- Which tags are wanted, how hard a registry may be worked, what is known of it, and what the filter left out.

-- Like globs, which holds patterns of repositories under its older name.
ALTER TABLE registry ADD COLUMN tag_patterns TEXT NOT NULL DEFAULT '[]' CHECK (json_type(tag_patterns) = 'array');
ALTER TABLE registry ADD COLUMN newest_tags INTEGER CHECK (newest_tags > 0);
ALTER TABLE registry ADD COLUMN max_tag_age_days INTEGER CHECK (max_tag_age_days > 0);
ALTER TABLE registry ADD COLUMN requests_per_second INTEGER CHECK (requests_per_second > 0);
ALTER TABLE registry ADD COLUMN requests_per_day INTEGER CHECK (requests_per_day > 0);
-- What sensors found out about it, each fact with its time.
ALTER TABLE registry ADD COLUMN facts TEXT NOT NULL DEFAULT '{}' CHECK (json_type(facts) = 'object');

-- Requests that sensors sent to a registry, by the quarter of an hour in which they said so. Those older than a day are removed.
CREATE TABLE registry_requests (
    tenant_id   BLOB    NOT NULL,
    registry_id BLOB    NOT NULL,
    -- Quarters of an hour since the Unix epoch.
    quarter     INTEGER NOT NULL,
    requests    INTEGER NOT NULL CHECK (requests >= 0),
    PRIMARY KEY (tenant_id, registry_id, quarter)
) STRICT, WITHOUT ROWID;

-- The tag still existed, but the registry's filter left it out: it did not vanish.
ALTER TABLE ledger ADD COLUMN left_out INTEGER NOT NULL DEFAULT 0
    CHECK (left_out = 0 OR (left_out = 1 AND digest_after IS NULL));

-- Tags of the inventory that the filter left out by this run.
ALTER TABLE run ADD COLUMN tags_left_out INTEGER NOT NULL DEFAULT 0;
-- Lines of its account whose finding kept its detail.
ALTER TABLE run ADD COLUMN details INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run_repository ADD COLUMN finding_detail TEXT CHECK (finding_detail IS NULL OR finding_code IS NOT NULL);
-- Tags of it that exist and that the filter leaves out.
ALTER TABLE run_repository ADD COLUMN left_out INTEGER NOT NULL DEFAULT 0;
