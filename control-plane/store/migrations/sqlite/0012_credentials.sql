-- Sealed credentials: only the sensors that they were sealed to can open them. Nothing here is in clear.

CREATE TABLE sealing_key (
    tenant_id    BLOB    NOT NULL REFERENCES tenant,
    sensor_id    BLOB    NOT NULL CHECK (length(sensor_id) = 16),
    key_id       BLOB    NOT NULL CHECK (length(key_id) = 16),
    -- The highest is the latest.
    ordinal      INTEGER NOT NULL CHECK (ordinal > 0),
    -- Of the sensor when the key was made; void once the sensor has another.
    generation   INTEGER NOT NULL CHECK (generation > 0),
    statement    BLOB    NOT NULL CHECK (length(statement) = 129),
    signature    BLOB    NOT NULL CHECK (length(signature) = 64),
    published_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, sensor_id, key_id)
) STRICT, WITHOUT ROWID;

-- One row a version. Content is kept of the one in use and of the one before it.
CREATE TABLE credential (
    tenant_id     BLOB    NOT NULL REFERENCES tenant,
    registry_id   BLOB    NOT NULL CHECK (length(registry_id) = 16),
    credential_id BLOB    NOT NULL CHECK (length(credential_id) = 16),
    version       INTEGER NOT NULL CHECK (version > 0),
    state         TEXT    NOT NULL CHECK (state IN ('current', 'former', 'past', 'removed')),
    -- Scheme, host and port that it is bound to, as the URL of a registry.
    origin        TEXT    NOT NULL,
    binding       BLOB    NOT NULL CHECK (length(binding) <= 9216),
    payload       BLOB    CHECK ((payload IS NOT NULL) = (state IN ('current', 'former')) AND length(payload) <= 16401),
    created_at    INTEGER NOT NULL,
    created_by    TEXT    NOT NULL,
    worked_at     INTEGER,
    last_used_at  INTEGER,
    PRIMARY KEY (tenant_id, credential_id, version)
) STRICT;
CREATE UNIQUE INDEX credential_current ON credential (tenant_id, registry_id) WHERE state = 'current';
CREATE UNIQUE INDEX credential_former ON credential (tenant_id, registry_id) WHERE state = 'former';
CREATE INDEX credential_registry ON credential (tenant_id, registry_id, created_at);

CREATE TABLE credential_wrap (
    tenant_id     BLOB    NOT NULL,
    credential_id BLOB    NOT NULL,
    version       INTEGER NOT NULL,
    sensor_id     BLOB    NOT NULL CHECK (length(sensor_id) = 16),
    key_id        BLOB    NOT NULL CHECK (length(key_id) = 16),
    wrap          BLOB    NOT NULL CHECK (length(wrap) = 113),
    sealed_at     INTEGER NOT NULL,
    delivered_at  INTEGER,
    PRIMARY KEY (tenant_id, credential_id, version, sensor_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX credential_wrap_sensor ON credential_wrap (tenant_id, sensor_id);

-- Which version an attempt was given; none if it had none, or more than one.
ALTER TABLE run ADD COLUMN credential_id BLOB CHECK (length(credential_id) = 16);
ALTER TABLE run ADD COLUMN credential_version INTEGER CHECK ((credential_version IS NULL) = (credential_id IS NULL));

-- Which version a probe was given, if that is a stored one.
ALTER TABLE probe ADD COLUMN credential_id BLOB CHECK (length(credential_id) = 16);
ALTER TABLE probe ADD COLUMN credential_version INTEGER CHECK ((credential_version IS NULL) = (credential_id IS NULL));
-- One that is not stored and tried by this probe alone; gone when that has ended.
ALTER TABLE probe ADD COLUMN trial_binding BLOB;
ALTER TABLE probe ADD COLUMN trial_payload BLOB CHECK ((trial_payload IS NULL) = (trial_binding IS NULL));
ALTER TABLE probe ADD COLUMN trial_wraps BLOB CHECK ((trial_wraps IS NULL) = (trial_binding IS NULL) AND length(trial_wraps) % 113 = 0);
-- Whether it tried one, which stays known.
ALTER TABLE probe ADD COLUMN is_trial INTEGER NOT NULL DEFAULT 0 CHECK (is_trial IN (0, 1));
