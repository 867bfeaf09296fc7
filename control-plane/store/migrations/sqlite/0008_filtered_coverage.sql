-- Repositories that the registry's patterns left out have a line each in the account of a run. A CHECK cannot be changed in place: the table
-- is made anew, as it was but for one more word. Nothing refers to it.

CREATE TABLE run_repository_new (
    tenant_id      BLOB    NOT NULL,
    run_id         BLOB    NOT NULL,
    repository     TEXT    NOT NULL,
    outcome        TEXT    NOT NULL CHECK (outcome IN ('listed', 'unchanged', 'incomplete', 'truncated', 'denied',
                                                       'missing', 'failed', 'refused', 'filtered')),
    -- The hash that was committed; none if the repository was only reported on.
    state_hash     BLOB    CHECK (length(state_hash) = 32),
    tags           INTEGER NOT NULL DEFAULT 0,
    finding_code   TEXT,
    finding_seen   TEXT    CHECK ((finding_seen IS NULL) = (finding_code IS NULL)),
    finding_detail TEXT    CHECK (finding_detail IS NULL OR finding_code IS NOT NULL),
    -- Tags of it that exist and that the filter leaves out.
    left_out       INTEGER NOT NULL DEFAULT 0,
    -- One that was left out came to nothing.
    CHECK (outcome <> 'filtered' OR (state_hash IS NULL AND finding_code IS NULL)),
    PRIMARY KEY (tenant_id, run_id, repository)
) STRICT, WITHOUT ROWID;
INSERT INTO run_repository_new (tenant_id, run_id, repository, outcome, state_hash, tags, finding_code, finding_seen,
                                finding_detail, left_out)
    SELECT tenant_id, run_id, repository, outcome, state_hash, tags, finding_code, finding_seen, finding_detail, left_out
    FROM run_repository;
DROP TABLE run_repository;
ALTER TABLE run_repository_new RENAME TO run_repository;

-- So that those of a run are counted without its other rows.
CREATE INDEX run_repository_filtered ON run_repository (tenant_id, run_id, repository) WHERE outcome = 'filtered';
