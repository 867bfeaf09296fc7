-- How fresh the inventory is, found without reading many runs; and whether what works on a run gets on.

-- When something of the progress of its present attempt last moved; none if that was leased by a release before this one.
ALTER TABLE run ADD COLUMN progress_at INTEGER;
-- The last run of a registry that was to see all of it, and came to an end by itself.
CREATE INDEX run_whole ON run (tenant_id, registry_id, ended_at)
    WHERE scope = '[]' AND state IN ('complete', 'partial', 'failed');
CREATE INDEX run_unended ON run (tenant_id, registry_id, queued_at) WHERE state IN ('queued', 'leased');
