use std::error::Error;

/// The kind of a failure. A transport maps kinds, and nothing else, to its own status codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request itself is wrong, whatever the state of the system.
    BadRequest,
    /// The caller is not authenticated: credentials are missing, or an api key is not valid.
    Unauthenticated,
    /// The caller is not authenticated: the access token is not valid.
    InvalidToken,
    /// The caller may not do this.
    Forbidden,
    /// The resource does not exist, or not for this caller.
    NotFound,
    /// The state of the resource, or of one that it depends on, rules this out.
    Conflict,
    /// The content of the request breaks a rule.
    Invalid,
    /// It was tried too often.
    TooManyRequests,
    /// A store or a bus is unavailable; the same request may succeed later.
    Unavailable,
    /// The service is broken. Details belong in the log, never in the answer.
    Internal,
}

impl ErrorKind {
    /// Whether the service, not the caller, is at fault.
    pub const fn is_server_fault(self) -> bool {
        matches!(self, Self::Unavailable | Self::Internal)
    }
}

/// An error of an operation, as a transport sees it. Declared with [`failure!`](crate::failure).
///
/// `Display` is the text for the caller, unless the kind [is a server fault](ErrorKind::is_server_fault): then a transport sends a
/// constant text.
pub trait Failure: Error {
    /// Returns the kind.
    fn kind(&self) -> ErrorKind;

    /// Returns the variant's name in snake_case, for metrics and logs. Tells nothing about the request.
    fn code(&self) -> &'static str;

    /// Returns what the caller does not learn, in snake_case, for the operator's log: which of several causes it was that have one answer.
    /// Contains no id, name or secret.
    fn reason(&self) -> Option<&'static str> {
        None
    }

    /// Returns the part of the request that the failure is about, as a JSON path, e.g. `$.details[3].device`.
    fn entry(&self) -> Option<String> {
        None
    }

    /// Lists the parts of the request that the failure is about, each with its text. Only a failure of several faults at once overrides it.
    fn faults(&self) -> Vec<(String, String)> {
        self.entry().map(|entry| (entry, self.to_string())).into_iter().collect()
    }

    /// Returns after how many seconds the same request may succeed, where that is known.
    fn retry_after_s(&self) -> Option<u64> {
        None
    }

    /// Returns the scopes that the caller lacks; empty when the failure is another one.
    fn missing_allowances(&self) -> &[&'static str] {
        &[]
    }

    /// Lists one value of each variant, from which the published description and the labels of metrics are made.
    fn examples() -> Vec<Self>
    where
        Self: Sized;

    /// Lists every [`code`](Self::code) of this type.
    fn codes() -> Vec<&'static str>
    where
        Self: Sized,
    {
        Self::examples().iter().map(Self::code).collect()
    }
}

