-- Checks that hold under every version of SQLite: under older ones (3.40 of Debian 12) `json_valid(NULL)` is 0 and not NULL, so that they find every audit row
-- broken that has no "before" or no "after", and drop it when a dump is loaded. A check cannot be changed: the table is made anew, and goes on with
-- its ids.
CREATE TABLE audit_log_of_older_sqlite (
  id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  actor_id    TEXT    NOT NULL,
  resource    TEXT    NOT NULL,
  resource_id TEXT    NOT NULL,
  action      TEXT    NOT NULL CHECK (action IN ('INSERT', 'UPDATE', 'DELETE')),
  "before"    TEXT CHECK ("before" IS NULL OR json_valid("before")), -- JSON object of the changed columns
  "after"     TEXT CHECK ("after" IS NULL OR json_valid("after")),
  request_id  TEXT,
  inserted_at TEXT    NOT NULL
) STRICT;

INSERT INTO sqlite_sequence (name, seq)
SELECT 'audit_log_of_older_sqlite', seq FROM sqlite_sequence WHERE name = 'audit_log';

INSERT INTO audit_log_of_older_sqlite (id, actor_id, resource, resource_id, action, "before", "after", request_id, inserted_at)
SELECT id, actor_id, resource, resource_id, action, "before", "after", request_id, inserted_at
FROM audit_log;

DROP TABLE audit_log;
-- Without it SQLite would refuse the name, since the triggers of contract_divisions write a table that is not there at this moment.
PRAGMA legacy_alter_table = ON;
ALTER TABLE audit_log_of_older_sqlite RENAME TO audit_log;
PRAGMA legacy_alter_table = OFF;

CREATE INDEX audit_log_resource ON audit_log (resource, resource_id);

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
