-- Which changes were made under which key, for as long as keys are kept. A row commits with its change.
CREATE TABLE idempotency_keys (
  key        BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 32), -- SHA-256 of operation, client and key
  request    BLOB NOT NULL CHECK (length(request) = 32),         -- SHA-256 of what was asked
  answer     TEXT NOT NULL CHECK (json_valid(answer)),           -- the record after the change
  kept_since TEXT NOT NULL
) STRICT;

CREATE INDEX idempotency_keys_kept_since ON idempotency_keys (kept_since);
