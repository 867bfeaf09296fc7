-- Outgoing webhooks: who is told of changes, how far each has been told, and what came of it. Secrets are derived, not stored.

CREATE TABLE webhook (
    tenant_id    BLOB    NOT NULL REFERENCES tenant,
    webhook_id   BLOB    NOT NULL CHECK (length(webhook_id) = 16),
    name         TEXT    NOT NULL,
    url          TEXT    NOT NULL,
    -- Of all registries if none.
    registry_id  BLOB    CHECK (length(registry_id) = 16),
    state        TEXT    NOT NULL CHECK (state IN ('active', 'paused', 'disabled')),
    -- Why it is disabled, as a word.
    why          TEXT    CHECK ((why IS NULL) = (state <> 'disabled')),
    -- Counts up when the secret is replaced; the one before stays good for a day.
    secret_no    INTEGER NOT NULL DEFAULT 1 CHECK (secret_no > 0),
    secret_since INTEGER NOT NULL,
    -- The position in the change feed up to which everything has arrived: entry, and the last tag of it that has.
    position_no  INTEGER NOT NULL CHECK (position_no >= 0),
    position_tag TEXT,
    -- The message that is being delivered: its id, where it ends in the feed, how many changes it has. What it says is in webhook_message.
    message      TEXT,
    ends_no      INTEGER CHECK ((ends_no IS NULL) = (message IS NULL)),
    ends_tag     TEXT    CHECK (ends_tag IS NULL OR ends_no IS NOT NULL),
    changes      INTEGER CHECK ((changes IS NULL) = (message IS NULL)),
    -- How often it was tried in vain, since when, and when next.
    attempts     INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    first_try_at INTEGER CHECK ((first_try_at IS NULL) = (attempts = 0)),
    next_try_at  INTEGER NOT NULL,
    -- Which process delivers for it at present, and until when nobody else may.
    held_by      BLOB    CHECK (length(held_by) = 16),
    held_until   INTEGER CHECK ((held_until IS NULL) = (held_by IS NULL)),
    -- Counts what people change in it: what comes of an attempt by what it was before does not count against what it is now.
    version      INTEGER NOT NULL DEFAULT 1,
    -- Number of the latest attempt in webhook_delivery.
    delivery_no  INTEGER NOT NULL DEFAULT 0,
    created_by   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    last_success_at INTEGER,
    PRIMARY KEY (tenant_id, webhook_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX webhook_name ON webhook (tenant_id, name);
-- Everything that is asked for each second: only those to which something can be delivered, and whether there is something new.
CREATE INDEX webhook_fresh ON webhook (next_try_at, tenant_id, position_no, held_until) WHERE state = 'active' AND attempts = 0;
CREATE INDEX webhook_again ON webhook (next_try_at, tenant_id, position_no, held_until) WHERE state = 'active' AND attempts > 0;
CREATE INDEX webhook_held ON webhook (held_by) WHERE held_by IS NOT NULL;

-- What the message that is being delivered says: every attempt sends the same bytes.
CREATE TABLE webhook_message (
    tenant_id   BLOB    NOT NULL,
    webhook_id  BLOB    NOT NULL,
    body        BLOB    NOT NULL,
    PRIMARY KEY (tenant_id, webhook_id)
) STRICT;

-- The last attempts of each; older ones are removed.
CREATE TABLE webhook_delivery (
    tenant_id   BLOB    NOT NULL,
    webhook_id  BLOB    NOT NULL,
    delivery_no INTEGER NOT NULL,
    -- The webhook-id header: the same for each attempt of a message.
    message     TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    changes     INTEGER NOT NULL,
    -- What was answered, or what failed instead, as a word; and for people what of it.
    status      INTEGER,
    failure     TEXT,
    detail      TEXT,
    took_ms     INTEGER NOT NULL,
    test        INTEGER NOT NULL DEFAULT 0 CHECK (test IN (0, 1)),
    PRIMARY KEY (tenant_id, webhook_id, delivery_no)
) STRICT, WITHOUT ROWID;
