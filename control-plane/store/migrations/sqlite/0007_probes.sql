-- Looks of sensors at registries, stage by stage. They are kept for a while and belong to nobody's history.

CREATE TABLE probe (
    tenant_id   BLOB    NOT NULL REFERENCES tenant,
    probe_id    BLOB    NOT NULL CHECK (length(probe_id) = 16),
    -- None for a registry that is not saved.
    registry_id BLOB    CHECK (length(registry_id) = 16),
    target      TEXT    NOT NULL CHECK (json_valid(target)),
    repository  TEXT,
    -- Ids of sensors as text, the preferred first.
    sensors     TEXT    NOT NULL CHECK (json_type(sensors) = 'array'),
    asked_by    TEXT    NOT NULL,
    asked_at    INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    -- Set together, by the first report.
    ended_at    INTEGER,
    sensor_id   BLOB    CHECK ((sensor_id IS NULL) = (ended_at IS NULL)),
    diagnosis   TEXT    CHECK ((diagnosis IS NULL) = (ended_at IS NULL) AND json_valid(diagnosis)),
    PRIMARY KEY (tenant_id, probe_id)
) STRICT;
CREATE INDEX probe_waiting ON probe (expires_at) WHERE ended_at IS NULL;
CREATE INDEX probe_age ON probe (asked_at);
CREATE INDEX probe_registry ON probe (tenant_id, registry_id);
