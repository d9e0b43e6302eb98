-- Who may call. Times are RFC 3339 in UTC with six decimals, so that they sort as text; UUIDs are lower-case text.

CREATE TABLE users (
  id         TEXT    NOT NULL PRIMARY KEY,
  is_blocked INTEGER NOT NULL DEFAULT 0 CHECK (is_blocked IN (0, 1))
) STRICT;

CREATE TABLE clients (
  id         TEXT    NOT NULL PRIMARY KEY,
  is_blocked INTEGER NOT NULL DEFAULT 0 CHECK (is_blocked IN (0, 1))
) STRICT;

CREATE TABLE access_tokens (
  digest     BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32), -- SHA-256 of the token
  kind       TEXT NOT NULL CHECK (kind IN ('access_token', 'other')),
  user_id    TEXT NOT NULL REFERENCES users (id),
  client_id  TEXT NOT NULL REFERENCES clients (id),
  scope      TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  issued_at  TEXT NOT NULL,
  revoked_at TEXT
) STRICT;

CREATE INDEX access_tokens_user_id ON access_tokens (user_id);
CREATE INDEX access_tokens_client_id ON access_tokens (client_id);

CREATE TABLE api_keys (
  digest     BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32), -- SHA-256 of the key
  client_id  TEXT NOT NULL REFERENCES clients (id),
  scope      TEXT NOT NULL,
  issued_at  TEXT NOT NULL,
  revoked_at TEXT
) STRICT;

CREATE INDEX api_keys_client_id ON api_keys (client_id);
