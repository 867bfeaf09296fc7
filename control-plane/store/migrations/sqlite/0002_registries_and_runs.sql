-- Registries, the sensors that may read them, and runs.

CREATE TABLE registry (
    tenant_id       BLOB    NOT NULL REFERENCES tenant,
    registry_id     BLOB    NOT NULL CHECK (length(registry_id) = 16),
    name            TEXT    NOT NULL,
    url             TEXT    NOT NULL,
    ca_bundle_pem   TEXT,
    ca_only_bundle  INTEGER NOT NULL CHECK (ca_only_bundle IN (0, 1)),
    globs           TEXT    NOT NULL CHECK (json_type(globs) = 'array'),
    -- Where the sensor finds the credential, never the credential: the words are those that may stand in front.
    credential      TEXT    CHECK (credential = 'docker-config' OR credential GLOB 'docker-config:*'
                                   OR credential GLOB 'file:/*' OR credential GLOB 'env:*'),
    concurrency     INTEGER NOT NULL CHECK (concurrency > 0),
    version         INTEGER NOT NULL DEFAULT 1,
    created_at      INTEGER NOT NULL,
    changed_at      INTEGER NOT NULL,
    last_attempt_at INTEGER,
    last_success_at INTEGER,
    PRIMARY KEY (tenant_id, registry_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX registry_name ON registry (tenant_id, name);

CREATE TABLE registry_sensor (
    tenant_id   BLOB    NOT NULL,
    registry_id BLOB    NOT NULL,
    -- 0 is preferred.
    rank        INTEGER NOT NULL,
    sensor_id   BLOB    NOT NULL,
    PRIMARY KEY (tenant_id, registry_id, rank)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX registry_sensor_once ON registry_sensor (tenant_id, registry_id, sensor_id);

CREATE TABLE run (
    tenant_id             BLOB    NOT NULL,
    run_id                BLOB    NOT NULL CHECK (length(run_id) = 16),
    registry_id           BLOB    NOT NULL,
    "trigger"             TEXT    NOT NULL,
    -- Names of repositories, sorted, each once; empty for the whole registry.
    scope                 TEXT    NOT NULL CHECK (json_type(scope) = 'array'),
    requested_by          TEXT    NOT NULL,
    state                 TEXT    NOT NULL CHECK (state IN ('queued', 'leased', 'complete', 'partial', 'failed', 'cancelled')),
    attempt               INTEGER NOT NULL DEFAULT 0,
    -- Whether the present attempt committed a repository, and how many before it ended without.
    attempt_fruitful      INTEGER NOT NULL DEFAULT 0 CHECK (attempt_fruitful IN (0, 1)),
    fruitless_attempts    INTEGER NOT NULL DEFAULT 0,
    refused_batches       INTEGER NOT NULL DEFAULT 0,
    sensor_id             BLOB,
    -- Both are set while leased, and only then.
    session_epoch         INTEGER CHECK ((session_epoch IS NULL) = (state <> 'leased')),
    lease_until           INTEGER CHECK ((lease_until IS NULL) = (state <> 'leased')),
    not_before            INTEGER NOT NULL,
    queued_at             INTEGER NOT NULL,
    started_at            INTEGER,
    ended_at              INTEGER CHECK ((ended_at IS NULL) = (state IN ('queued', 'leased'))),
    progress              TEXT    NOT NULL CHECK (json_valid(progress)),
    -- Set at the end; counted from run_repository until then.
    coverage              TEXT    CHECK (json_valid(coverage)),
    finding               TEXT    CHECK (json_valid(finding)),
    commits               INTEGER NOT NULL DEFAULT 0,
    tags_appeared         INTEGER NOT NULL DEFAULT 0,
    tags_moved            INTEGER NOT NULL DEFAULT 0,
    tags_vanished         INTEGER NOT NULL DEFAULT 0,
    content_stored        INTEGER NOT NULL DEFAULT 0,
    -- The attempt that closed the run, for a repeat of the same message.
    closed_by             INTEGER,
    repositories_vanished INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, run_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX run_open ON run (tenant_id, registry_id, scope) WHERE state IN ('queued', 'leased');
CREATE INDEX run_waiting ON run (queued_at, run_id) WHERE state = 'queued';
CREATE INDEX run_lease ON run (lease_until) WHERE state = 'leased';
CREATE INDEX run_holder ON run (tenant_id, sensor_id) WHERE state = 'leased';
CREATE INDEX run_age ON run (tenant_id, queued_at, run_id);
CREATE INDEX run_age_in_registry ON run (tenant_id, registry_id, queued_at, run_id);

-- What came of each repository in a run. When the run ends, only those that were not complete stay.
CREATE TABLE run_repository (
    tenant_id    BLOB    NOT NULL,
    run_id       BLOB    NOT NULL,
    repository   TEXT    NOT NULL,
    outcome      TEXT    NOT NULL CHECK (outcome IN ('listed', 'unchanged', 'incomplete', 'truncated', 'denied',
                                                     'missing', 'failed', 'refused')),
    -- The hash that was committed; none if the repository was only reported on.
    state_hash   BLOB    CHECK (length(state_hash) = 32),
    tags         INTEGER NOT NULL DEFAULT 0,
    finding_code TEXT,
    finding_seen TEXT    CHECK ((finding_seen IS NULL) = (finding_code IS NULL)),
    PRIMARY KEY (tenant_id, run_id, repository)
) STRICT, WITHOUT ROWID;
