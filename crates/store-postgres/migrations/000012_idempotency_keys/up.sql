-- Which updates were made under which key, and the record as it was after each, for as long as keys are kept. A row commits with its
-- update; it is kept since the time of that update.
CREATE TABLE public.idempotency_keys (
    -- SHA-256 of operation, client and key; the key itself is nowhere.
    key         bytea       PRIMARY KEY CONSTRAINT idempotency_keys_key_is_sha256 CHECK (octet_length(key) = 32),
    -- SHA-256 of what was asked.
    request     bytea       NOT NULL CONSTRAINT idempotency_keys_request_is_sha256 CHECK (octet_length(request) = 32),
    id          uuid        NOT NULL,
    contract_id uuid        NOT NULL,
    division_id uuid        NOT NULL,
    is_active   boolean     NOT NULL,
    inserted_at timestamptz NOT NULL,
    inserted_by uuid        NOT NULL,
    updated_at  timestamptz NOT NULL,
    updated_by  uuid        NOT NULL
);
CREATE INDEX idempotency_keys_updated_at ON public.idempotency_keys (updated_at);

-- The one table that the service deletes from: keys are forgotten when they are old.
GRANT SELECT, INSERT, DELETE ON public.idempotency_keys TO esoz_service;
