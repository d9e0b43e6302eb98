-- Several requests may change their rows in one statement: `esoz.request_ids` says which request changes which row, as a JSON object of the
-- rows' ids. A row that it does not name is changed on behalf of `esoz.request_id`, as before.
--
-- It is one query now, which is planned once for each session. Of an update only what changed is made to look as it should: times in UTC,
-- RFC 3339, with six decimals and Z, whatever the session's time zone. An infinite time stays as it is.
CREATE OR REPLACE FUNCTION public.esoz_audit() RETURNS trigger
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    was CONSTANT jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    is_now CONSTANT jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    record CONSTANT jsonb := coalesce(is_now, was);
    -- Its columns that are times.
    times CONSTANT text[] := ARRAY(
        SELECT attname FROM pg_attribute WHERE attrelid = TG_RELID AND atttypid = 'timestamptz'::regtype);
BEGIN
    INSERT INTO public.audit_log (actor_id, resource, resource_id, action, before, after, request_id)
    SELECT
        (record ->> 'updated_by')::uuid,
        TG_TABLE_NAME,
        (record ->> 'id')::uuid,
        TG_OP,
        CASE WHEN TG_OP <> 'INSERT' THEN coalesce(jsonb_object_agg(key, shown) FILTER (WHERE NOT is_new), '{}') END,
        CASE WHEN TG_OP <> 'DELETE' THEN coalesce(jsonb_object_agg(key, shown) FILTER (WHERE is_new), '{}') END,
        -- After a transaction that set it, a setting is not absent but empty.
        coalesce(
            nullif(current_setting('esoz.request_ids', true), '')::json ->> (record ->> 'id'),
            nullif(current_setting('esoz.request_id', true), ''))
    FROM (
        SELECT is_new, key,
            CASE
                WHEN key = ANY (times) AND value <> 'null'::jsonb AND isfinite((value #>> '{}')::timestamptz)
                THEN to_jsonb(to_char(
                    (value #>> '{}')::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
                ELSE value
            END AS shown
        FROM (
            SELECT false AS is_new, * FROM jsonb_each(was)
            UNION ALL SELECT true, * FROM jsonb_each(is_now)) AS field
        WHERE TG_OP <> 'UPDATE' OR was -> key IS DISTINCT FROM is_now -> key) AS field;
    RETURN NULL;
END
$$;

DROP FUNCTION public.esoz_audit_json(oid, jsonb);

-- The program of the version before says `esoz.request_id`, and finds it where it was.
INSERT INTO public.schema_compatibility VALUES ('000014', '000013');
