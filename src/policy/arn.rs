//! Amazon Resource Names: `arn:partition:service:region:account:resource`.
//!
//! An [`Arn`] names one resource and is split once. Patterns with wildcards are not ARNs: see
//! [`ResourcePattern`](super::pattern::ResourcePattern).
//!
//! Source: IAM User Guide, "Identify AWS resources with Amazon Resource Names (ARNs)"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).

/// The parts of an ARN. Any part may be empty. Only `resource` may contain colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: &'a str,
    /// The service prefix, such as `iam`.
    pub service: &'a str,
    /// The region; empty for global services.
    pub region: &'a str,
    /// Twelve digits; `aws` for policies that AWS maintains; empty for resources without an account.
    pub account: &'a str,
    /// The rest, such as `role/path/name`.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits an ARN into its parts. `None` for text that does not start with `arn:` or has fewer than six parts. The
    /// parts themselves are not checked.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
        Some(Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        })
    }

    /// The last segment of the resource, `name` in `role/path/name`. `None` if there is no slash, or nothing after it.
    pub fn name(&self) -> Option<&'a str> {
        self.resource.rsplit_once('/').map(|(_, name)| name).filter(|name| !name.is_empty())
    }

    /// The role's name without its path. `None` if this is not an IAM role.
    pub fn role_name(&self) -> Option<&'a str> {
        if self.service == "iam" && self.resource.starts_with("role/") { self.name() } else { None }
    }

    /// The role's path with both slashes, `/` if the role has none. `None` if this is not an IAM role.
    pub fn role_path(&self) -> Option<&'a str> {
        self.resource.strip_prefix("role")?.strip_suffix(self.role_name()?)
    }

    /// The name of a managed policy that AWS maintains, with its path: `service-role/AmazonEC2RoleforSSM`. `None` for
    /// everything else, the account's own policies included.
    pub fn aws_managed_policy(&self) -> Option<&'a str> {
        let owner = (self.service, self.region, self.account);
        if owner == ("iam", "", "aws") { self.resource.strip_prefix("policy/") } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arn_with_six_parts_is_split() {
        let arn = Arn::parse("arn:aws-cn:lambda:cn-north-1:111122223333:function:name:alias").unwrap();
        let parts = [arn.partition, arn.service, arn.region, arn.account, arn.resource];
        assert_eq!(parts, ["aws-cn", "lambda", "cn-north-1", "111122223333", "function:name:alias"]);
    }

    #[test]
    fn text_other_than_an_arn_is_refused() {
        for text in ["", "*", "arn", "arn:", "name", "arn:aws:iam::111122223333", "ARN:aws:iam::aws:policy/p"] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn role_arn_gives_name_and_path() {
        for (resource, name, path) in [
            ("role/nodes", Some("nodes"), Some("/")),
            ("role/a/b/nodes", Some("nodes"), Some("/a/b/")),
            ("role/nodes/nodes", Some("nodes"), Some("/nodes/")),
            ("role/", None, None),
            ("role/a/", None, None),
            ("role", None, None),
            ("user/nodes", None, None),
        ] {
            let text = format!("arn:aws:iam::111122223333:{resource}");
            let arn = Arn::parse(&text).unwrap();
            assert_eq!((arn.role_name(), arn.role_path()), (name, path), "{resource}");
        }
        let session = Arn::parse("arn:aws:sts::111122223333:role/nodes").unwrap();
        assert_eq!((session.role_name(), session.role_path()), (None, None));
    }

    #[test]
    fn aws_managed_policy_differs_from_own_policy() {
        let name = |text| Arn::parse(text).and_then(|arn| arn.aws_managed_policy());
        assert_eq!(name("arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"), Some("AmazonEKSWorkerNodePolicy"));
        assert_eq!(name("arn:aws-us-gov:iam::aws:policy/service-role/X"), Some("service-role/X"));
        assert_eq!(name("arn:aws:iam::111122223333:policy/AmazonEKSWorkerNodePolicy"), None);
        assert_eq!(name("arn:aws:iam::aws:role/X"), None);
    }
}
