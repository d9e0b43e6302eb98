-- Events that were read from the topic, whoever published them, each once.
CREATE TABLE public.event_log (
    id          uuid        PRIMARY KEY,
    event_type  text        NOT NULL,
    entity_type text        NOT NULL,
    entity_id   uuid        NOT NULL,
    -- To the letter.
    properties  json        NOT NULL,
    -- The keys of the properties, each with the text of its new value: what is queried.
    attributes  jsonb       NOT NULL,
    event_time  timestamptz NOT NULL,
    changed_by  uuid        NOT NULL
);
-- The order of lists, within a period and within a type.
CREATE INDEX event_log_event_time ON public.event_log (event_time, id);
CREATE INDEX event_log_event_type ON public.event_log (event_type, event_time, id);
CREATE INDEX event_log_entity_type ON public.event_log (entity_type, event_time, id);

-- An event never changes; it is removed when it is old.
GRANT SELECT, INSERT, DELETE ON public.event_log TO esoz_service;

INSERT INTO public.schema_compatibility VALUES ('000018', '000015');
