CREATE TABLE divisions (
  id              TEXT    NOT NULL PRIMARY KEY,
  legal_entity_id TEXT    NOT NULL REFERENCES legal_entities (id),
  name            TEXT    NOT NULL,
  type            TEXT    NOT NULL, -- which types there are is for the registry to say
  status          TEXT    NOT NULL CHECK (status IN ('ACTIVE', 'INACTIVE')),
  is_active       INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  dls_verified    INTEGER CHECK (dls_verified IN (0, 1)),
  inserted_at     TEXT    NOT NULL,
  inserted_by     TEXT    NOT NULL,
  updated_at      TEXT    NOT NULL,
  updated_by      TEXT    NOT NULL
) STRICT;

CREATE INDEX divisions_legal_entity_id ON divisions (legal_entity_id);

CREATE TABLE contracts (
  id                         TEXT    NOT NULL PRIMARY KEY,
  type                       TEXT    NOT NULL CHECK (type IN ('CAPITATION', 'REIMBURSEMENT', 'GB_CBP')),
  status                     TEXT    NOT NULL CHECK (status IN ('VERIFIED', 'TERMINATED')),
  contract_number            TEXT    NOT NULL,
  contractor_legal_entity_id TEXT    NOT NULL REFERENCES legal_entities (id),
  start_date                 TEXT    NOT NULL, -- YYYY-MM-DD
  end_date                   TEXT    NOT NULL, -- YYYY-MM-DD
  is_active                  INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  is_suspended               INTEGER NOT NULL CHECK (is_suspended IN (0, 1)),
  inserted_at                TEXT    NOT NULL,
  inserted_by                TEXT    NOT NULL,
  updated_at                 TEXT    NOT NULL,
  updated_by                 TEXT    NOT NULL
) STRICT;

CREATE INDEX contracts_contractor_legal_entity_id ON contracts (contractor_legal_entity_id);

CREATE TABLE contract_divisions (
  id          TEXT    NOT NULL PRIMARY KEY,
  contract_id TEXT    NOT NULL REFERENCES contracts (id),
  division_id TEXT    NOT NULL REFERENCES divisions (id),
  is_active   INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  inserted_at TEXT    NOT NULL,
  inserted_by TEXT    NOT NULL,
  updated_at  TEXT    NOT NULL,
  updated_by  TEXT    NOT NULL
) STRICT;

CREATE INDEX contract_divisions_contract_id ON contract_divisions (contract_id);
CREATE INDEX contract_divisions_division_id ON contract_divisions (division_id);
-- Update rule 10: one active record for each pair.
CREATE UNIQUE INDEX contract_divisions_active_pair ON contract_divisions (contract_id, division_id) WHERE is_active;
