-- Every change of a contract division leaves a row here, in the same transaction, whoever makes it.
CREATE TABLE audit_log (
  id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  actor_id    TEXT    NOT NULL,
  resource    TEXT    NOT NULL,
  resource_id TEXT    NOT NULL,
  action      TEXT    NOT NULL CHECK (action IN ('INSERT', 'UPDATE', 'DELETE')),
  "before"    TEXT CHECK (json_valid("before")), -- JSON object of the changed columns
  "after"     TEXT CHECK (json_valid("after")),
  request_id  TEXT,
  inserted_at TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_log_resource ON audit_log (resource, resource_id);

-- The request on whose behalf the running transaction writes. It is set and cleared within that transaction: no other one
-- ever sees a value, and a change made from a shell has none.
CREATE TABLE request_context (
  id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  request_id TEXT
) STRICT;

INSERT INTO request_context (id, request_id) VALUES (1, NULL);

CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log BEGIN
  SELECT RAISE(ABORT, 'audit_log is append-only');
END;

CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log BEGIN
  SELECT RAISE(ABORT, 'audit_log is append-only');
END;

-- INSERT OR REPLACE deletes without firing the trigger above.
CREATE TRIGGER audit_log_no_replace BEFORE INSERT ON audit_log
WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id) BEGIN
  SELECT RAISE(ABORT, 'audit_log is append-only');
END;

CREATE TRIGGER contract_divisions_audit_insert AFTER INSERT ON contract_divisions BEGIN
  INSERT INTO audit_log (actor_id, resource, resource_id, action, "before", "after", request_id, inserted_at)
  VALUES (
    NEW.updated_by, 'contract_divisions', NEW.id, 'INSERT', NULL,
    json_object(
      'id', NEW.id, 'contract_id', NEW.contract_id, 'division_id', NEW.division_id,
      'is_active', json(iif(NEW.is_active, 'true', 'false')),
      'inserted_at', NEW.inserted_at, 'inserted_by', NEW.inserted_by,
      'updated_at', NEW.updated_at, 'updated_by', NEW.updated_by
    ),
    (SELECT request_id FROM request_context WHERE id = 1),
    strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'
  );
END;

-- Only changed columns: each column that did not change is removed again. '$.-' names no column.
CREATE TRIGGER contract_divisions_audit_update AFTER UPDATE ON contract_divisions BEGIN
  INSERT INTO audit_log (actor_id, resource, resource_id, action, "before", "after", request_id, inserted_at)
  VALUES (
    NEW.updated_by, 'contract_divisions', OLD.id, 'UPDATE',
    json_remove(
      json_object(
        'id', OLD.id, 'contract_id', OLD.contract_id, 'division_id', OLD.division_id,
        'is_active', json(iif(OLD.is_active, 'true', 'false')),
        'inserted_at', OLD.inserted_at, 'inserted_by', OLD.inserted_by,
        'updated_at', OLD.updated_at, 'updated_by', OLD.updated_by
      ),
      iif(OLD.id IS NEW.id, '$.id', '$.-'),
      iif(OLD.contract_id IS NEW.contract_id, '$.contract_id', '$.-'),
      iif(OLD.division_id IS NEW.division_id, '$.division_id', '$.-'),
      iif(OLD.is_active IS NEW.is_active, '$.is_active', '$.-'),
      iif(OLD.inserted_at IS NEW.inserted_at, '$.inserted_at', '$.-'),
      iif(OLD.inserted_by IS NEW.inserted_by, '$.inserted_by', '$.-'),
      iif(OLD.updated_at IS NEW.updated_at, '$.updated_at', '$.-'),
      iif(OLD.updated_by IS NEW.updated_by, '$.updated_by', '$.-')
    ),
    json_remove(
      json_object(
        'id', NEW.id, 'contract_id', NEW.contract_id, 'division_id', NEW.division_id,
        'is_active', json(iif(NEW.is_active, 'true', 'false')),
        'inserted_at', NEW.inserted_at, 'inserted_by', NEW.inserted_by,
        'updated_at', NEW.updated_at, 'updated_by', NEW.updated_by
      ),
      iif(OLD.id IS NEW.id, '$.id', '$.-'),
      iif(OLD.contract_id IS NEW.contract_id, '$.contract_id', '$.-'),
      iif(OLD.division_id IS NEW.division_id, '$.division_id', '$.-'),
      iif(OLD.is_active IS NEW.is_active, '$.is_active', '$.-'),
      iif(OLD.inserted_at IS NEW.inserted_at, '$.inserted_at', '$.-'),
      iif(OLD.inserted_by IS NEW.inserted_by, '$.inserted_by', '$.-'),
      iif(OLD.updated_at IS NEW.updated_at, '$.updated_at', '$.-'),
      iif(OLD.updated_by IS NEW.updated_by, '$.updated_by', '$.-')
    ),
    (SELECT request_id FROM request_context WHERE id = 1),
    strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'
  );
END;

-- A deleted row does not say who deletes it: the actor is whoever wrote it last.
CREATE TRIGGER contract_divisions_audit_delete AFTER DELETE ON contract_divisions BEGIN
  INSERT INTO audit_log (actor_id, resource, resource_id, action, "before", "after", request_id, inserted_at)
  VALUES (
    OLD.updated_by, 'contract_divisions', OLD.id, 'DELETE',
    json_object(
      'id', OLD.id, 'contract_id', OLD.contract_id, 'division_id', OLD.division_id,
      'is_active', json(iif(OLD.is_active, 'true', 'false')),
      'inserted_at', OLD.inserted_at, 'inserted_by', OLD.inserted_by,
      'updated_at', OLD.updated_at, 'updated_by', OLD.updated_by
    ),
    NULL,
    (SELECT request_id FROM request_context WHERE id = 1),
    strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'
  );
END;
