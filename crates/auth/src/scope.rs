use std::collections::BTreeSet;

use esoz_kernel::{ErrorKind, Failure};

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

    /// Whether it holds the allowance, whole.
    pub fn holds(&self, allowance: Allowance) -> bool {
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

/// The scope lacks what the method needs: 403.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Your scope does not allow to access this resource. Missing allowances: {}", .0.join(", "))]
pub struct MissingAllowances(Vec<Allowance>);

impl Failure for MissingAllowances {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Forbidden
    }

    fn code(&self) -> &'static str {
        "missing_allowances"
    }

    fn codes() -> Vec<&'static str> {
        vec!["missing_allowances"]
    }

    fn missing_allowances(&self) -> &[Allowance] {
        &self.0
    }
}

/// Every scope must hold every allowance; those that some scope lacks are named in the order required (stop rule 3,
/// update rule 3; conventions, "Who calls").
pub fn require(scopes: &[&Scope], allowances: &[Allowance]) -> Result<(), MissingAllowances> {
    let lacking = |allowance: &&Allowance| !scopes.iter().all(|scope| scope.holds(allowance));
    let missing: Vec<Allowance> = allowances.iter().filter(lacking).copied().collect();
    if missing.is_empty() { Ok(()) } else { Err(MissingAllowances(missing)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_with_any_spacing() {
        let scope = Scope::parse("  a:read\tdevice_dispense:stop \n b:write ");
        assert!(scope.holds("device_dispense:stop"));
        assert_eq!(scope.to_string(), "a:read b:write device_dispense:stop");
    }

    #[test]
    fn only_the_whole_allowance_counts() {
        for text in
            ["", "device_dispense:read", "device_dispense:stopper", "device_dispense", "device_dispense:STOP"]
        {
            assert!(!Scope::parse(text).holds("device_dispense:stop"), "{text}");
        }
    }

    #[test]
    fn missing_allowances_are_listed_in_the_order_required() {
        let (token, key) = (Scope::parse("b:write"), Scope::parse("c:read b:write"));
        let refusal = require(&[&token, &key], &["c:read", "b:write", "a:read"]).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "Your scope does not allow to access this resource. Missing allowances: c:read, a:read"
        );
        assert_eq!(require(&[&token, &key], &["b:write"]), Ok(()));
    }
}
