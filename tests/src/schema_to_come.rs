//! PostgreSQL's schema as versions to come may leave it.

/// An additive migration of a version to come, as `esoz migrate` would run it.
pub const ONE_AHEAD: &str = "BEGIN; \
    ALTER TABLE contract_divisions ADD COLUMN of_a_later_version text; \
    INSERT INTO schema_compatibility SELECT '900001', max(version) FROM __diesel_schema_migrations; \
    INSERT INTO __diesel_schema_migrations VALUES ('900001'); \
    COMMIT";

/// Another one, that takes something away from the version before.
pub const TAKES_AWAY: &str = "BEGIN; \
    INSERT INTO schema_compatibility VALUES ('900002', '900002'); \
    INSERT INTO __diesel_schema_migrations VALUES ('900002'); \
    COMMIT";
