//! Why a resource pattern matches no resource that a request for an ECR action can have.
//!
//! The caller has proved that the pattern matches none. This module only names the reason: the first of
//! [`RemarkKind`]'s reasons that applies. A reason that is found is enough without any other one.

use super::remark::RemarkKind;
use crate::access::catalogue::{ResourceType, Service};
use crate::access::solver::universe::Universe;
use crate::policy::budget::Budget;
use crate::policy::comparison::Texts;
use crate::policy::glob::{Glob, LetterCase};
use crate::policy::language;
use crate::policy::pattern::ResourcePattern;
use crate::policy::reading::Reading;
use crate::policy::variable::{Meaning, resolve};

/// The resource types of the actions of a statement, each with its service.
pub(super) type Targets = [(Service, ResourceType)];

/// Prefixes in variables of the Serverless Framework. IAM has no key with these prefixes.
const TEMPLATE_PREFIXES: [&str; 9] = ["self", "opt", "env", "sls", "param", "custom", "cf", "file", "git"];

/// Not keys of IAM, but variables of the Serverless Framework.
const TEMPLATE_KEYS: [&str; 2] = ["aws:region", "aws:accountid"];

/// Marks of templates that no ARN of ECR contains, each with its end.
const TEMPLATE_MARKS: [(&str, &str); 9] = [
    ("{{", "}}"),
    ("#{", "}"),
    ("%{", "}"),
    ("$(", ")"),
    ("$[", "]"),
    ("<%", "%>"),
    ("{", "}"),
    ("AWS::", ""),
    ("!Sub", ""),
];

/// Words in upper case that stand for a value in examples.
const PLACEHOLDER_WORDS: [&str; 9] =
    ["ACCOUNT", "ACCOUNTID", "REGION", "REPO", "REPOSITORY", "NAME", "YOUR", "PLACEHOLDER", "CHANGEME"];

/// The partitions, to find out which one a region is of.
const PARTITIONS: [&str; 8] =
    ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"];

/// The reason, and the text that explains it and names the pattern. `partition` is that of the role.
pub(super) fn resource_fault(
    pattern: &ResourcePattern,
    targets: &Targets,
    partition: &str,
    budget: &Budget,
) -> (RemarkKind, String) {
    let (kind, reason) = Fault { pattern, targets, partition, budget }.find();
    (kind, format!("`{pattern}` {reason}"))
}

/// The part of a text that is a variable of a template, such as `${AWS::Region}`. A policy variable has a service prefix
/// and a name: `${aws:PrincipalTag/team}`.
pub(super) fn template_variable(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("${") {
        let (inside, after) = after.split_once('}').unwrap_or((after, ""));
        if !is_policy_variable(inside) {
            // `${{ … }}`
            let end = if inside.starts_with('{') { "}}" } else { "}" };
            let inside = inside.rsplit("${").next().unwrap_or(inside);
            return Some(format!("${{{inside}{end}"));
        }
        rest = after;
    }
    // Only other marks are left to find.
    let text = text.replace("${", "");
    for (start, end) in TEMPLATE_MARKS {
        if let Some((_, after)) = text.split_once(start) {
            let inside = if end.is_empty() { "" } else { after.split(end).next().unwrap_or(after) };
            return Some(format!("{start}{inside}{end}"));
        }
    }
    // `$account`.
    let in_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    let names = text.split('$').skip(1).map(|after| after.chars().take_while(in_name).collect::<String>());
    names.into_iter().find(|name| !name.is_empty()).map(|name| format!("${name}"))
}

fn is_policy_variable(inside: &str) -> bool {
    if inside.contains("${") {
        return false;
    }
    let key = inside.split(',').next().unwrap_or_default().trim();
    if matches!(key, "*" | "?" | "$") {
        return true;
    }
    let Some((prefix, name)) = key.split_once(':') else { return false };
    let lower = prefix.to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
    !prefix.is_empty()
        && prefix.chars().all(plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !TEMPLATE_PREFIXES.contains(&lower.as_str())
        && !TEMPLATE_KEYS.contains(&key.to_ascii_lowercase().as_str())
}

/// Whether a text looks like the name of a value and not like the value: `<account>`, `ACCOUNT_ID`, `XXXX`.
pub(super) fn is_placeholder(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    text.contains(['<', '>', '[', ']', '(', ')'])
        || words.any(|word| PLACEHOLDER_WORDS.contains(&word) || word.len() > 2 && word.bytes().all(|c| c == b'X'))
}

struct Fault<'f> {
    pattern: &'f ResourcePattern,
    targets: &'f Targets,
    partition: &'f str,
    budget: &'f Budget,
}

