-- Lists of dispenses: of a legal entity, of its dispenses in a status, and of a patient, in their order. The first index supersedes that on the owner alone.
ALTER TABLE device_dispenses
  ADD COLUMN inserted_at TEXT GENERATED ALWAYS AS (json_extract(document, '$.inserted_at')) VIRTUAL;

CREATE INDEX device_dispenses_owner_inserted_at ON device_dispenses (owner, inserted_at, id);
CREATE INDEX device_dispenses_owner_status_inserted_at ON device_dispenses (owner, status, inserted_at, id);
CREATE INDEX device_dispenses_subject_owner_inserted_at ON device_dispenses (subject, owner, inserted_at, id);
DROP INDEX device_dispenses_owner;
