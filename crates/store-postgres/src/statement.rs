//! Statements with fixed text, for what diesel's query builder cannot express.
//!
//! diesel prepares a raw SQL text on every call; a [`statement!`] is prepared once per connection.

/// Declares a statement with named arguments and a typed row.
///
/// The text begins with the arguments as the one row of a common table expression `args`; the given text follows (a further common
/// table expression starts with a comma).
macro_rules! statement {
    (
        $(#[$doc:meta])*
        $name:ident { $first:ident: $first_type:ty => $first_sql:ty, $($argument:ident: $type:ty => $sql:ty,)* }
        -> $row:ty;
        $text:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, diesel::query_builder::QueryId)]
        pub(crate) struct $name {
            pub(crate) $first: $first_type,
            $(pub(crate) $argument: $type,)*
        }

        impl diesel::query_builder::QueryFragment<diesel::pg::Pg> for $name {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, diesel::pg::Pg>,
            ) -> diesel::QueryResult<()> {
                out.push_sql(concat!(
                    "WITH args(", stringify!($first), $(", ", stringify!($argument),)* ") AS MATERIALIZED (VALUES ("
                ));
                out.push_bind_param::<$first_sql, _>(&self.$first)?;
                $(
                    out.push_sql(", ");
                    out.push_bind_param::<$sql, _>(&self.$argument)?;
                )*
                out.push_sql("))");
                out.push_sql($text);
                Ok(())
            }
        }

        impl diesel::query_builder::Query for $name {
            type SqlType = $row;
        }
    };
}

pub(crate) use statement;

/// The row of a query that returns at most one.
pub(crate) fn at_most_one<Row>(rows: Vec<Row>) -> Option<Row> {
    rows.into_iter().next()
}
