-- Also declares 000020 compatible: that migration is one statement outside a transaction (CREATE INDEX CONCURRENTLY), so it cannot insert its own row.
INSERT INTO public.schema_compatibility VALUES ('000019', '000015'), ('000020', '000015');
