//! Whether changes of contract divisions are audited as the migrations made it. The owner of the schema can change that without an error for anybody:
//! replace a function, add a rule or a trigger.

use std::sync::LazyLock;

use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::sql_types::{Array, Bool, Text};
use diesel::{QueryResult, RunQueryDsl as _};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use esoz_kernel::{StoreError, StoreErrorKind};

use crate::known_migrations::newest_known;

/// The functions of the audit, each with the migration that defined it last.
const FUNCTIONS: [(&str, &str); 3] = [
    ("esoz_audit", include_str!("../migrations/000015_audit_of_shared_updates_by_lines/up.sql")),
    ("esoz_require_audit", include_str!("../migrations/000021_audit_always/up.sql")),
    ("esoz_require_writes", include_str!("../migrations/000021_audit_always/up.sql")),
];

/// The trigger of the audit, as [`RESTORE_TRIGGER`] makes it, whether it is on or off: after every insertion, update and deletion of a row, on no
/// condition.
const TRIGGER: &str = "SELECT FROM pg_catalog.pg_trigger
    WHERE tgrelid = to_regclass('public.contract_divisions') AND tgname = 'contract_divisions_audit'
        AND tgfoid = to_regprocedure('public.esoz_audit()')
        AND tgtype = 29 AND tgqual IS NULL AND tgattr = '' AND tgnargs = 0";

/// Makes the trigger of the audit anew.
const RESTORE_TRIGGER: &str = concat!(
    "SET lock_timeout = '5s'; DROP TRIGGER IF EXISTS contract_divisions_audit ON public.contract_divisions; ",
    include_str!("../migrations/000011_audit_contract_divisions/up.sql"),
    "ALTER TABLE public.contract_divisions ENABLE ALWAYS TRIGGER contract_divisions_audit",
);

/// The remedy for what [`WRONG`] finds.
const REMEDY: &str =
    "`esoz migrate` restores what is esoz's; as the owner, drop rules and triggers that are not esoz's";

/// Selects the names of functions that are not as they were made.
static REPLACED: LazyLock<String> = LazyLock::new(|| {
    let known =
        FUNCTIONS.map(|(name, migration)| format!("('{name}', $esoz${}$esoz$)", body(name, migration)));
    format!(
        "SELECT made.name FROM (VALUES {}) AS made (name, body)
         WHERE NOT EXISTS (
             SELECT FROM pg_catalog.pg_proc AS function
             JOIN pg_catalog.pg_language AS language ON language.oid = function.prolang
             WHERE function.proname = made.name AND function.pronamespace = 'public'::regnamespace
                 AND function.pronargs = 0 AND function.prosrc = made.body AND language.lanname = 'plpgsql'
                 AND function.prosecdef = (made.name = 'esoz_audit')
                 AND (made.name <> 'esoz_audit' OR 'search_path=pg_catalog, pg_temp' = ANY (function.proconfig)))",
        known.join(", "),
    )
});

/// Selects what is not as the migrations made it, in words, as an array: nothing in a schema that is newer than this program, which may have made it
/// otherwise for a reason. Fails like `esoz_require_writes`, which it calls.
pub(crate) static WRONG: LazyLock<String> = LazyLock::new(|| {
    let tables = "(to_regclass('public.audit_log'), to_regclass('public.contract_divisions'))";
    format!(
        "CASE WHEN public.esoz_require_writes() THEN ARRAY(
             SELECT what FROM (
             SELECT format('the function %s is another one', name) AS what FROM ({replaced}) AS replaced
             UNION ALL
             SELECT format('there is a rule %I on %s', rulename, ev_class::regclass)
             FROM pg_catalog.pg_rewrite WHERE ev_class IN {tables}
             UNION ALL
             SELECT format('there is a trigger %I on %s', tgname, tgrelid::regclass)
             FROM pg_catalog.pg_trigger
             WHERE tgrelid IN {tables} AND NOT tgisinternal AND tgname <> 'contract_divisions_audit'
             UNION ALL
             SELECT 'the trigger contract_divisions_audit is another one'
             WHERE NOT EXISTS ({TRIGGER} AND tgenabled = 'A')
             ) AS wrong
             WHERE NOT EXISTS (SELECT FROM public.__diesel_schema_migrations WHERE version > '{newest}'))
         END",
        replaced = *REPLACED,
        newest = newest_known(),
    )
});

/// Refuses an audit that is not as it was made.
pub(crate) fn require_unchanged(wrong: &[String]) -> Result<(), StoreError> {
    if wrong.is_empty() {
        return Ok(());
    }
    let attempted = format!("checking the audit of contract divisions ({REMEDY})");
    Err(StoreError::new(StoreErrorKind::Unavailable, attempted).because(wrong.join(", ")))
}

/// Puts functions and the trigger that were replaced or dropped back, and returns what they are. A trigger that is only off stays so: it is turned off
/// where changes are replicated to.
pub(crate) fn restore(db: &mut AsyncConnectionWrapper<AsyncPgConnection>) -> QueryResult<Vec<String>> {
    let replaced = format!("ARRAY({})", *REPLACED);
    let replaced: Vec<String> = diesel::select(sql::<Array<Text>>(&replaced)).get_result(db)?;
    let functions = FUNCTIONS.iter().filter(|(name, _)| replaced.iter().any(|one| one == name));
    let mut restores: Vec<_> = functions
        .map(|(name, migration)| (format!("function {name}"), definition(name, migration)))
        .collect();
    let has_trigger = diesel::select(sql::<Bool>(&format!("EXISTS ({TRIGGER})")));
    if !has_trigger.get_result::<bool>(db)? {
        restores.push(("trigger contract_divisions_audit".to_owned(), RESTORE_TRIGGER));
    }
    for (what, statement) in &restores {
        db.batch_execute(statement)?;
        tracing::info!(what, "a part of the audit was restored");
    }
    Ok(restores.into_iter().map(|(what, _)| what).collect())
}

/// The statement of a migration that defines a function.
fn definition<'a>(name: &str, migration: &'a str) -> &'a str {
    let begin = migration.find(&format!("CREATE OR REPLACE FUNCTION public.{name}()")).unwrap_or_default();
    let statement = migration.get(begin..).unwrap_or_default();
    let end = statement.find(END).map_or(statement.len(), |end| end + END.len());
    statement.get(..end).unwrap_or_default()
}

/// Ends the definition of a function.
const END: &str = "\n$$;";

/// The source of a function, as the server keeps it.
fn body<'a>(name: &str, migration: &'a str) -> &'a str {
    let quoted = definition(name, migration).split("$$");
    quoted.into_iter().nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_cut_whole_out_of_its_migration() {
        for (name, migration) in FUNCTIONS {
            let statement = definition(name, migration);
            assert!(statement.starts_with(&format!("CREATE OR REPLACE FUNCTION public.{name}()")));
            assert!(statement.ends_with("END\n$$;") && statement.matches("$$").count() == 2, "{statement}");
            let body = body(name, migration);
            assert!(body.starts_with('\n') && body.ends_with("END\n"), "{body}");
        }
    }

    #[test]
    fn no_later_migration_defines_a_function_of_the_audit() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        for (name, migration) in FUNCTIONS {
            let define = format!("FUNCTION public.{name}() RETURNS");
            let mut migrations: Vec<_> =
                std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            migrations.sort();
            let texts = migrations.iter().map(|path| std::fs::read_to_string(path.join("up.sql")).unwrap());
            assert_eq!(texts.rev().find(|text| text.contains(&define)).as_deref(), Some(migration), "{name}");
        }
    }
}
