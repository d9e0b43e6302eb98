-- A row as JSON whose times are UTC, RFC 3339, with six decimals and Z: `to_jsonb` alone follows the session's time
-- zone and drops zeros. An infinite time stays as it is.
CREATE FUNCTION public.esoz_audit_json(relation oid, content jsonb) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(
        jsonb_object_agg(
            field.key,
            CASE
                WHEN field.value <> 'null'::jsonb AND isfinite((field.value #>> '{}')::timestamptz)
                THEN to_jsonb(to_char(
                    (field.value #>> '{}')::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
                ELSE field.value
            END),
        '{}'::jsonb) || content - coalesce(array_agg(field.key), '{}')
    FROM jsonb_each(content) AS field
    WHERE EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = relation AND attname = field.key AND atttypid = 'timestamptz'::regtype)
$$;

-- Writes the audit row of a change, in the change's own transaction. For any table with the columns `id` and
-- `updated_by`. It runs with the rights of its owner, because the service has none to write to audit_log.
CREATE FUNCTION public.esoz_audit() RETURNS trigger
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    was jsonb;
    is_now jsonb;
    record jsonb;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        was := public.esoz_audit_json(TG_RELID, to_jsonb(OLD));
    END IF;
    IF TG_OP <> 'DELETE' THEN
        is_now := public.esoz_audit_json(TG_RELID, to_jsonb(NEW));
    END IF;
    record := coalesce(is_now, was);
    IF TG_OP = 'UPDATE' THEN
        SELECT coalesce(jsonb_object_agg(key, was -> key), '{}'), coalesce(jsonb_object_agg(key, is_now -> key), '{}')
        INTO was, is_now
        FROM jsonb_object_keys(is_now) AS key
        WHERE was -> key IS DISTINCT FROM is_now -> key;
    END IF;
    INSERT INTO public.audit_log (actor_id, resource, resource_id, action, before, after, request_id)
    VALUES (
        (record ->> 'updated_by')::uuid,
        TG_TABLE_NAME,
        (record ->> 'id')::uuid,
        TG_OP,
        was,
        is_now,
        -- After a transaction that set it, the setting is not absent but empty.
        nullif(current_setting('esoz.request_id', true), ''));
    RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION public.esoz_audit_json(oid, jsonb), public.esoz_audit() FROM PUBLIC;
