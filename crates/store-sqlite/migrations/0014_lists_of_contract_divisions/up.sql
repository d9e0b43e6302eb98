-- The order of lists.
CREATE INDEX contract_divisions_inserted_at ON contract_divisions (inserted_at, id) WHERE is_active;
