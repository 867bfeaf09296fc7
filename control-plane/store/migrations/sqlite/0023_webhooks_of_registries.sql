-- A webhook that is told of one registry waits for something of that registry; and which endpoints are slow is known.

-- Number of the latest entry of the change feed that is of a registry. It stays when the registry is removed: that is an entry too, and
-- whoever follows the registry must come to it. Apart from the registry's row, which is much larger: every commit that changes something writes here.
CREATE TABLE registry_feed (
    tenant_id   BLOB    NOT NULL,
    registry_id BLOB    NOT NULL CHECK (length(registry_id) = 16),
    feed_no     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, registry_id)
) STRICT, WITHOUT ROWID;
-- What was written until now may be of any of them: whoever follows one looks through it once.
INSERT INTO registry_feed (tenant_id, registry_id, feed_no)
SELECT registry.tenant_id, registry.registry_id, tenant.feed_no
FROM registry CROSS JOIN tenant ON tenant.tenant_id = registry.tenant_id;
INSERT OR IGNORE INTO registry_feed (tenant_id, registry_id, feed_no)
SELECT webhook.tenant_id, webhook.registry_id, tenant.feed_no
FROM webhook CROSS JOIN tenant ON tenant.tenant_id = webhook.tenant_id WHERE webhook.registry_id IS NOT NULL;

-- Its endpoint did not take the last message, or took long for it.
ALTER TABLE webhook ADD COLUMN slow INTEGER NOT NULL DEFAULT 0 CHECK (slow IN (0, 1));
UPDATE webhook SET slow = 1 WHERE attempts > 0;
-- Everything that is asked for each second, also what each row of them has: so the rows themselves are not read.
-- In place of webhook_fresh and webhook_again, which the release before this one names: they go with a later one.
CREATE INDEX webhook_quick ON webhook (next_try_at, tenant_id, registry_id, position_no, ends_no, held_until, state, slow) WHERE state = 'active' AND slow = 0;
CREATE INDEX webhook_slow ON webhook (next_try_at, tenant_id, registry_id, position_no, ends_no, held_until, state, slow) WHERE state = 'active' AND slow = 1;
