CREATE TABLE legal_entities (
  id          TEXT    NOT NULL PRIMARY KEY,
  name        TEXT    NOT NULL,
  edrpou      TEXT    NOT NULL,
  type        TEXT    NOT NULL, -- which types there are is for the registry to say
  status      TEXT    NOT NULL CHECK (status IN ('ACTIVE', 'SUSPENDED', 'CLOSED', 'REORGANIZED')),
  is_active   INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  inserted_at TEXT    NOT NULL,
  inserted_by TEXT    NOT NULL,
  updated_at  TEXT    NOT NULL,
  updated_by  TEXT    NOT NULL
) STRICT;
