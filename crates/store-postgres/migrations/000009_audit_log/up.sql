CREATE TABLE public.audit_log (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    actor_id    uuid        NOT NULL,
    resource    text        NOT NULL,
    resource_id uuid        NOT NULL,
    action      text        NOT NULL CONSTRAINT audit_log_action CHECK (action IN ('INSERT', 'UPDATE', 'DELETE')),
    before      jsonb,
    after       jsonb,
    request_id  text,
    inserted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX audit_log_resource ON public.audit_log (resource, resource_id, id);

-- Append-only: the service reads it, and only the trigger's function, which runs as the schema's owner, writes to it.
REVOKE ALL ON public.audit_log FROM PUBLIC;
GRANT SELECT ON public.audit_log TO esoz_service;
