CREATE TABLE public.contract_divisions (
    id          uuid        PRIMARY KEY,
    contract_id uuid        NOT NULL
        CONSTRAINT contract_divisions_contract_id_fkey REFERENCES public.contracts (id),
    division_id uuid        NOT NULL
        CONSTRAINT contract_divisions_division_id_fkey REFERENCES public.divisions (id),
    is_active   boolean     NOT NULL,
    inserted_at timestamptz NOT NULL,
    inserted_by uuid        NOT NULL,
    updated_at  timestamptz NOT NULL,
    updated_by  uuid        NOT NULL
);
CREATE INDEX contract_divisions_contract_id ON public.contract_divisions (contract_id);
CREATE INDEX contract_divisions_division_id ON public.contract_divisions (division_id);
-- One active record for each contract and division (update rule 10).
CREATE UNIQUE INDEX contract_divisions_active_pair
    ON public.contract_divisions (contract_id, division_id) WHERE is_active;

GRANT SELECT, INSERT, UPDATE ON public.contract_divisions TO esoz_service;
