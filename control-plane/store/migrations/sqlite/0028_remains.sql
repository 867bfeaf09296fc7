-- What is left of removed registries. Nobody reaches it any more: tags, ledger and accounts of runs are found by way of the repository or the
-- run, which are gone. It is deleted little by little, so that nobody who writes has to wait until a large registry is.

CREATE TABLE repository_remains (
    tenant_id     BLOB    NOT NULL,
    -- Not given to another repository before this one has been cleared away.
    repository_no INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, repository_no)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_remains (
    tenant_id BLOB NOT NULL,
    run_id    BLOB NOT NULL,
    PRIMARY KEY (tenant_id, run_id)
) STRICT, WITHOUT ROWID;
