-- An idempotency record keeps the first answer of any operation: the record after the write, as the text of a JSON object. The columns of contract
-- divisions are filled as well while programs of the version before read them, and read where those wrote them; they end in a later version.
-- `updated_at` is the time of the write.
ALTER TABLE public.idempotency_keys
    ADD COLUMN answer text,
    ALTER COLUMN id DROP NOT NULL,
    ALTER COLUMN contract_id DROP NOT NULL,
    ALTER COLUMN division_id DROP NOT NULL,
    ALTER COLUMN is_active DROP NOT NULL,
    ALTER COLUMN inserted_at DROP NOT NULL,
    ALTER COLUMN inserted_by DROP NOT NULL,
    ALTER COLUMN updated_by DROP NOT NULL,
    ADD CONSTRAINT idempotency_keys_has_an_answer CHECK (answer IS NOT NULL OR id IS NOT NULL) NOT VALID;

-- The program of the version before writes and finds its columns as they were.
INSERT INTO public.schema_compatibility VALUES ('000016', '000015');
