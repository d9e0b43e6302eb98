-- The administrative registries that a device dispense rests on.
CREATE TABLE public.persons (
    -- The pseudonym of the patient, whose id is nowhere. In the order of its bytes, as in every store.
    subject             text        COLLATE "C" PRIMARY KEY,
    status              text        NOT NULL CONSTRAINT persons_status CHECK (status IN ('active', 'inactive')),
    verification_status text        NOT NULL CONSTRAINT persons_verification_status CHECK (verification_status IN (
        'VERIFIED', 'NOT_VERIFIED', 'VERIFICATION_NEEDED', 'VERIFICATION_NOT_NEEDED', 'IN_REVIEW', 'CHANGES_NEEDED')),
    inserted_at         timestamptz NOT NULL,
    inserted_by         uuid        NOT NULL,
    updated_at          timestamptz NOT NULL,
    updated_by          uuid        NOT NULL
);

CREATE TABLE public.parties (
    id            uuid        PRIMARY KEY,
    -- The keyed digest; the number itself is nowhere.
    tax_id_digest text        CONSTRAINT parties_tax_id_digest CHECK (length(tax_id_digest) = 64),
    -- In ascending order.
    users         uuid[]      NOT NULL,
    inserted_at   timestamptz NOT NULL,
    inserted_by   uuid        NOT NULL,
    updated_at    timestamptz NOT NULL,
    updated_by    uuid        NOT NULL
);

-- The users of parties once more, by user: a user belongs to one party at most, or the change of the party fails.
CREATE TABLE public.party_users (
    user_id  uuid PRIMARY KEY,
    party_id uuid NOT NULL CONSTRAINT party_users_party_id_fkey REFERENCES public.parties (id) ON DELETE CASCADE
);
CREATE INDEX party_users_party_id ON public.party_users (party_id);

-- Alone writes party_users, in the statement that changes the party, with the rights of its owner: the service has none to write there.
CREATE FUNCTION public.esoz_party_users() RETURNS trigger
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM public.party_users WHERE party_id = NEW.id AND user_id <> ALL (NEW.users);
    INSERT INTO public.party_users (user_id, party_id)
    SELECT given.user_id, NEW.id FROM unnest(NEW.users) AS given(user_id)
    WHERE NOT EXISTS (
        SELECT FROM public.party_users AS stored WHERE stored.user_id = given.user_id AND stored.party_id = NEW.id);
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION public.esoz_party_users() FROM PUBLIC;

CREATE TRIGGER parties_users
    AFTER INSERT OR UPDATE OF users ON public.parties
    FOR EACH ROW EXECUTE FUNCTION public.esoz_party_users();

CREATE TABLE public.employees (
    id              uuid        PRIMARY KEY,
    party_id        uuid        NOT NULL CONSTRAINT employees_party_id_fkey REFERENCES public.parties (id),
    legal_entity_id uuid        NOT NULL CONSTRAINT employees_legal_entity_id_fkey REFERENCES public.legal_entities (id),
    -- Which types and statuses there are is for the registry to say.
    type            text        NOT NULL,
    status          text        NOT NULL,
    is_active       boolean     NOT NULL,
    end_date        date,
    name            text        NOT NULL,
    inserted_at     timestamptz NOT NULL,
    inserted_by     uuid        NOT NULL,
    updated_at      timestamptz NOT NULL,
    updated_by      uuid        NOT NULL
);
CREATE INDEX employees_party_id ON public.employees (party_id);
CREATE INDEX employees_legal_entity_id ON public.employees (legal_entity_id);

CREATE TABLE public.medical_programs (
    id          uuid        PRIMARY KEY,
    name        text        NOT NULL,
    -- Which types there are is for the registry to say.
    type        text        NOT NULL,
    is_active   boolean     NOT NULL,
    inserted_at timestamptz NOT NULL,
    inserted_by uuid        NOT NULL,
    updated_at  timestamptz NOT NULL,
    updated_by  uuid        NOT NULL
);

-- Bounds of numbers have an upper end, because to PostgreSQL NaN is greater than every number.
CREATE TABLE public.device_definitions (
    id                  uuid        PRIMARY KEY,
    name                text        NOT NULL,
    is_active           boolean     NOT NULL,
    classification_type text        NOT NULL,
    packaging_unit      text        NOT NULL,
    packaging_count     numeric     NOT NULL
        CONSTRAINT device_definitions_packaging_count CHECK (packaging_count > 0 AND packaging_count < 'Infinity'),
    inserted_at         timestamptz NOT NULL,
    inserted_by         uuid        NOT NULL,
    updated_at          timestamptz NOT NULL,
    updated_by          uuid        NOT NULL
);
CREATE INDEX device_definitions_classification_type ON public.device_definitions (classification_type);

CREATE TABLE public.program_devices (
    id                       uuid        PRIMARY KEY,
    program_id               uuid        NOT NULL
        CONSTRAINT program_devices_program_id_fkey REFERENCES public.medical_programs (id),
    device_definition_id     uuid        NOT NULL
        CONSTRAINT program_devices_device_definition_id_fkey REFERENCES public.device_definitions (id),
    is_active                boolean     NOT NULL,
    start_date               date        NOT NULL,
    end_date                 date,
    reimbursement_type       text        NOT NULL,
    reimbursement_amount     numeric
        CONSTRAINT program_devices_reimbursement_amount CHECK (reimbursement_amount >= 0 AND reimbursement_amount < 'Infinity'),
    reimbursement_percentage numeric
        CONSTRAINT program_devices_reimbursement_percentage CHECK (reimbursement_percentage BETWEEN 0 AND 100),
    max_daily_count          numeric
        CONSTRAINT program_devices_max_daily_count CHECK (max_daily_count > 0 AND max_daily_count < 'Infinity'),
    inserted_at              timestamptz NOT NULL,
    inserted_by              uuid        NOT NULL,
    updated_at               timestamptz NOT NULL,
    updated_by               uuid        NOT NULL,
    CONSTRAINT program_devices_reimbursement CHECK (
        (reimbursement_type = 'FIXED' AND reimbursement_amount IS NOT NULL AND reimbursement_percentage IS NULL)
        OR (reimbursement_type = 'PERCENTAGE' AND reimbursement_amount IS NULL AND reimbursement_percentage IS NOT NULL))
);
CREATE INDEX program_devices_program_id ON public.program_devices (program_id, device_definition_id);
CREATE INDEX program_devices_device_definition_id ON public.program_devices (device_definition_id);

GRANT SELECT, INSERT, UPDATE
    ON public.persons, public.parties, public.employees, public.medical_programs, public.device_definitions, public.program_devices
    TO esoz_service;
GRANT SELECT ON public.party_users TO esoz_service;

-- The program of the version before does not look at any of these.
INSERT INTO public.schema_compatibility VALUES ('000022', '000015');
