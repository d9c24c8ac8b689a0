//! The patterns of the rule's parameters that name roles and clusters: names, ARNs, and `*` for any text.

use crate::policy::glob::Glob;

/// Patterns for roles: ARNs, or names without a path, with `*` for any text, as IAM spells them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RolePatterns(Vec<RolePattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct RolePattern {
    text: String,
    glob: Glob,
    is_arn: bool,
}

impl RolePatterns {
    /// Reads patterns separated by commas. Blanks around them and empty patterns are ignored.
    ///
    /// # Errors
    /// All patterns that are neither names nor ARNs of roles.
    pub(in crate::rule) fn parse(text: &str) -> Result<Self, Vec<String>> {
        parse_list(text, |text| {
            let is_arn = text.starts_with("arn:");
            let path = if is_arn { text.splitn(6, ':').nth(5)?.strip_prefix("role/")? } else { text };
            let accepted = |c: char| c.is_ascii_alphanumeric() || "_+=.@-*".contains(c) || (is_arn && c == '/');
            // The other parts of an ARN may have wildcards too (`arn:*:iam::*:role/nodes-*`).
            let valid = !path.is_empty()
                && path.chars().all(accepted)
                && !text.contains(|c: char| c.is_whitespace() || c == '?');
            valid.then(|| RolePattern { glob: Glob::new(text), text: text.to_owned(), is_arn })
        })
        .map(Self)
    }

    /// Whether a pattern matches the role. If the ARN is not known, patterns for ARNs do not match.
    pub fn matches(&self, name: &str, arn: Option<&str>) -> bool {
        self.0.iter().any(|pattern| {
            let text = if pattern.is_arn { arn } else { Some(name) };
            text.is_some_and(|text| pattern.glob.matches(text))
        })
    }

    /// Whether a pattern is for ARNs, so that a name alone does not decide.
    pub fn needs_arn(&self) -> bool {
        self.0.iter().any(|pattern| pattern.is_arn)
    }

    /// The names of roles in the patterns without wildcards.
    pub fn literal_names(&self) -> impl Iterator<Item = &str> {
        let literal = self.0.iter().filter(|pattern| !pattern.text.contains('*'));
        literal.filter_map(|pattern| pattern.text.rsplit('/').next())
    }

    /// Whether a pattern has a wildcard, so that only a list of all roles shows which roles match.
    pub fn has_wildcards(&self) -> bool {
        self.0.iter().any(|pattern| pattern.text.contains('*'))
    }
}

/// Patterns for names of clusters, case-sensitive. Without a pattern every name matches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ClusterPatterns(Vec<Glob>);

impl ClusterPatterns {
    /// Reads patterns separated by commas.
    ///
    /// # Errors
    /// All patterns that cannot match the name of a cluster
    /// (<https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html>).
    pub(in crate::rule) fn parse(text: &str) -> Result<Self, Vec<String>> {
        let accepted = |c: char| c.is_ascii_alphanumeric() || "_-*".contains(c);
        parse_list(text, |text| text.chars().all(accepted).then(|| Glob::new(text))).map(Self)
    }

    /// Whether a pattern matches the name, or there is no pattern.
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|glob| glob.matches(name))
    }
}

/// The parsed parts of a list separated by commas. `Err` has the parts that are not accepted.
pub(in crate::rule) fn parse_list<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Vec<String>> {
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match parse(part) {
            Some(value) => accepted.push(value),
            None => refused.push(part.to_owned()),
        }
    }
    if refused.is_empty() { Ok(accepted) } else { Err(refused) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_patterns_match_names_and_arns() {
        let arn = "arn:aws:iam::111122223333:role/team/web-node";
        for (patterns, expected) in [
            ("web-node", true),
            ("web-*", true),
            ("Web-*", false),
            ("*", true),
            ("team/web-node", false),
            ("node", false),
            ("arn:aws:iam::111122223333:role/team/web-node", true),
            ("arn:*:iam::*:role/team/*", true),
            ("arn:aws:iam::111122223333:role/web-node", false),
            (" other , web-node ", true),
            ("", false),
        ] {
            let read = RolePatterns::parse(patterns);
            let actual = read.as_ref().map(|read| read.matches("web-node", Some(arn)));
            assert_eq!(actual.unwrap_or(false), expected, "{patterns}: {read:?}");
        }
        let arns = RolePatterns::parse("arn:aws:iam::111122223333:role/team/*").unwrap();
        assert!(!arns.matches("web-node", None) && arns.needs_arn() && arns.has_wildcards());
        let literal = RolePatterns::parse("a,arn:aws:iam::111122223333:role/p/b,c*").unwrap();
        assert_eq!(literal.literal_names().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn role_patterns_refuse_all_other_texts_together() {
        let refused = RolePatterns::parse("a b,ok,arn:aws:iam::1:user/x,arn:aws:s3:::b,n?de").unwrap_err();
        assert_eq!(refused, ["a b", "arn:aws:iam::1:user/x", "arn:aws:s3:::b", "n?de"]);
    }

    #[test]
    fn cluster_patterns_are_case_sensitive_and_none_is_all() {
        let patterns = ClusterPatterns::parse("prod-*, Shop").unwrap();
        for (name, expected) in [("prod-eu", true), ("Shop", true), ("shop", false), ("xprod-eu", false)] {
            assert_eq!(patterns.matches(name), expected, "{name}");
        }
        assert!(ClusterPatterns::default().matches("any"));
        assert_eq!(ClusterPatterns::parse("a/b,c").unwrap_err(), ["a/b"]);
    }
}
