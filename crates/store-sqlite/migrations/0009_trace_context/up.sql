-- The span that changed the entity, as the `traceparent` of W3C Trace Context; of events that were not traced, none.
ALTER TABLE outbox ADD COLUMN traceparent TEXT;
ALTER TABLE event_log ADD COLUMN traceparent TEXT;
