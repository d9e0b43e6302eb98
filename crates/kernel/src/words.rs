/// The text is none of the words of its enumeration. Does not repeat the text, which came from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not one of {}", .0.join(", "))]
pub struct UnknownWord(pub &'static [&'static str]);

/// Declares an enumeration whose variants each have one word, in stores and on the wire: `ALL`, `as_str`, `Display` and `FromStr`.
///
/// The variant under `else` has a word that is not read, and is not in `ALL`.
///
/// ```
/// esoz_kernel::words! {
///     /// The size of a cup.
///     pub enum Size {
///         /// A quarter of a litre.
///         Small = "SMALL",
///         /// Half a litre.
///         Large = "LARGE",
///     }
/// }
///
/// assert_eq!("LARGE".parse(), Ok(Size::Large));
/// assert_eq!(Size::ALL.map(Size::as_str), ["SMALL", "LARGE"]);
/// assert_eq!("large".parse::<Size>().unwrap_err().to_string(), "is not one of SMALL, LARGE");
/// ```
#[macro_export]
macro_rules! words {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $($(#[$doc:meta])* $variant:ident = $word:literal,)+
        } $(else {
            $(#[$other_doc:meta])* $other:ident = $other_word:literal,
        })?
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $vis enum $name {
            $($(#[$doc])* $variant,)+
            $($(#[$other_doc])* $other,)?
        }

        impl $name {
            /// Every one that is read from a word.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// Its word.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                    $(Self::$other => $other_word,)?
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::UnknownWord;

            fn from_str(text: &str) -> ::std::result::Result<Self, $crate::UnknownWord> {
                let unknown = $crate::UnknownWord(&[$($word),+]);
                Self::ALL.into_iter().find(|one| one.as_str() == text).ok_or(unknown)
            }
        }
    };
}
