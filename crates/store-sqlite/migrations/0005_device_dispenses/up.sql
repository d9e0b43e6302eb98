-- The document is the record, whole, fields that ESOZ does not know included. What changes are compared with is computed from
-- it, so the two can never disagree. No CHECK on the status: a document that other systems wrote wrongly must be readable, so
-- that it can be reported.
CREATE TABLE device_dispenses (
  id       TEXT NOT NULL PRIMARY KEY,
  document TEXT NOT NULL,
  status   TEXT GENERATED ALWAYS AS (json_extract(document, '$.status')) VIRTUAL,
  owner    TEXT GENERATED ALWAYS AS (lower(json_extract(document, '$.performer_legal_entity.identifier.value'))) VIRTUAL,
  subject  TEXT GENERATED ALWAYS AS (json_extract(document, '$.subject')) VIRTUAL,
  CONSTRAINT document_is_an_object CHECK (json_type(document) IS 'object'),
  CONSTRAINT document_has_the_id CHECK (lower(json_extract(document, '$.id')) IS id),
  CONSTRAINT history_is_a_list CHECK (coalesce(json_type(document, '$.status_history'), 'null') IN ('array', 'null'))
) STRICT;

CREATE INDEX device_dispenses_owner ON device_dispenses (owner);
