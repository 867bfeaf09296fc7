-- Since when something is known, and by whose clock: looking takes time, and what was told at its end is as old as its beginning.

-- When the look began that told of the changes of an entry; none if its sensor did not say.
ALTER TABLE ledger_entry ADD COLUMN seen_at INTEGER;
-- When all tags of a repository were known for the first time; none if it was met by looks at some of them alone.
ALTER TABLE repository ADD COLUMN known_from INTEGER;
UPDATE repository SET known_from = first_seen_at WHERE met_in_part = 0;
-- When all of a registry was known for the first time; none if no run of the whole was ever complete.
ALTER TABLE registry ADD COLUMN known_from INTEGER;
UPDATE registry SET known_from = coalesce((SELECT min(run.ended_at) FROM run INDEXED BY run_whole
     WHERE run.tenant_id = registry.tenant_id AND run.registry_id = registry.registry_id AND run.scope = '[]'
       AND run.state IN ('complete', 'partial', 'failed') AND run.state = 'complete'), last_success_at);

-- The time that a sensor's own clock showed when it last opened a session: what is known of the time beside what this machine says.
ALTER TABLE sensor ADD COLUMN told_at INTEGER;
CREATE INDEX sensor_told ON sensor (told_at) WHERE told_at IS NOT NULL;

-- Looks that came to their end: there may be one a second.
CREATE INDEX run_look ON run (tenant_id, ended_at) WHERE "trigger" = 'event' AND scope <> '[]' AND state = 'complete';
