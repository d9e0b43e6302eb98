use std::collections::BTreeSet;

/// One thing that a scope allows, as `resource:action`, e.g. `device_dispense:stop`.
pub type Allowance = &'static str;

/// The allowances of a token or an api key. In text a space, U+0020, separates them (conventions, "Who calls"; RFC 6749, section 3.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope(BTreeSet<String>);

impl Scope {
    /// Parses a scope. Order and repetition do not matter. Never fails: a word that is no allowance grants nothing, and so do two
    /// allowances with anything but a space between them.
    pub fn parse(text: &str) -> Self {
        Self(text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect())
    }

    /// Whether the text has only characters that RFC 6749, section 3.3, allows in a scope. Other text can be parsed, but an issuer
    /// of credentials should refuse it, since part of it would grant nothing.
    pub fn is_well_formed(text: &str) -> bool {
        text.bytes().all(|byte| byte == b' ' || (byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')))
    }

    /// Returns its allowances, in alphabetical order.
    pub fn allowances(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether it contains exactly that allowance.
    pub fn allows(&self, allowance: Allowance) -> bool {
        self.0.contains(allowance)
    }
}

impl std::fmt::Display for Scope {
    /// Renders the allowances in alphabetical order, separated by a space.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.allowances().collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_spaces_separates() {
        let scope = Scope::parse("  a:read device_dispense:stop   b:write a:read ");
        assert!(scope.allows("device_dispense:stop"));
        assert_eq!(scope.to_string(), "a:read b:write device_dispense:stop");
    }

    #[test]
    fn no_other_white_space_separates() {
        for space in
            (0..=0x10_ffff).filter_map(char::from_u32).filter(|char| char.is_whitespace() && *char != ' ')
        {
            let text = format!("a:read{space}device_dispense:stop{space}b:write");
            let scope = Scope::parse(&text);
            let holds =
                ["a:read", "device_dispense:stop", "b:write"].map(|allowance| scope.allows(allowance));
            assert_eq!(holds, [false; 3], "{space:?}");
            assert!(!Scope::is_well_formed(&text), "{space:?}");
            let scope = Scope::parse(&format!("{space}device_dispense:stop"));
            assert!(!scope.allows("device_dispense:stop"), "{space:?}");
        }
    }

    #[test]
    fn a_well_formed_scope_has_the_characters_of_the_rfc() {
        for text in ["", "a:read  b:write", "!#[]~"] {
            assert!(Scope::is_well_formed(text), "{text}");
        }
        for text in ["a\"b", "a\\b", "a\u{7f}", "ж:read", "a\u{0}"] {
            assert!(!Scope::is_well_formed(text), "{text}");
        }
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
