-- Events that wait for delivery, each put here in the transaction of the change that it tells of. The rows of one entity are in the order of their commits,
-- for who changes an entity holds its lock until the commit.
CREATE TABLE public.outbox (
    sequence         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id         uuid        NOT NULL UNIQUE,
    entity_type      text        NOT NULL,
    entity_id        uuid        NOT NULL,
    new_status       text        NOT NULL,
    event_time       timestamptz NOT NULL,
    changed_by       uuid        NOT NULL,
    request_id       text        NOT NULL,
    -- The span that changed the entity, as the `traceparent` of W3C Trace Context.
    traceparent      text,
    -- The relay that holds the entity, and until when. The claim on an entity's first row is the one on the entity.
    claimed_by       uuid,
    claimed_until    timestamptz,
    -- Since then the event waits for an operator, and the later ones of its entity behind it.
    set_aside_at     timestamptz,
    set_aside_reason text,
    CONSTRAINT outbox_claim CHECK ((claimed_by IS NULL) = (claimed_until IS NULL)),
    CONSTRAINT outbox_set_aside CHECK ((set_aside_at IS NULL) = (set_aside_reason IS NULL))
);
CREATE INDEX outbox_entity_id ON public.outbox (entity_id, sequence);
CREATE INDEX outbox_claimed_by ON public.outbox (claimed_by) WHERE claimed_by IS NOT NULL;
CREATE INDEX outbox_set_aside_at ON public.outbox (set_aside_at) WHERE set_aside_at IS NOT NULL;

-- What an event says is never changed.
GRANT SELECT, INSERT, DELETE, UPDATE (claimed_by, claimed_until, set_aside_at, set_aside_reason) ON public.outbox TO esoz_service;

INSERT INTO public.schema_compatibility VALUES ('000017', '000015');
