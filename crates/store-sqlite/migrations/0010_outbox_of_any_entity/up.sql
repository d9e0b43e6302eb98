-- Events of any type of entity, and events that are set aside: SQLite cannot take a check from a table, so it is made anew. A program of the version
-- before finds every column where it was.
CREATE TABLE outbox_of_any_entity (
  sequence         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  event_id         TEXT    NOT NULL UNIQUE,
  entity_type      TEXT    NOT NULL,
  entity_id        TEXT    NOT NULL,
  new_status       TEXT    NOT NULL,
  event_time       TEXT    NOT NULL,
  changed_by       TEXT    NOT NULL,
  request_id       TEXT    NOT NULL,
  claimed_by       TEXT, -- the relay that holds the entity …
  claimed_until    TEXT, -- … until then, six decimals
  traceparent      TEXT,
  set_aside_at     TEXT, -- since then the event waits for an operator, and the later ones of its entity behind it; six decimals
  set_aside_reason TEXT,
  CHECK ((claimed_by IS NULL) = (claimed_until IS NULL)),
  CHECK ((set_aside_at IS NULL) = (set_aside_reason IS NULL))
) STRICT;

INSERT INTO outbox_of_any_entity
  (sequence, event_id, entity_type, entity_id, new_status, event_time, changed_by, request_id, claimed_by, claimed_until, traceparent)
SELECT sequence, event_id, entity_type, entity_id, new_status, event_time, changed_by, request_id, claimed_by, claimed_until, traceparent
FROM outbox;

DROP TABLE outbox;
ALTER TABLE outbox_of_any_entity RENAME TO outbox;

CREATE INDEX outbox_entity_id ON outbox (entity_id);
CREATE INDEX outbox_claimed_by ON outbox (claimed_by) WHERE claimed_by IS NOT NULL;
CREATE INDEX outbox_set_aside_at ON outbox (set_aside_at) WHERE set_aside_at IS NOT NULL;
