use std::collections::BTreeSet;

/// One thing that a scope allows, as `resource:action`, e.g. `device_dispense:stop`.
pub type Allowance = &'static str;

/// What a token or an api key allows: a set of allowances, written apart by white space (conventions, "Who calls").
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope(BTreeSet<String>);

impl Scope {
    /// Reads a scope. Any white space separates, order and repetition do not matter, nothing is an error: what is not an
    /// allowance allows nothing.
    pub fn parse(text: &str) -> Self {
        Self(text.split_whitespace().map(str::to_owned).collect())
    }

    /// Whether it contains the allowance, whole.
    pub fn allows(&self, allowance: Allowance) -> bool {
        self.0.contains(allowance)
    }
}

impl std::fmt::Display for Scope {
    /// The allowances in alphabetical order, one space between.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, allowance) in self.0.iter().enumerate() {
            write!(formatter, "{}{allowance}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_with_any_spacing() {
        let scope = Scope::parse("  a:read\tdevice_dispense:stop \n b:write ");
        assert!(scope.allows("device_dispense:stop"));
        assert_eq!(scope.to_string(), "a:read b:write device_dispense:stop");
    }

    #[test]
    fn only_the_whole_allowance_counts() {
        for text in
            ["", "device_dispense:read", "device_dispense:stopper", "device_dispense", "device_dispense:STOP"]
        {
            assert!(!Scope::parse(text).allows("device_dispense:stop"), "{text}");
        }
    }
}
