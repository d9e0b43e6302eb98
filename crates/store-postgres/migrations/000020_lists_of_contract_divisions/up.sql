-- The order of lists. The only statement here: a second one would make both a transaction. It may be there already: a server ends a build whose client
-- is gone.
CREATE INDEX CONCURRENTLY IF NOT EXISTS contract_divisions_inserted_at ON public.contract_divisions (inserted_at, id) WHERE is_active;
