CREATE TABLE public.contracts (
    id                         uuid        PRIMARY KEY,
    type                       text        NOT NULL
        CONSTRAINT contracts_type CHECK (type IN ('CAPITATION', 'REIMBURSEMENT', 'GB_CBP')),
    status                     text        NOT NULL
        CONSTRAINT contracts_status CHECK (status IN ('VERIFIED', 'TERMINATED')),
    contract_number            text        NOT NULL,
    contractor_legal_entity_id uuid        NOT NULL
        CONSTRAINT contracts_contractor_legal_entity_id_fkey REFERENCES public.legal_entities (id),
    start_date                 date        NOT NULL,
    end_date                   date        NOT NULL,
    is_active                  boolean     NOT NULL,
    is_suspended               boolean     NOT NULL,
    inserted_at                timestamptz NOT NULL,
    inserted_by                uuid        NOT NULL,
    updated_at                 timestamptz NOT NULL,
    updated_by                 uuid        NOT NULL
);
CREATE INDEX contracts_contractor_legal_entity_id ON public.contracts (contractor_legal_entity_id);

GRANT SELECT, INSERT, UPDATE ON public.contracts TO esoz_service;
