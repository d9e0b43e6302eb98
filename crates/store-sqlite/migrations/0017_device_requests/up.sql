-- What dispenses are based on. Numbers are decimal text, exact to the digit; days are YYYY-MM-DD.
CREATE TABLE device_requests (
  id                TEXT NOT NULL PRIMARY KEY,
  subject           TEXT NOT NULL, -- the pseudonym of the patient, whose id is nowhere
  status            TEXT NOT NULL CHECK (status IN ('active', 'completed', 'revoked', 'entered_in_error')),
  intent            TEXT NOT NULL, -- which intents there are is for the registry to say
  program_id        TEXT,
  code              TEXT,
  code_reference    TEXT,
  quantity_value    TEXT CHECK (CAST(quantity_value AS REAL) > 0),
  quantity_code     TEXT,
  occurrence_start  TEXT,
  occurrence_end    TEXT,
  dispense_valid_to TEXT NOT NULL,
  verification_code TEXT CHECK (verification_code GLOB '[0-9][0-9][0-9][0-9]'),
  inserted_at       TEXT NOT NULL,
  inserted_by       TEXT NOT NULL,
  updated_at        TEXT NOT NULL,
  updated_by        TEXT NOT NULL,
  CONSTRAINT asks_for_one_device CHECK ((code IS NULL) <> (code_reference IS NULL)),
  CONSTRAINT quantity_is_whole CHECK ((quantity_value IS NULL) = (quantity_code IS NULL)),
  CONSTRAINT period_is_whole CHECK ((occurrence_start IS NULL) = (occurrence_end IS NULL))
) STRICT;

-- When wrong verification codes were given: they count for an hour, and are deleted by later ones.
CREATE TABLE device_request_wrong_codes (
  sequence   INTEGER NOT NULL PRIMARY KEY,
  request_id TEXT    NOT NULL REFERENCES device_requests (id),
  given_at   TEXT    NOT NULL
) STRICT;

CREATE INDEX device_request_wrong_codes_request_id ON device_request_wrong_codes (request_id, given_at);
CREATE INDEX device_request_wrong_codes_given_at ON device_request_wrong_codes (given_at);

-- Finds the dispenses of a request that are in progress.
ALTER TABLE device_dispenses
  ADD COLUMN based_on TEXT GENERATED ALWAYS AS (lower(json_extract(document, '$.based_on.identifier.value'))) VIRTUAL;

CREATE INDEX device_dispenses_based_on ON device_dispenses (based_on) WHERE status = 'in_progress';
