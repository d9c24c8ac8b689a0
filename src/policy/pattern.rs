//! The entries of `Action` and `Resource`, and of `NotAction` and `NotResource`.
//!
//! An action pattern is matched here. A resource pattern is only split into its fields: which resources exist is the
//! caller's knowledge. Matching an action takes time in proportion to the length of the entry times the length of the
//! action's name in the worst case.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements: Action"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html>) and "… Resource"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>).

use std::fmt;

use super::reading::Reading;
use super::variable::{Token, Variable, Variables, Wildcards, tokens, variable};

/// One entry of `Action` or `NotAction`.
///
/// The documented form is `service:name`, with wildcards in the name only, or `*`. For an entry with a wildcard in the
/// service prefix, a blank or a comma it is not documented whether IAM matches it. Such an entry matches in the wide
/// reading only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActionPattern {
    text: Box<str>,
    /// The offset of the first colon, in bytes.
    colon: Option<usize>,
    /// Whether the entry has the documented form.
    grammatical: bool,
}

impl ActionPattern {
    /// Reads an entry. Every text is accepted.
    pub fn new(text: &str) -> Self {
        let plain = |service: &str| service.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
        let parts = text.split_once(':');
        let separator = |c: char| c == ',' || c.is_whitespace();
        let grammatical = parts.is_some_and(|(service, name)| plain(service) && !name.contains(separator));
        Self {
            text: text.into(),
            colon: parts.map(|(service, _)| service.len()),
            grammatical: grammatical || text == "*",
        }
    }

    /// Whether the entry has the documented form. Then it means the same in both readings.
    pub fn is_grammatical(&self) -> bool {
        self.grammatical
    }

    /// The text before and after the first colon.
    fn parts(&self) -> Option<(&str, &str)> {
        let colon = self.colon?;
        Some((self.text.get(..colon)?, self.text.get(colon + 1..)?))
    }

    /// Whether the entry is `*`, which matches every action.
    pub fn is_everything(&self) -> bool {
        &*self.text == "*"
    }

    /// The action of an entry without wildcards: `service:name`, as written.
    pub fn as_literal(&self) -> Option<&str> {
        let (service, name) = self.parts()?;
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
        (plain(service) && plain(name)).then_some(&*self.text)
    }

    /// The service prefix as written; `None` for an entry without a colon, such as `*`.
    pub fn service(&self) -> Option<&str> {
        self.parts().map(|(service, _)| service)
    }

    /// Whether the entry matches no action of these services, in either reading.
    pub fn is_for_other_service(&self, services: &[&str]) -> bool {
        self.parts().is_some_and(|(service, name)| {
            (self.grammatical
                || (service.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-') && !name.contains(',')))
                && !services.iter().any(|one| one.eq_ignore_ascii_case(service))
        })
    }

    /// Whether the entry matches the action. Letter case does not matter.
    pub fn matches(&self, service: &str, name: &str, reading: Reading) -> bool {
        if self.is_everything() {
            return true;
        }
        if let Some((own_service, own_name)) = self.parts() {
            if self.grammatical {
                return own_service.eq_ignore_ascii_case(service) && ascii_glob(own_name.as_bytes(), name.as_bytes());
            }
            if self.is_for_other_service(&[service]) {
                return false;
            }
        }
        // The entry does not have the documented form. In the wide reading commas separate entries, blanks do not count,
        // and wildcards match in the service prefix too.
        reading == Reading::Wide
            && self.text.split(',').any(|entry| {
                let entry: String = entry.split_whitespace().collect();
                match entry.split_once(':') {
                    Some((own_service, own_name)) => {
                        ascii_glob(own_service.as_bytes(), service.as_bytes())
                            && ascii_glob(own_name.as_bytes(), name.as_bytes())
                    }
                    None => ascii_glob(entry.as_bytes(), format!("{service}:{name}").as_bytes()),
                }
            })
    }
}

impl fmt::Display for ActionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a glob matches an ASCII text, in any letter case. On a mismatch it goes back to the last `*` only.
fn ascii_glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&c) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') if pattern.len() == p + 1 => return true,
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(own) if *own == b'?' || own.eq_ignore_ascii_case(&c) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after_star, from)) = retry else { return false };
                retry = Some((after_star, from + 1));
                p = after_star;
                t = from + 1;
            }
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|c| *c == b'*'))
}

/// One entry of `Resource` or `NotResource`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourcePattern {
    text: Box<str>,
    variables: Variables,
}

impl ResourcePattern {
    pub(super) fn new(text: &str, variables: Variables) -> Self {
        Self { text: text.into(), variables }
    }

    /// Whether the entry is `*`, which matches every resource.
    pub fn is_everything(&self) -> bool {
        &*self.text == "*"
    }

    /// The entry as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the entry matches no resource of this service, in either reading.
    pub fn is_for_other_service(&self, service: &str) -> bool {
        let mut fields = self.text.split(':');
        let plain = |field: &&str| !field.contains(['*', '?', '$']);
        let mut next = || fields.next().filter(plain);
        let (Some(_), Some(_), Some(own)) = (next(), next(), next()) else { return false };
        own != service
    }

    /// The fields of the entry, split at the colons that are not inside a variable.
    pub fn fields(&self) -> Vec<&str> {
        if !self.has_variables() {
            return self.text.split(':').collect();
        }
        let (mut fields, mut field, mut rest) = (Vec::new(), &*self.text, &*self.text);
        while let Some(c) = rest.chars().next() {
            let after = rest.get(c.len_utf8()..).unwrap_or_default();
            if c == ':' {
                fields.push(field.get(..field.len() - rest.len()).unwrap_or_default());
                field = after;
            }
            rest = if c == '$' { variable(rest, Wildcards::Text).map_or(after, |(_, after)| after) } else { after };
        }
        fields.push(field);
        fields
    }

    /// The variables in the entry.
    pub fn variables(&self) -> impl Iterator<Item = Variable> {
        let tokens = if self.has_variables() { self.tokens_of(&self.text) } else { Vec::new() };
        tokens
            .into_iter()
            .filter_map(|token| if let Token::Variable(variable, _) = token { Some(*variable) } else { None })
    }

    /// Whether the entry contains `${`, and the document has policy variables.
    pub fn has_variables(&self) -> bool {
        self.variables == Variables::Replaced && self.text.contains("${")
    }

    /// The symbols and variables of a field.
    pub fn tokens_of(&self, field: &str) -> Vec<Token> {
        tokens(field, self.variables, Wildcards::Glob)
    }
}

impl fmt::Display for ResourcePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
