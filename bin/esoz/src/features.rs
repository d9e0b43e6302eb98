//! The features of this build, and the words for one that it lacks.

use std::sync::LazyLock;

macro_rules! features {
    ($($feature:ident = $name:tt,)+) => {
        /// A part of the program that a build may lack.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Feature {
            $(#[doc = $name] $feature,)+
        }

        impl Feature {
            const ALL: [Self; [$($name),+].len()] = [$(Self::$feature),+];

            const fn name(self) -> &'static str {
                match self {
                    $(Self::$feature => $name,)+
                }
            }

            /// Whether this build has it.
            pub(crate) const fn is_built(self) -> bool {
                match self {
                    $(Self::$feature => cfg!(feature = $name),)+
                }
            }
        }
    };
}

features! {
    Sqlite = "sqlite",
    Servers = "servers",
    KafkaTls = "kafka-tls",
    Otlp = "otlp",
    Swagger = "swagger",
}

impl Feature {
    /// What a setting needs, for a build that lacks it.
    pub(crate) fn needed(self) -> String {
        format!("needs a build with the feature `{}`", self.name())
    }
}

/// The version of the program and the features of the build.
pub(crate) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let built: Vec<_> =
        Feature::ALL.into_iter().filter(|feature| feature.is_built()).map(Feature::name).collect();
    let features = if built.is_empty() { "none".to_owned() } else { built.join(", ") };
    format!("{} (features: {features})", env!("CARGO_PKG_VERSION"))
});
