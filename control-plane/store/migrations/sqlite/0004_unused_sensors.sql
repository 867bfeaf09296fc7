-- Sensors that were enrolled and never opened a session.

-- When it was said, once, that this sensor seems to be stuck.
ALTER TABLE sensor ADD COLUMN stuck_at INTEGER;
CREATE INDEX sensor_provisional ON sensor (enrolled_at) WHERE state = 'provisional';
