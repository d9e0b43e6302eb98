-- The role that the service works as. Roles belong to the whole cluster: another database's migration may have made it
-- already, or may be making it at this moment.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'esoz_service') THEN
        CREATE ROLE esoz_service NOLOGIN NOINHERIT;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

-- So that one login can migrate and then serve, the migrating role becomes a member. One that has no right to grant
-- the role cannot; the service then needs a login of its own that is a member.
DO $$
DECLARE
    privilege CONSTANT text :=
        CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
    IF NOT pg_catalog.pg_has_role(current_user, 'esoz_service', privilege) THEN
        EXECUTE format('GRANT esoz_service TO %I', current_user);
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL;
END
$$;

GRANT USAGE ON SCHEMA public TO esoz_service;
-- For the check at start whether the schema is the one that the program knows.
GRANT SELECT ON public.__diesel_schema_migrations TO esoz_service;
