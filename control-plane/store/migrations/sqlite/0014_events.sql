-- Push events: hints of what has changed, until a run has looked.

-- One row for each repository that was named; with an empty name for the whole registry.
CREATE TABLE event_pending (
    tenant_id     BLOB    NOT NULL,
    registry_id   BLOB    NOT NULL,
    repository    TEXT    NOT NULL,
    -- Tags to be looked at, sorted, each once; none for the whole repository. Empty, with due_at unset, once a run has taken them over.
    tags          TEXT    CHECK (tags IS NULL OR json_type(tags) = 'array'),
    -- The earliest event that no run has taken over, and how many there are.
    first_at      INTEGER,
    events        INTEGER NOT NULL DEFAULT 0 CHECK (events >= 0),
    -- When a run is to look at it: soon after the first event, and not right after the look before.
    due_at        INTEGER CHECK ((due_at IS NULL) = (first_at IS NULL)),
    -- When a run last took events of it over.
    taken_at      INTEGER,
    -- Looks at it in a row that came to nothing.
    tries         INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
    PRIMARY KEY (tenant_id, registry_id, repository)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_due ON event_pending (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX event_idle ON event_pending (taken_at) WHERE due_at IS NULL;

-- What was received for a registry, by where it came in: counted since ever.
CREATE TABLE event_count (
    tenant_id   BLOB    NOT NULL,
    registry_id BLOB    NOT NULL,
    -- 'webhook' for the control plane's own door, else the sensor that relayed it.
    door        TEXT    NOT NULL,
    accepted    INTEGER NOT NULL DEFAULT 0,
    ignored     INTEGER NOT NULL DEFAULT 0,
    refused     INTEGER NOT NULL DEFAULT 0,
    -- Times that events were lost, for a look at the whole registry.
    given_up    INTEGER NOT NULL DEFAULT 0,
    last_at     INTEGER,
    last_refused_at INTEGER,
    -- Why, as a word.
    last_refused TEXT,
    PRIMARY KEY (tenant_id, registry_id, door)
) STRICT, WITHOUT ROWID;

-- When an event last named it.
ALTER TABLE repository ADD COLUMN last_event_at INTEGER;
-- The run of the whole registry during which a run beside it has seen something here: that one must not say that it has vanished.
ALTER TABLE repository ADD COLUMN seen_beside BLOB CHECK (length(seen_beside) = 16);
-- When a run found it changed although no event had named it, until one does, or it is judged that none will.
ALTER TABLE repository ADD COLUMN silent_since INTEGER;
CREATE INDEX repository_silent ON repository (silent_since) WHERE silent_since IS NOT NULL;
CREATE INDEX repository_silent_in ON repository (tenant_id, registry_id) WHERE silent_since IS NOT NULL;
-- Only single tags of it were ever looked at: of the others it is not known when they were not there.
ALTER TABLE repository ADD COLUMN met_in_part INTEGER NOT NULL DEFAULT 0 CHECK (met_in_part IN (0, 1));

-- Whoever knocks with a notification knows nothing but the registry's id.
CREATE INDEX registry_by_id ON registry (registry_id);

-- Where registries of a sensor's network can notify it, as it last said.
ALTER TABLE sensor ADD COLUMN notify_url TEXT;
-- Whether the agent of its latest session looks at a repository for one run at a time.
ALTER TABLE sensor ADD COLUMN looks_beside INTEGER NOT NULL DEFAULT 0 CHECK (looks_beside IN (0, 1));
