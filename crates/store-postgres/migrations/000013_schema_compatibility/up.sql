-- From this migration on each says which programs may go on, and start, on the schema that it leaves: those that know all migrations up to
-- `works_from`. So a migration that only adds lets the program of the version before restart beside it; one that takes away names itself.
-- Every migration inserts its own row.
CREATE TABLE public.schema_compatibility (
    version    text PRIMARY KEY,
    works_from text NOT NULL CONSTRAINT schema_compatibility_works_from_is_no_later CHECK (works_from <= version)
);

-- For the check at start.
GRANT SELECT ON public.schema_compatibility TO esoz_service;

-- Programs from before this table refuse every schema that they do not know, whatever stands here.
INSERT INTO public.schema_compatibility VALUES ('000013', '000013');
