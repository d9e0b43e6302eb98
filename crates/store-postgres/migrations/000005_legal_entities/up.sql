CREATE TABLE public.legal_entities (
    id          uuid        PRIMARY KEY,
    name        text        NOT NULL,
    edrpou      text        NOT NULL,
    type        text        NOT NULL,
    status      text        NOT NULL
        CONSTRAINT legal_entities_status CHECK (status IN ('ACTIVE', 'SUSPENDED', 'CLOSED', 'REORGANIZED')),
    is_active   boolean     NOT NULL,
    inserted_at timestamptz NOT NULL,
    inserted_by uuid        NOT NULL,
    updated_at  timestamptz NOT NULL,
    updated_by  uuid        NOT NULL
);

GRANT SELECT, INSERT, UPDATE ON public.legal_entities TO esoz_service;
