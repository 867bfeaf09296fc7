-- Tenants, API tokens, the audit log, invitations, sensors and denials.
--
-- Ids are 16 bytes, times milliseconds since the Unix epoch. Secrets are present as keyed hashes alone.

CREATE TABLE tenant (
    tenant_id  BLOB    NOT NULL PRIMARY KEY CHECK (length(tenant_id) = 16),
    name       TEXT    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    -- Manifests whose bytes are held: counted here because counting a million rows takes too long for a page.
    manifests  INTEGER NOT NULL DEFAULT 0 CHECK (manifests >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_token (
    tenant_id   BLOB    NOT NULL REFERENCES tenant,
    token_id    BLOB    NOT NULL CHECK (length(token_id) = 16),
    name        TEXT    NOT NULL,
    role        TEXT    NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    secret_hash BLOB    NOT NULL CHECK (length(secret_hash) = 32),
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER,
    revoked_at  INTEGER,
    PRIMARY KEY (tenant_id, token_id)
) STRICT, WITHOUT ROWID;
-- A caller shows the token's public part; its tenant is found by it.
CREATE UNIQUE INDEX api_token_anywhere ON api_token (token_id);
CREATE UNIQUE INDEX api_token_name ON api_token (tenant_id, name) WHERE revoked_at IS NULL;
CREATE INDEX api_token_age ON api_token (tenant_id, created_at, token_id);

CREATE TABLE audit (
    tenant_id BLOB    NOT NULL,
    seq       INTEGER NOT NULL CHECK (seq > 0),
    at        INTEGER NOT NULL,
    actor     TEXT    NOT NULL,
    action    TEXT    NOT NULL,
    object    TEXT    NOT NULL,
    severity  TEXT    NOT NULL CHECK (severity IN ('info', 'notice', 'high')),
    details   TEXT    NOT NULL CHECK (json_valid(details)),
    PRIMARY KEY (tenant_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE invitation (
    tenant_id     BLOB    NOT NULL REFERENCES tenant,
    invitation_id BLOB    NOT NULL CHECK (length(invitation_id) = 16),
    secret_hash   BLOB    NOT NULL CHECK (length(secret_hash) = 32),
    sensor_name   TEXT    NOT NULL,
    created_by    TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    revoked_at    INTEGER,
    -- Which machine used it: all three or none.
    bound_sensor  BLOB CHECK (length(bound_sensor) = 16),
    bound_at      INTEGER CHECK ((bound_at IS NULL) = (bound_sensor IS NULL)),
    bound_source  TEXT    CHECK ((bound_source IS NULL) = (bound_sensor IS NULL)),
    PRIMARY KEY (tenant_id, invitation_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX invitation_anywhere ON invitation (invitation_id);
CREATE INDEX invitation_age ON invitation (tenant_id, created_at, invitation_id);
CREATE INDEX invitation_open ON invitation (tenant_id, sensor_name) WHERE bound_sensor IS NULL AND revoked_at IS NULL;

CREATE TABLE sensor (
    tenant_id           BLOB    NOT NULL REFERENCES tenant,
    sensor_id           BLOB    NOT NULL CHECK (length(sensor_id) = 16),
    name                TEXT    NOT NULL,
    state               TEXT    NOT NULL CHECK (state IN ('provisional', 'active', 'revoked')),
    contested           INTEGER NOT NULL DEFAULT 0 CHECK (contested IN (0, 1)),
    identity_public_key BLOB    NOT NULL CHECK (length(identity_public_key) = 32),
    current_serial      BLOB    NOT NULL CHECK (length(current_serial) = 16),
    current_not_after   INTEGER NOT NULL,
    new_serial          BLOB    CHECK (length(new_serial) = 16),
    new_not_after       INTEGER CHECK ((new_not_after IS NULL) = (new_serial IS NULL)),
    session_epoch       INTEGER NOT NULL DEFAULT 0 CHECK (session_epoch >= 0),
    hostname            TEXT    NOT NULL,
    os                  TEXT    NOT NULL,
    architecture        TEXT    NOT NULL,
    agent_version       TEXT    NOT NULL,
    policy_hash         BLOB    CHECK (length(policy_hash) = 32),
    policy_summary      TEXT    NOT NULL DEFAULT '',
    clock_skew_ms       INTEGER NOT NULL DEFAULT 0,
    enrolled_at         INTEGER NOT NULL,
    enrolled_from       TEXT    NOT NULL,
    last_seen_at        INTEGER,
    revoked_at          INTEGER CHECK ((revoked_at IS NULL) = (state <> 'revoked')),
    PRIMARY KEY (tenant_id, sensor_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX sensor_anywhere ON sensor (sensor_id);
CREATE UNIQUE INDEX sensor_name ON sensor (tenant_id, name);
-- One identity, one sensor, in whichever tenant.
CREATE UNIQUE INDEX sensor_identity ON sensor (identity_public_key);

-- When certificates were renewed within the last hour.
CREATE TABLE sensor_renewal (
    tenant_id BLOB    NOT NULL,
    sensor_id BLOB    NOT NULL,
    at        INTEGER NOT NULL,
    serial    BLOB    NOT NULL CHECK (length(serial) = 16),
    PRIMARY KEY (tenant_id, sensor_id, at, serial)
) STRICT, WITHOUT ROWID;

CREATE TABLE denial (
    tenant_id BLOB    NOT NULL,
    epoch     INTEGER NOT NULL,
    sensor_id BLOB    NOT NULL,
    reason    TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, epoch)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX denial_epoch_order ON denial (epoch);

-- Position of the latest denial of all tenants: one row, written in the transaction that writes the denial.
CREATE TABLE denial_epoch (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    epoch    INTEGER NOT NULL
) STRICT;
INSERT INTO denial_epoch (only_row, epoch) VALUES (1, 0);
