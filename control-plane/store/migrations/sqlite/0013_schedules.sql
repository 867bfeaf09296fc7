-- When registries are read: what operators say of it, where the scheduler is, and what runs remember of why they were started.

-- As people write it, such as "daily 03:30"; the zone is an IANA name, in which expression and blackouts are meant.
ALTER TABLE registry ADD COLUMN schedule TEXT NOT NULL DEFAULT 'manual';
ALTER TABLE registry ADD COLUMN zone TEXT NOT NULL DEFAULT 'UTC';
-- None: what suits the expression.
ALTER TABLE registry ADD COLUMN jitter_seconds INTEGER CHECK (jitter_seconds >= 0);
ALTER TABLE registry ADD COLUMN blackouts TEXT NOT NULL DEFAULT '[]' CHECK (json_type(blackouts) = 'array');
ALTER TABLE registry ADD COLUMN max_run_seconds INTEGER CHECK (max_run_seconds > 0);
ALTER TABLE registry ADD COLUMN missed TEXT NOT NULL DEFAULT 'run_once' CHECK (missed IN ('run_once', 'skip'));
ALTER TABLE registry ADD COLUMN paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1));

-- Whether next_start_at follows from the schedule as it is now. A change of the schedule unsets it.
ALTER TABLE registry ADD COLUMN planned INTEGER NOT NULL DEFAULT 0 CHECK (planned IN (0, 1));
-- When that was worked out: by a clock that was ahead, it has to be done again.
ALTER TABLE registry ADD COLUMN planned_at INTEGER;
-- When the scheduler starts the next run; none if it never will.
ALTER TABLE registry ADD COLUMN next_start_at INTEGER;
-- When a push event last named something in it, whatever came of that; and when a run last found changes that no event had announced.
ALTER TABLE registry ADD COLUMN last_event_at INTEGER;
ALTER TABLE registry ADD COLUMN unannounced_at INTEGER;
-- Since when events are to announce every change: since it is read on push, and what is read of it is what it is now.
ALTER TABLE registry ADD COLUMN events_since INTEGER;
CREATE INDEX registry_to_plan ON registry (tenant_id, registry_id) WHERE planned = 0;
CREATE INDEX registry_next_start ON registry (next_start_at) WHERE next_start_at IS NOT NULL;

-- Everything that has asked for it, the first first: at most 16; the rest is counted.
ALTER TABLE run ADD COLUMN reasons TEXT NOT NULL DEFAULT '[]' CHECK (json_type(reasons) = 'array');
ALTER TABLE run ADD COLUMN more_reasons INTEGER NOT NULL DEFAULT 0;
-- Lower goes first: 0 people, 1 events, 2 schedules.
ALTER TABLE run ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
-- Set with the first lease.
ALTER TABLE run ADD COLUMN deadline_at INTEGER;
-- Whether it may be leased beside another run of its registry: it looks at what events have named.
ALTER TABLE run ADD COLUMN beside INTEGER GENERATED ALWAYS AS ("trigger" = 'event' AND scope <> '[]') VIRTUAL;
CREATE INDEX run_deadline ON run (deadline_at) WHERE state IN ('queued', 'leased') AND deadline_at IS NOT NULL;
DROP INDEX run_waiting;
CREATE INDEX run_waiting ON run (priority, queued_at, run_id) WHERE state = 'queued';
CREATE INDEX run_queued ON run (queued_at) WHERE state = 'queued';
-- A second wish for the same joins the run that is open. What events name goes beside it, in one run at a time.
DROP INDEX run_open;
CREATE UNIQUE INDEX run_open ON run (tenant_id, registry_id, scope) WHERE state IN ('queued', 'leased') AND beside = 0;
CREATE UNIQUE INDEX run_beside ON run (tenant_id, registry_id) WHERE state IN ('queued', 'leased') AND beside = 1;
