-- Where events are delivered to when there is no other bus: a durable log, in the order of delivery.
CREATE TABLE event_log (
  sequence   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  event_id   TEXT    NOT NULL UNIQUE,
  json       TEXT    NOT NULL CHECK (json_valid(json)),
  request_id TEXT    NOT NULL -- of the request that caused the event
) STRICT;
