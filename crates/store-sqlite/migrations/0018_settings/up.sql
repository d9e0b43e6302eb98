-- What is true of the whole file, one row each: `pseudonym_fingerprint` tells with which scheme and key its pseudonyms are made (ADR 0038).
CREATE TABLE settings (
  name  TEXT NOT NULL PRIMARY KEY,
  value BLOB NOT NULL
) STRICT;
