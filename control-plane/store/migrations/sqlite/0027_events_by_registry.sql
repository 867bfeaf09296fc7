-- Whoever looks for events that are due goes from registry to registry, however much waits of each.
CREATE INDEX event_waiting ON event_pending (tenant_id, registry_id, due_at) WHERE due_at IS NOT NULL;
