-- The order of lists. The only statement here: a second one would make both a transaction.
CREATE INDEX CONCURRENTLY contract_divisions_inserted_at ON public.contract_divisions (inserted_at, id) WHERE is_active;
