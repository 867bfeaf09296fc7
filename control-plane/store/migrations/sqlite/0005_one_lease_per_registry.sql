-- At most one leased run per registry, what it was leased with, and how many repositories there may be.

-- The registry's version when the present attempt was leased.
ALTER TABLE run ADD COLUMN registry_version INTEGER;
-- Repositories that were reported on without a commit, each once.
ALTER TABLE run ADD COLUMN reported INTEGER NOT NULL DEFAULT 0;
CREATE INDEX run_busy ON run (tenant_id, registry_id) WHERE state = 'leased';

-- Rows of repository, those that have vanished included.
ALTER TABLE registry ADD COLUMN repositories INTEGER NOT NULL DEFAULT 0;
UPDATE registry SET repositories = (SELECT count(*) FROM repository
    WHERE repository.tenant_id = registry.tenant_id AND repository.registry_id = registry.registry_id);
