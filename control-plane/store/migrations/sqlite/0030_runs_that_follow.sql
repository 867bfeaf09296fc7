-- Runs that follow others, and when people have asked for a run.

-- The run of the same registry and scope that had begun when this one was asked for: this one begins when that has ended.
ALTER TABLE run ADD COLUMN behind BLOB CHECK (length(behind) = 16);
-- A wish for what is being read already goes behind it, in one run at a time.
DROP INDEX run_open;
CREATE UNIQUE INDEX run_open ON run (tenant_id, registry_id, scope, (behind IS NOT NULL))
    WHERE state IN ('queued', 'leased') AND beside = 0;

-- When a person last asked for it; none if no person has. It waits for a sensor from then on.
ALTER TABLE run ADD COLUMN asked_at INTEGER;
UPDATE run SET asked_at = (SELECT max(CAST(round(unixepoch(reason.value ->> 'at', 'subsec') * 1000) AS INTEGER))
                             FROM json_each(run.reasons) AS reason WHERE reason.value ->> 'trigger' = 'manual')
 WHERE state = 'queued';
