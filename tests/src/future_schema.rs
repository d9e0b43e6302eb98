//! Migrations of PostgreSQL's schema by future versions.

/// An additive migration of a future version, as `esoz migrate` would run it.
pub const ONE_AHEAD: &str = "BEGIN; \
    ALTER TABLE contract_divisions ADD COLUMN of_a_later_version text; \
    INSERT INTO schema_compatibility SELECT '900001', max(version) FROM __diesel_schema_migrations; \
    INSERT INTO __diesel_schema_migrations VALUES ('900001'); \
    COMMIT";

/// A migration of a future version that the present one cannot run beside.
pub const TAKES_AWAY: &str = "BEGIN; \
    INSERT INTO schema_compatibility VALUES ('900002', '900002'); \
    INSERT INTO __diesel_schema_migrations VALUES ('900002'); \
    COMMIT";
