-- Finds overdue dispenses: only those in progress are in it.
CREATE INDEX device_dispenses_in_progress ON device_dispenses (inserted_at, id) WHERE status = 'in_progress';
