-- The audit log as a chain: every row carries the hash of the row before it and its own.
--
-- Rows without hashes were written by a release before this one, or are being written by one that still runs beside it. They are chained, in
-- their order, when the database is opened and before anything is appended: from that moment on they cannot be changed without notice. What
-- was changed in them earlier, nothing can tell.
ALTER TABLE audit ADD COLUMN prev_hash BLOB CHECK (prev_hash IS NULL OR length(prev_hash) = 32);
ALTER TABLE audit ADD COLUMN hash BLOB CHECK (hash IS NULL OR length(hash) = 32);

-- Where each chain stands. Kept apart from the rows, so that cutting off the last of them is noticed.
CREATE TABLE audit_head (
    tenant_id BLOB    NOT NULL PRIMARY KEY,
    seq       INTEGER NOT NULL CHECK (seq > 0),
    hash      BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT, WITHOUT ROWID;

-- Signed heads; the last 10,000 of each tenant.
CREATE TABLE audit_checkpoint (
    tenant_id  BLOB    NOT NULL,
    seq        INTEGER NOT NULL CHECK (seq > 0),
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    at         INTEGER NOT NULL,
    signature  BLOB    NOT NULL CHECK (length(signature) = 64),
    public_key BLOB    NOT NULL CHECK (length(public_key) = 32),
    PRIMARY KEY (tenant_id, seq)
) STRICT, WITHOUT ROWID;

-- Where the sensors' own logs were last said to stand. A row that goes back, or changes its hash, means a log that was cut or rewritten.
CREATE TABLE sensor_audit_head (
    tenant_id   BLOB    NOT NULL,
    sensor_id   BLOB    NOT NULL,
    seq         INTEGER NOT NULL CHECK (seq >= 0),
    hash        BLOB    NOT NULL CHECK (length(hash) = 32),
    reported_at INTEGER NOT NULL,
    -- What was last reported as wrong: said once, not with every heartbeat.
    problem     TEXT,
    PRIMARY KEY (tenant_id, sensor_id)
) STRICT, WITHOUT ROWID;
