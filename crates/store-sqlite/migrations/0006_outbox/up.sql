-- Events that wait for delivery, in the order of their commits. All rows of one entity carry the same claim. Times have three
-- decimals.
CREATE TABLE outbox (
  sequence      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  event_id      TEXT    NOT NULL UNIQUE,
  entity_type   TEXT    NOT NULL CHECK (entity_type IN ('DeviceDispense')),
  entity_id     TEXT    NOT NULL,
  new_status    TEXT    NOT NULL,
  event_time    TEXT    NOT NULL,
  changed_by    TEXT    NOT NULL,
  request_id    TEXT    NOT NULL,
  claimed_by    TEXT, -- the relay that holds the entity …
  claimed_until TEXT, -- … until then, six decimals
  CHECK ((claimed_by IS NULL) = (claimed_until IS NULL))
) STRICT;

CREATE INDEX outbox_entity_id ON outbox (entity_id);
CREATE INDEX outbox_claimed_by ON outbox (claimed_by) WHERE claimed_by IS NOT NULL;
