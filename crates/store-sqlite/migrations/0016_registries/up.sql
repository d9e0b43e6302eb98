-- The administrative registries that a device dispense rests on. Numbers are decimal text, exact to the digit; days are YYYY-MM-DD.
CREATE TABLE persons (
  subject             TEXT NOT NULL PRIMARY KEY, -- the pseudonym of the patient, whose id is nowhere
  status              TEXT NOT NULL CHECK (status IN ('active', 'inactive')),
  verification_status TEXT NOT NULL CHECK (verification_status IN (
    'VERIFIED', 'NOT_VERIFIED', 'VERIFICATION_NEEDED', 'VERIFICATION_NOT_NEEDED', 'IN_REVIEW', 'CHANGES_NEEDED')),
  inserted_at         TEXT NOT NULL,
  inserted_by         TEXT NOT NULL,
  updated_at          TEXT NOT NULL,
  updated_by          TEXT NOT NULL
) STRICT;

CREATE TABLE parties (
  id            TEXT NOT NULL PRIMARY KEY,
  tax_id_digest TEXT CHECK (length(tax_id_digest) = 64), -- the keyed digest; the number itself is nowhere
  users         TEXT NOT NULL CHECK (json_type(users) IS 'array'), -- their ids, in ascending order
  inserted_at   TEXT NOT NULL,
  inserted_by   TEXT NOT NULL,
  updated_at    TEXT NOT NULL,
  updated_by    TEXT NOT NULL
) STRICT;

-- The users of parties once more, by user. Triggers alone write it: a user belongs to one party at most, or the change of the party fails.
CREATE TABLE party_users (
  user_id  TEXT NOT NULL PRIMARY KEY,
  party_id TEXT NOT NULL REFERENCES parties (id) ON DELETE CASCADE
) STRICT;

CREATE INDEX party_users_party_id ON party_users (party_id);

CREATE TRIGGER parties_users_of_a_new_one AFTER INSERT ON parties BEGIN
  INSERT INTO party_users (user_id, party_id) SELECT value, NEW.id FROM json_each(NEW.users);
END;

CREATE TRIGGER parties_users_of_a_changed_one AFTER UPDATE OF users ON parties WHEN NEW.users IS NOT OLD.users BEGIN
  DELETE FROM party_users WHERE party_id = NEW.id AND user_id NOT IN (SELECT value FROM json_each(NEW.users));
  INSERT INTO party_users (user_id, party_id)
    SELECT value, NEW.id FROM json_each(NEW.users)
    WHERE NOT EXISTS (SELECT 1 FROM party_users WHERE user_id = value AND party_id = NEW.id);
END;

CREATE TABLE employees (
  id              TEXT    NOT NULL PRIMARY KEY,
  party_id        TEXT    NOT NULL REFERENCES parties (id),
  legal_entity_id TEXT    NOT NULL REFERENCES legal_entities (id),
  type            TEXT    NOT NULL, -- which types and statuses there are is for the registry to say
  status          TEXT    NOT NULL,
  is_active       INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  end_date        TEXT,
  name            TEXT    NOT NULL,
  inserted_at     TEXT    NOT NULL,
  inserted_by     TEXT    NOT NULL,
  updated_at      TEXT    NOT NULL,
  updated_by      TEXT    NOT NULL
) STRICT;

CREATE INDEX employees_party_id ON employees (party_id);
CREATE INDEX employees_legal_entity_id ON employees (legal_entity_id);

CREATE TABLE medical_programs (
  id          TEXT    NOT NULL PRIMARY KEY,
  name        TEXT    NOT NULL,
  type        TEXT    NOT NULL, -- which types there are is for the registry to say
  is_active   INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  inserted_at TEXT    NOT NULL,
  inserted_by TEXT    NOT NULL,
  updated_at  TEXT    NOT NULL,
  updated_by  TEXT    NOT NULL
) STRICT;

CREATE TABLE device_definitions (
  id                  TEXT    NOT NULL PRIMARY KEY,
  name                TEXT    NOT NULL,
  is_active           INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  classification_type TEXT    NOT NULL,
  packaging_unit      TEXT    NOT NULL,
  packaging_count     TEXT    NOT NULL CHECK (CAST(packaging_count AS REAL) > 0),
  inserted_at         TEXT    NOT NULL,
  inserted_by         TEXT    NOT NULL,
  updated_at          TEXT    NOT NULL,
  updated_by          TEXT    NOT NULL
) STRICT;

CREATE INDEX device_definitions_classification_type ON device_definitions (classification_type);

CREATE TABLE program_devices (
  id                       TEXT    NOT NULL PRIMARY KEY,
  program_id               TEXT    NOT NULL REFERENCES medical_programs (id),
  device_definition_id     TEXT    NOT NULL REFERENCES device_definitions (id),
  is_active                INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  start_date               TEXT    NOT NULL,
  end_date                 TEXT,
  reimbursement_type       TEXT    NOT NULL,
  reimbursement_amount     TEXT CHECK (CAST(reimbursement_amount AS REAL) >= 0),
  reimbursement_percentage TEXT CHECK (CAST(reimbursement_percentage AS REAL) BETWEEN 0 AND 100),
  max_daily_count          TEXT CHECK (CAST(max_daily_count AS REAL) > 0),
  inserted_at              TEXT    NOT NULL,
  inserted_by              TEXT    NOT NULL,
  updated_at               TEXT    NOT NULL,
  updated_by               TEXT    NOT NULL,
  CONSTRAINT reimbursement_fits CHECK (
    (reimbursement_type = 'FIXED' AND reimbursement_amount IS NOT NULL AND reimbursement_percentage IS NULL)
    OR (reimbursement_type = 'PERCENTAGE' AND reimbursement_amount IS NULL AND reimbursement_percentage IS NOT NULL))
) STRICT;

CREATE INDEX program_devices_program_id ON program_devices (program_id, device_definition_id);
CREATE INDEX program_devices_device_definition_id ON program_devices (device_definition_id);
