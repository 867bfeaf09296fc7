-- Repositories, tags, the ledger, manifests and image facts.
--
-- Digests are in compact form: a kind byte, then the raw hash. Media types of manifests that the specifications name are
-- stored as short words, see sqlite/media_type.rs.

CREATE TABLE repository (
    tenant_id       BLOB    NOT NULL,
    -- Counts up within the tenant; stands for the repository in tags and ledger, which have very many rows.
    repository_no   INTEGER NOT NULL,
    registry_id     BLOB    NOT NULL,
    name            TEXT    NOT NULL,
    tags            INTEGER NOT NULL CHECK (tags >= 0),
    -- Of the last commit.
    state_hash      BLOB    CHECK (length(state_hash) = 32),
    -- The last commit was a complete listing, and the manifest of every tag is held or known not to be had.
    settled         INTEGER NOT NULL CHECK (settled IN (0, 1)),
    -- Number of its latest ledger entry.
    entry_no        INTEGER NOT NULL DEFAULT 0,
    outcome         TEXT    NOT NULL CHECK (outcome IN ('listed', 'unchanged', 'incomplete', 'truncated', 'denied',
                                                        'missing', 'failed', 'refused')),
    first_seen_at   INTEGER NOT NULL,
    -- When its tags were last listed to the end, or else first listed.
    tags_seen_at    INTEGER NOT NULL,
    last_attempt_at INTEGER NOT NULL,
    last_success_at INTEGER,
    vanished_at     INTEGER,
    PRIMARY KEY (tenant_id, repository_no)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX repository_name ON repository (tenant_id, registry_id, name);

CREATE TABLE tag (
    tenant_id     BLOB    NOT NULL,
    repository_no INTEGER NOT NULL,
    tag           TEXT    NOT NULL,
    digest        BLOB    NOT NULL,
    media_type    TEXT,
    size          INTEGER NOT NULL,
    pushed_at     INTEGER,
    first_seen_at INTEGER NOT NULL,
    since         INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, repository_no, tag)
) STRICT, WITHOUT ROWID;
-- By repository, not by digest alone: an index over all digests of a tenant would be written to in a random place for every
-- tag. A digest is looked for in each repository in turn.
CREATE INDEX tag_digest ON tag (tenant_id, repository_no, digest);

-- One for each commit, or end of a repository, that changed a tag set.
CREATE TABLE ledger_entry (
    tenant_id     BLOB    NOT NULL,
    repository_no INTEGER NOT NULL,
    entry_no      INTEGER NOT NULL,
    run_id        BLOB    NOT NULL,
    noticed_at    INTEGER NOT NULL,
    not_before    INTEGER,
    PRIMARY KEY (tenant_id, repository_no, entry_no)
) STRICT, WITHOUT ROWID;

-- The tags that an entry is about. Without a digest before: appeared. Without one after: vanished. With both: moved.
CREATE TABLE ledger (
    tenant_id     BLOB    NOT NULL,
    repository_no INTEGER NOT NULL,
    entry_no      INTEGER NOT NULL,
    tag           TEXT    NOT NULL,
    digest_before BLOB,
    digest_after  BLOB,
    CHECK (digest_before IS NOT NULL OR digest_after IS NOT NULL),
    PRIMARY KEY (tenant_id, repository_no, entry_no, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_tag ON ledger (tenant_id, repository_no, tag, entry_no);

-- With rowid: the key is a narrow index, the wide rows are appended.
CREATE TABLE manifest (
    tenant_id     BLOB    NOT NULL,
    digest        BLOB    NOT NULL,
    media_type    TEXT,
    kind          TEXT,
    artifact_type TEXT,
    size          INTEGER NOT NULL,
    content_size  INTEGER NOT NULL DEFAULT 0,
    -- Something below it could not be read.
    incomplete    INTEGER NOT NULL CHECK (incomplete IN (0, 1)),
    -- Why its bytes could not be had, as a finding's code.
    unavailable   TEXT,
    -- Whether it is not wanted again.
    settled       INTEGER NOT NULL CHECK (settled IN (0, 1)),
    config        BLOB,
    subject       BLOB,
    first_seen_at INTEGER NOT NULL,
    bytes         BLOB    CHECK ((bytes IS NULL) = (unavailable IS NOT NULL)),
    PRIMARY KEY (tenant_id, digest)
) STRICT;
CREATE INDEX manifest_config ON manifest (tenant_id, config) WHERE config IS NOT NULL;
CREATE INDEX manifest_subject ON manifest (tenant_id, subject, first_seen_at) WHERE subject IS NOT NULL;

-- Which indexes list a manifest. The children of an index are in its bytes.
CREATE TABLE manifest_parent (
    tenant_id BLOB NOT NULL,
    child     BLOB NOT NULL,
    parent    BLOB NOT NULL,
    role      TEXT NOT NULL CHECK (role IN ('manifest', 'attestation')),
    PRIMARY KEY (tenant_id, child, parent)
) STRICT, WITHOUT ROWID;

CREATE TABLE image_facts (
    tenant_id     BLOB    NOT NULL,
    digest        BLOB    NOT NULL,
    size          INTEGER NOT NULL,
    unavailable   TEXT,
    settled       INTEGER NOT NULL CHECK (settled IN (0, 1)),
    first_seen_at INTEGER NOT NULL,
    facts         BLOB    CHECK ((facts IS NULL) = (unavailable IS NOT NULL)),
    PRIMARY KEY (tenant_id, digest)
) STRICT;
