CREATE TABLE public.api_keys (
    -- SHA-256 of the key; the key itself is nowhere.
    digest     bytea       PRIMARY KEY CONSTRAINT api_keys_digest_is_sha256 CHECK (octet_length(digest) = 32),
    client_id  uuid        NOT NULL REFERENCES public.clients (id),
    scope      text        NOT NULL,
    issued_at  timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX api_keys_client_id ON public.api_keys (client_id);

-- Of a key that is issued, only whether it is revoked can change.
GRANT SELECT, INSERT, UPDATE (revoked_at) ON public.api_keys TO esoz_service;
