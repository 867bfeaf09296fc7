-- What may be claimed of a registry: whether what it is to show now was ever seen, and since when nothing starts runs of it.

-- The version as which its address, patterns or tag filter were last changed; and what that was when a complete run last saw all of it. What was
-- seen of it as it was before says nothing of what it is to show now.
ALTER TABLE registry ADD COLUMN wanted_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE registry ADD COLUMN seen_version INTEGER NOT NULL DEFAULT 0;
-- Since when its schedule is paused.
ALTER TABLE registry ADD COLUMN paused_at INTEGER;
UPDATE registry SET paused_at = changed_at WHERE paused = 1;
