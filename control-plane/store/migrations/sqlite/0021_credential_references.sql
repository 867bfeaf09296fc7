-- Registries take every kind of credential reference that a sensor resolves. A CHECK cannot be changed in place: the column is made anew, as
-- it was but for three more words. Nothing refers to it.

ALTER TABLE registry ADD COLUMN credential_anew TEXT
    CHECK (credential_anew = 'docker-config' OR credential_anew GLOB 'docker-config:*' OR credential_anew GLOB 'file:/*'
           OR credential_anew GLOB 'env:*' OR credential_anew GLOB 'systemd:*' OR credential_anew GLOB 'kubernetes:/*'
           OR credential_anew GLOB 'command:*');
UPDATE registry SET credential_anew = credential;
ALTER TABLE registry DROP COLUMN credential;
ALTER TABLE registry RENAME COLUMN credential_anew TO credential;
