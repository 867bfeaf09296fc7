-- What was told of the use of API tokens and of credentials on trial.

-- When the audit log last told that a token is used: once a day, not with every request.
ALTER TABLE api_token ADD COLUMN use_noted_at INTEGER;

-- The sensor that was last given what a probe tries.
ALTER TABLE probe ADD COLUMN trial_given_to BLOB CHECK (length(trial_given_to) = 16);