impl Fault<'_> {
    fn find(&self) -> (RemarkKind, String) {
        let text = self.pattern.as_str();
        if let Some(variable) = template_variable(text) {
            return (
                RemarkKind::TemplateVariable,
                format!("contains the template variable `{variable}`, which was not replaced"),
            );
        }
        if text.contains("${") && !self.pattern.has_variables() {
            let reason = "contains a policy variable, which is text before policy version 2012-10-17";
            return (RemarkKind::Other, reason.to_owned());
        }
        let fields = self.pattern.fields();
        if let Some(found) = self.form(&fields) {
            return found;
        }
        let [_, partition, service, region, account, resource] = *fields else { return self.no_reason() };
        if self.pattern.has_variables() && [partition, service, region].iter().any(|field| field.contains("${")) {
            let reason = "contains a policy variable outside its last part, where IAM does not replace it";
            return (RemarkKind::Other, reason.to_owned());
        }
        let mut faults = Vec::new();
        faults.extend(self.partition(partition));
        faults.extend(self.region(service, region));
        faults.extend(self.account(account));
        faults.extend(self.name(service, resource));
        faults.into_iter().min_by_key(|(kind, _)| *kind).unwrap_or_else(|| self.no_reason())
    }

    fn no_reason(&self) -> (RemarkKind, String) {
        match self.pattern.variables().next() {
            Some(variable) => {
                let key = variable.key.as_written();
                (
                    RemarkKind::Other,
                    format!("contains `${{{key}}}`, for which no request of the role has a fitting value"),
                )
            }
            None => (RemarkKind::Other, "is the resource of no request for these actions".to_owned()),
        }
    }

    /// A fault of the form, not of single fields.
    fn form(&self, fields: &[&str]) -> Option<(RemarkKind, String)> {
        let text = self.pattern.as_str();
        if let [_, _, _, _, _, resource, _, ..] = fields
            && text.starts_with("arn:")
            && resource.starts_with("repository/")
        {
            let reason = "ends with a tag or digest of an image; IAM checks the repository without it";
            return Some((RemarkKind::TagInArn, reason.to_owned()));
        }
        let reason = self.not_an_arn(fields)?;
        Some((RemarkKind::NotARepositoryArn, reason))
    }

    fn not_an_arn(&self, fields: &[&str]) -> Option<String> {
        let text = self.pattern.as_str();
        if [".dkr.ecr", ".dkr-ecr", "public.ecr.aws"].iter().any(|mark| text.contains(mark)) {
            return Some("is the address of an image or a registry, not an ARN".to_owned());
        }
        if !fields.first().is_some_and(|first| Glob::new(first).matches("arn")) {
            return Some("is not an ARN".to_owned());
        }
        let [_, _, service, region, account, resource] = *fields else {
            let forms = "`arn:aws:ecr:REGION:ACCOUNT:repository/NAME`";
            return Some(format!("has {} parts between colons; a repository's ARN has 6: {forms}", fields.len()));
        };
        let services: Vec<Service> = self.services(service).collect();
        if services.is_empty() {
            let own = [Service::Ecr, Service::EcrPublic].into_iter().filter(|service| self.has_actions_of(*service));
            let own: Vec<String> = own.map(|service| format!("`{}`", service.prefix())).collect();
            return Some(format!("is an ARN of `{service}`; the actions are of {}", own.join(" and ")));
        }
        if services == [Service::EcrPublic] && !Glob::new(region).matches("") {
            return Some("has a region; ARNs of `ecr-public` have none".to_owned());
        }
        if services == [Service::Ecr] && region.is_empty() {
            return Some("has no region".to_owned());
        }
        if account.is_empty() {
            return Some("has no account id".to_owned());
        }
        // The text before the first wildcard or variable.
        let start = resource.split(['*', '?', '$']).next().unwrap_or_default();
        let whole = start.len() == resource.len();
        let may_start = |prefix: &str| start.starts_with(prefix) || (!whole && prefix.starts_with(start));
        let repository = self.targets.iter().any(|(_, kind)| *kind == ResourceType::Repository);
        if repository && !self.prefixes().any(may_start) {
            return Some("lacks `repository/` before the repository name".to_owned());
        }
        if resource == "repository/" {
            return Some("has no repository name".to_owned());
        }
        None
    }

    /// The services of the actions that the field matches.
    fn services(&self, field: &str) -> impl Iterator<Item = Service> {
        let field = Glob::new(field);
        let matches = move |service: &Service| field.matches(service.prefix());
        [Service::Ecr, Service::EcrPublic].into_iter().filter(matches).filter(|service| self.has_actions_of(*service))
    }

    fn has_actions_of(&self, service: Service) -> bool {
        self.targets.iter().any(|(own, _)| *own == service)
    }

    /// How the last field of an ARN starts, by the resource types of the actions.
    fn prefixes(&self) -> impl Iterator<Item = &'static str> {
        self.targets.iter().filter_map(|(_, kind)| match kind {
            ResourceType::Repository => Some("repository/"),
            ResourceType::Registry => Some("registry/"),
            ResourceType::None | ResourceType::Other => None,
        })
    }

    fn partition(&self, partition: &str) -> Option<(RemarkKind, String)> {
        let reason = || format!("is an ARN of partition `{partition}`; the role is in `{}`", self.partition);
        (!Glob::new(partition).matches(self.partition)).then(|| (RemarkKind::OtherPartition, reason()))
    }

    fn region(&self, service: &str, region: &str) -> Option<(RemarkKind, String)> {
        if self.services(service).any(|service| service == Service::EcrPublic) && Glob::new(region).matches("") {
            return None;
        }
        if self.fits(&Universe::region(self.partition), region) {
            return None;
        }
        let of = |partition: &&&str| self.fits(&Universe::region(partition), region);
        let kind = if PARTITIONS.iter().find(of).is_some() {
            return Some((
                RemarkKind::OtherPartition,
                format!("has a region that is not of partition `{}`", self.partition),
            ));
        } else if is_placeholder(&region.to_ascii_uppercase()) {
            RemarkKind::Placeholder
        } else {
            RemarkKind::Other
        };
        Some((kind, format!("has `{region}` where a region belongs")))
    }

    fn account(&self, account: &str) -> Option<(RemarkKind, String)> {
        let reason = || format!("has `{account}` where an account id of 12 digits belongs");
        let fits = self.fits(&Universe::Account, account);
        (!fits).then(|| (RemarkKind::Placeholder, reason()))
    }

    fn name(&self, service: &str, resource: &str) -> Option<(RemarkKind, String)> {
        let universes: Vec<Universe> = self
            .services(service)
            .map(|service| match service {
                Service::Ecr => Universe::Repository,
                Service::EcrPublic => Universe::PublicRepository,
            })
            .collect();
        let repository = self.targets.iter().any(|(_, kind)| *kind == ResourceType::Repository);
        if !repository || universes.iter().any(|universe| self.fits(universe, resource)) {
            return None;
        }
        let name = resource.strip_prefix("repository/").unwrap_or(resource);
        // Policy variables may have upper-case letters.
        let outside = name.split("${").map(|part| part.split_once('}').map_or(part, |(_, after)| after));
        Some(if is_placeholder(name) {
            (RemarkKind::Placeholder, format!("has the placeholder `{name}` where a repository name belongs"))
        } else if outside.into_iter().any(|part| part.bytes().any(|c| c.is_ascii_uppercase())) {
            (
                RemarkKind::UpperCase,
                "has upper-case letters in the repository name; repository names are in lower case".to_owned(),
            )
        } else {
            (RemarkKind::Other, format!("has the repository name `{name}`, which no repository can have"))
        })
    }

    /// Whether the field matches a text of the universe if each variable has any value. True if the budget is spent.
    fn fits(&self, universe: &Universe, field: &str) -> bool {
        let glob = if self.pattern.has_variables() {
            resolve(&self.pattern.tokens_of(field), Reading::Wide, &|_| Meaning::Anything)
        } else {
            Some(Glob::new(field))
        };
        let Some(glob) = glob else { return false };
        let texts = Texts::new(vec![glob], LetterCase::Exact);
        language::shortest(universe, &[&texts], &[], self.budget).map_or(true, |text| text.is_some())
    }
}
