CREATE TABLE public.divisions (
    id              uuid        PRIMARY KEY,
    legal_entity_id uuid        NOT NULL
        CONSTRAINT divisions_legal_entity_id_fkey REFERENCES public.legal_entities (id),
    name            text        NOT NULL,
    type            text        NOT NULL,
    status          text        NOT NULL CONSTRAINT divisions_status CHECK (status IN ('ACTIVE', 'INACTIVE')),
    is_active       boolean     NOT NULL,
    dls_verified    boolean,
    inserted_at     timestamptz NOT NULL,
    inserted_by     uuid        NOT NULL,
    updated_at      timestamptz NOT NULL,
    updated_by      uuid        NOT NULL
);
CREATE INDEX divisions_legal_entity_id ON public.divisions (legal_entity_id);

GRANT SELECT, INSERT, UPDATE ON public.divisions TO esoz_service;
