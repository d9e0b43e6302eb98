-- The audit trigger fires whatever a session says (session_replication_role = replica would pass over it).
ALTER TABLE public.contract_divisions ENABLE ALWAYS TRIGGER contract_divisions_audit;

-- Fails unless changes of contract_divisions are audited. Every statement of the service that changes the table calls it: the statement holds a lock then that turning
-- the trigger off would wait for, so no change is made without its audit row. ES001 is a SQLSTATE of our own, which PostgreSQL never raises.
CREATE OR REPLACE FUNCTION public.esoz_require_audit() RETURNS boolean
    LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_trigger
        WHERE tgrelid = 'public.contract_divisions'::regclass AND tgname = 'contract_divisions_audit' AND tgenabled = 'A')
    THEN
        RAISE EXCEPTION 'the trigger contract_divisions_audit is off or gone' USING ERRCODE = 'ES001';
    END IF;
    RETURN true;
END
$$;

-- What the health check calls: fails unless the session can write, and what it writes is audited.
CREATE OR REPLACE FUNCTION public.esoz_require_writes() RETURNS boolean
    LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF current_setting('transaction_read_only') = 'on' THEN
        RAISE EXCEPTION 'the session takes no writes' USING ERRCODE = 'read_only_sql_transaction';
    END IF;
    RETURN public.esoz_require_audit();
END
$$;

GRANT EXECUTE ON FUNCTION public.esoz_require_audit(), public.esoz_require_writes() TO esoz_service;

-- The program of the version before writes as before.
INSERT INTO public.schema_compatibility VALUES ('000021', '000015');
