CREATE TABLE public.access_tokens (
    -- SHA-256 of the token; the token itself is nowhere.
    digest     bytea       PRIMARY KEY CONSTRAINT access_tokens_digest_is_sha256 CHECK (octet_length(digest) = 32),
    kind       text        NOT NULL CONSTRAINT access_tokens_kind CHECK (kind IN ('access', 'other')),
    user_id    uuid        NOT NULL REFERENCES public.users (id),
    client_id  uuid        NOT NULL REFERENCES public.clients (id),
    scope      text        NOT NULL,
    expires_at timestamptz NOT NULL,
    issued_at  timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX access_tokens_user_id ON public.access_tokens (user_id);
CREATE INDEX access_tokens_client_id ON public.access_tokens (client_id);

-- Of a token that is issued, only whether it is revoked can change.
GRANT SELECT, INSERT, UPDATE (revoked_at) ON public.access_tokens TO esoz_service;
