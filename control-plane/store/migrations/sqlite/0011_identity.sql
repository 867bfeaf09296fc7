-- Suspension, quarantine, continuity, recovery and deletion of sensors.
--
-- A CHECK can only be widened by making the table anew. No other table refers to this one.

CREATE TABLE sensor_anew (
    tenant_id           BLOB    NOT NULL REFERENCES tenant,
    sensor_id           BLOB    NOT NULL CHECK (length(sensor_id) = 16),
    name                TEXT    NOT NULL,
    state               TEXT    NOT NULL CHECK (state IN ('provisional', 'active', 'suspended', 'quarantined', 'revoked')),
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
    stuck_at            INTEGER,
    -- SHA-256 of the continuity token that it has stored; none if it was enrolled before there were any.
    continuity          BLOB    CHECK (length(continuity) = 32),
    -- Of those that were sent since, oldest first.
    outstanding         BLOB    NOT NULL DEFAULT x'' CHECK (length(outstanding) % 32 = 0 AND length(outstanding) <= 256),
    -- Counts up each time that its state may have existed twice; sealing keys of an earlier generation are void.
    generation          INTEGER NOT NULL DEFAULT 1 CHECK (generation > 0),
    -- Until when it may recover without questions, until it has opened a session; and of which machine alone, if of one.
    approved_until      INTEGER,
    approved_fingerprint BLOB   CHECK (length(approved_fingerprint) = 16),
    -- Why it was last refused a recovery, when the audit log last said so, and how often it was refused since.
    last_refusal        TEXT,
    refused_at          INTEGER CHECK ((refused_at IS NULL) = (last_refusal IS NULL)),
    refusals            INTEGER NOT NULL DEFAULT 0,
    -- What its machine told of itself at the last session, for people.
    fingerprint         BLOB    CHECK (length(fingerprint) = 16),
    boot_id             TEXT    NOT NULL DEFAULT '',
    incarnation         INTEGER NOT NULL DEFAULT 0,
    seen_from           TEXT    NOT NULL DEFAULT '',
    deleted_at          INTEGER CHECK (deleted_at IS NULL OR state = 'revoked'),
    PRIMARY KEY (tenant_id, sensor_id)
) STRICT, WITHOUT ROWID;

INSERT INTO sensor_anew (tenant_id, sensor_id, name, state, contested, identity_public_key, current_serial, current_not_after, new_serial,
                         new_not_after, session_epoch, hostname, os, architecture, agent_version, policy_hash, policy_summary,
                         clock_skew_ms, enrolled_at, enrolled_from, last_seen_at, revoked_at, stuck_at)
SELECT tenant_id, sensor_id, name, state, contested, identity_public_key, current_serial, current_not_after, new_serial,
       new_not_after, session_epoch, hostname, os, architecture, agent_version, policy_hash, policy_summary,
       clock_skew_ms, enrolled_at, enrolled_from, last_seen_at, revoked_at, stuck_at
FROM sensor;

DROP TABLE sensor;
ALTER TABLE sensor_anew RENAME TO sensor;
CREATE UNIQUE INDEX sensor_anywhere ON sensor (sensor_id);
-- A deleted sensor's name is free; its id and its key are not.
CREATE UNIQUE INDEX sensor_name ON sensor (tenant_id, name) WHERE deleted_at IS NULL;
-- One identity, one sensor, in whichever tenant.
CREATE UNIQUE INDEX sensor_identity ON sensor (identity_public_key);
CREATE INDEX sensor_provisional ON sensor (enrolled_at) WHERE state = 'provisional';
CREATE INDEX sensor_deleted ON sensor (deleted_at) WHERE deleted_at IS NOT NULL;

-- Certificates that were given without one, within the last 30 days. The challenge is good for one.
CREATE TABLE sensor_recovery (
    tenant_id BLOB    NOT NULL,
    sensor_id BLOB    NOT NULL,
    at        INTEGER NOT NULL,
    challenge BLOB    NOT NULL CHECK (length(challenge) = 32),
    PRIMARY KEY (tenant_id, sensor_id, challenge)
) STRICT, WITHOUT ROWID;

-- What was done to one thing, in order.
CREATE INDEX audit_object ON audit (tenant_id, object, seq);

-- Which denial of a sensor is the last.
CREATE INDEX denial_sensor ON denial (tenant_id, sensor_id, epoch);

-- When an identity was seen twice.
CREATE TABLE sensor_conflict (
    tenant_id BLOB    NOT NULL,
    sensor_id BLOB    NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, sensor_id, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX sensor_conflict_age ON sensor_conflict (at);