/// Renders an error chain in one line, for the log.
pub fn with_causes(error: &dyn Error) -> String {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Declares an error enum with its [`Failure`](crate::Failure), `Display` and `Error`: each variant with its kind, its code, its text and
/// the entry that it is about. None of them is repeated anywhere else. A `reason` that the caller must not learn comes last; it is for the
/// log alone. A variant with several faults, each with an entry and a text of its own, gives their list by `faults`, and `retry` the seconds
/// after which to try again.
///
/// A variant under `wraps` holds another failure and takes everything from it, or, given a text, everything but the text; the failure is then
/// its source. Given values, it holds only these of that failure, as one enum may serve several operations.
///
/// The enum is `#[non_exhaustive]`: a new rule may need a new variant. Who matches it goes by [`kind`](crate::Failure::kind) for the rest.
///
/// ```
/// use esoz_kernel::{ErrorKind, Failure, StoreError, failure};
///
/// failure! {
///     /// Why a cup was not filled.
///     #[derive(Debug)]
///     pub enum FillError {
///         /// There is no such cup.
///         NotFound(is_broken: bool = false) => NotFound, "not_found", "no such cup", reason if *is_broken { "broken" } else { "unknown" };
///         /// It is full. Its field has an example value, for the description.
///         Full(level: u32 = 10) => Conflict, "full", "the cup is full at {level}", at "$.cups[{level}]";
///     } wraps {
///         /// The store failed.
///         Store(StoreError) => "the cup could not be filled";
///     }
/// }
///
/// failure! {
///     /// Why a cup was not emptied.
///     #[derive(Debug)]
///     pub enum EmptyError {
///     } wraps {
///         /// It cannot be full.
///         Refused(FillError = [FillError::NotFound(false)]);
///     }
/// }
///
/// assert_eq!(FillError::Full(3).to_string(), "the cup is full at 3");
/// assert_eq!(FillError::Full(3).kind(), ErrorKind::Conflict);
/// assert_eq!(FillError::Full(3).entry().as_deref(), Some("$.cups[3]"));
/// assert_eq!(FillError::codes()[..2], ["not_found", "full"]);
/// assert_eq!(FillError::NotFound(true).to_string(), FillError::NotFound(false).to_string());
/// assert_eq!(EmptyError::Refused(FillError::NotFound(true)).reason(), Some("broken"));
/// assert_eq!(EmptyError::codes(), ["not_found"]);
/// ```
#[macro_export]
macro_rules! failure {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $(
                $(#[$doc:meta])*
                $variant:ident $(($field:ident: $type:ty = $example:expr))?
                    => $kind:ident, $code:literal, $text:literal $(, at $entry:literal)? $(, faults $faults:ident)? $(, retry $retry:expr)?
                    $(, reason $reason:expr)?;
            )*
        } $(wraps {
            $(
                $(#[$wrapped_doc:meta])*
                $wrapper:ident($inner:ty $(= $values:expr)?) $(=> $wrapped_text:literal)?;
            )*
        })?
    ) => {
        $(#[$meta])*
        #[non_exhaustive]
        $vis enum $name {
            $($(#[$doc])* $variant $(($type))?,)*
            $($($(#[$wrapped_doc])* $wrapper($inner),)*)?
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                match self {
                    $(Self::$variant $(($field))? => {
                        // Not every text has the field.
                        $(let _ = $field;)?
                        ::std::write!(formatter, $text)
                    })*
                    $($(Self::$wrapper(inner) => $crate::failure!(@display formatter, inner $(, $wrapped_text)?),)*)?
                }
            }
        }

        impl ::std::error::Error for $name {
            fn source(&self) -> ::std::option::Option<&(dyn ::std::error::Error + 'static)> {
                match self {
                    $(Self::$variant { .. } => ::std::option::Option::None,)*
                    $($(Self::$wrapper(inner) => $crate::failure!(@source inner $(, $wrapped_text)?),)*)?
                }
            }
        }

        impl $crate::Failure for $name {
            fn kind(&self) -> $crate::ErrorKind {
                match self {
                    $(Self::$variant { .. } => $crate::ErrorKind::$kind,)*
                    $($(Self::$wrapper(inner) => $crate::Failure::kind(inner),)*)?
                }
            }

            fn code(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $code,)*
                    $($(Self::$wrapper(inner) => $crate::Failure::code(inner),)*)?
                }
            }

            fn reason(&self) -> ::std::option::Option<&'static str> {
                match self {
                    $(Self::$variant $(($field))? => {
                        // Not every field is a reason.
                        $(let _ = $field;)?
                        $crate::failure!(@reason $($reason)?)
                    })*
                    $($(Self::$wrapper(inner) => $crate::Failure::reason(inner),)*)?
                }
            }

            fn entry(&self) -> ::std::option::Option<::std::string::String> {
                match self {
                    $(Self::$variant $(($field))? => {
                        // Not every entry has an index.
                        $(let _ = $field;)?
                        $crate::failure!(@entry $($entry)?)
                    })*
                    $($(Self::$wrapper(inner) => $crate::Failure::entry(inner),)*)?
                }
            }

            fn faults(&self) -> ::std::vec::Vec<(::std::string::String, ::std::string::String)> {
                match self {
                    $(Self::$variant $(($field))? => {
                        // Not every field is a list of faults.
                        $(let _ = $field;)?
                        $crate::failure!(@faults self $(, $faults)?)
                    })*
                    $($(Self::$wrapper(inner) => $crate::Failure::faults(inner),)*)?
                }
            }

            fn retry_after_s(&self) -> ::std::option::Option<u64> {
                match self {
                    $(Self::$variant $(($field))? => {
                        // Not every field is a time.
                        $(let _ = $field;)?
                        $crate::failure!(@reason $($retry)?)
                    })*
                    $($(Self::$wrapper(inner) => $crate::Failure::retry_after_s(inner),)*)?
                }
            }

            fn missing_allowances(&self) -> &[&'static str] {
                match self {
                    $(Self::$variant { .. } => &[],)*
                    $($(Self::$wrapper(inner) => $crate::Failure::missing_allowances(inner),)*)?
                }
            }

            fn examples() -> ::std::vec::Vec<Self> {
                let own = [$(Self::$variant $(($example))?),*];
                own.into_iter()
                    $($(.chain($crate::failure!(@examples $inner $(, $values)?).into_iter().map(Self::$wrapper)))*)?
                    .collect()
            }
        }
    };
    (@examples $inner:ty) => { <$inner as $crate::Failure>::examples() };
    (@examples $inner:ty, $values:expr) => { $values };
    (@display $formatter:ident, $inner:ident) => { ::std::fmt::Display::fmt($inner, $formatter) };
    (@display $formatter:ident, $inner:ident, $text:literal) => {{
        let _ = $inner;
        ::std::write!($formatter, $text)
    }};
    (@source $inner:ident) => { ::std::error::Error::source($inner) };
    (@source $inner:ident, $text:literal) => { ::std::option::Option::Some($inner) };
    (@reason) => { ::std::option::Option::None };
    (@reason $reason:expr) => { ::std::option::Option::Some($reason) };
    (@faults $failure:ident) => {
        $crate::Failure::entry($failure)
            .map(|entry| (entry, ::std::string::ToString::to_string($failure)))
            .into_iter()
            .collect()
    };
    (@faults $failure:ident, $faults:ident) => { $faults.list() };
    (@entry) => { ::std::option::Option::None };
    (@entry $entry:literal) => { ::std::option::Option::Some(::std::format!($entry)) };
}
