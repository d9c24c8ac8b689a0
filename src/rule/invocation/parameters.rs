//! The rule's parameters: their names, the values that they accept, and their defaults.
//!
//! [`PARAMETERS`] is the one table of them. A new parameter is one entry there and one field of [`RuleParameters`].
//! The templates and the reference page are tested against the table (`examples/parameters.rs` prints it).

use std::fmt;

use serde_json::{Map, Value};

use crate::access::{AllowedAccess, Criteria, NotAccepted};
use crate::policy::tag::Tag;
use crate::rule::invocation::fields::{is_empty, scalar_text, type_name};
use crate::rule::invocation::name_patterns;
use crate::rule::invocation::name_patterns::{ClusterPatterns, RolePatterns};

/// The path of service-linked roles, which only an AWS service can assume
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html>).
pub(in crate::rule) const SERVICE_LINKED: &str = "aws-service-role/";

/// One parameter of the rule.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// The name, as AWS Config passes it. It is case-sensitive.
    pub name: &'static str,
    /// The default, written as a value of the parameter. Empty where no value means the same.
    pub default: &'static str,
    /// The rules that use it.
    pub used_in: UsedIn,
    /// What it does, in one line.
    pub help: &'static str,
    kind: Kind,
}

/// The rules that use a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsedIn {
    /// The rules of every account.
    EveryAccount,
    /// Only rules in other accounts than the function's.
    OtherAccounts,
}

/// The kind of value that a parameter accepts, with the function that stores a value of this kind.
#[derive(Debug, Clone, Copy)]
enum Kind {
    AllowedAccess(fn(&mut RuleParameters, AllowedAccess)),
    Actions(fn(&mut RuleParameters, Vec<String>)),
    Clusters(fn(&mut RuleParameters, ClusterPatterns)),
    DeniedRegions(fn(&mut RuleParameters, DeniedRegions)),
    Flag(fn(&mut RuleParameters, bool)),
    Region(fn(&mut RuleParameters, String)),
    Regions(fn(&mut RuleParameters, Vec<String>)),
    RolePath(fn(&mut RuleParameters, String)),
    Roles(fn(&mut RuleParameters, RolePatterns)),
    Tag(fn(&mut RuleParameters, Tag)),
    TagKey(fn(&mut RuleParameters, String)),
}

/// All parameters of the rule.
pub const PARAMETERS: [Parameter; 15] = [
    Parameter {
        name: "AllowedAccess",
        default: "read-only",
        used_in: UsedIn::EveryAccount,
        help: "The set of Amazon ECR actions that a node role may have",
        kind: Kind::AllowedAccess(|rule, access| rule.criteria.allowed_access = access),
    },
    Parameter {
        name: "AdditionalAllowedActions",
        default: "",
        used_in: UsedIn::EveryAccount,
        help: "Actions that are allowed in addition to that set",
        kind: Kind::Actions(|rule, actions| rule.criteria.additional_allowed_actions = actions),
    },
    Parameter {
        name: "RequirePullAccess",
        default: "false",
        used_in: UsedIn::EveryAccount,
        help: "A node role that cannot pull images is NON_COMPLIANT too",
        kind: Kind::Flag(|rule, flag| rule.criteria.require_pull_access = flag),
    },
    Parameter {
        name: "NodeRoles",
        default: "",
        used_in: UsedIn::EveryAccount,
        help: "Roles that are always evaluated as node roles",
        kind: Kind::Roles(|rule, roles| rule.node_roles = roles),
    },
    Parameter {
        name: "ExemptRoles",
        default: "",
        used_in: UsedIn::EveryAccount,
        help: "Roles that are never evaluated",
        kind: Kind::Roles(|rule, roles| rule.exempt_roles = roles),
    },
    Parameter {
        name: "ExemptTag",
        default: "",
        used_in: UsedIn::EveryAccount,
        help: "Roles with this tag are never evaluated",
        kind: Kind::Tag(|rule, tag| rule.exempt_tag = Some(tag)),
    },
    Parameter {
        name: "ExemptUntilTag",
        default: "",
        used_in: UsedIn::EveryAccount,
        help: "The key of a tag whose value is the last day, such as 2026-12-31, on which a role is not evaluated",
        kind: Kind::TagKey(|rule, key| rule.exempt_until_tag = Some(key)),
    },
    Parameter {
        name: "ClusterRegions",
        default: "",
        used_in: UsedIn::EveryAccount,
        help: "The regions to search for clusters; empty: every region that is enabled in the account",
        kind: Kind::Regions(|rule, regions| rule.scope.regions = Some(regions)),
    },
    Parameter {
        name: "DeniedRegions",
        default: "skip",
        used_in: UsedIn::EveryAccount,
        help: "What a region means where a service control policy denies the list of clusters: skip or error",
        kind: Kind::DeniedRegions(|rule, denied| rule.scope.denied_regions = denied),
    },
    Parameter {
        name: "ClusterNames",
        default: "",
        used_in: UsedIn::EveryAccount,
        help: "The clusters whose roles are evaluated; empty: all clusters",
        kind: Kind::Clusters(|rule, names| rule.scope.names = names),
    },
    Parameter {
        name: "IncludeServiceAccountRoles",
        default: "false",
        used_in: UsedIn::EveryAccount,
        help: "The roles of pods are evaluated too",
        kind: Kind::Flag(|rule, flag| rule.scope.service_accounts = flag),
    },
    Parameter {
        name: "ExecutionRoleName",
        default: "",
        used_in: UsedIn::OtherAccounts,
        help: "The role that the function assumes in the rule's account",
        kind: Kind::RolePath(|rule, name| rule.execution_role.name = Some(name)),
    },
    Parameter {
        name: "ExecutionRoleRegion",
        default: "",
        used_in: UsedIn::OtherAccounts,
        help: "The region whose AWS STS issues the credentials of that role; empty: the function's region",
        kind: Kind::Region(|rule, region| rule.execution_role.region = Some(region)),
    },
    Parameter {
        name: "AssumeRoleMode",
        default: "false",
        used_in: UsedIn::OtherAccounts,
        help: "Without ExecutionRoleName, the function assumes the role that the event names",
        kind: Kind::Flag(|rule, flag| rule.execution_role.assume_the_events = flag),
    },
    Parameter {
        name: "SecurityHubFindings",
        default: "false",
        used_in: UsedIn::EveryAccount,
        help: "The function imports findings into AWS Security Hub of the rule's account",
        kind: Kind::Flag(|rule, flag| rule.security_hub_findings = flag),
    },
];

impl Parameter {
    /// The name of the kind of value that the parameter accepts.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            Kind::AllowedAccess(_) => "allowed access",
            Kind::Actions(_) => "list of actions",
            Kind::Clusters(_) => "list of cluster names",
            Kind::DeniedRegions(_) => "denied regions",
            Kind::Flag(_) => "flag",
            Kind::Region(_) => "region",
            Kind::Regions(_) => "list of regions",
            Kind::RolePath(_) => "role name",
            Kind::Roles(_) => "list of roles",
            Kind::Tag(_) => "tag",
            Kind::TagKey(_) => "tag key",
        }
    }

    /// Stores a value that is not blank.
    fn set(&self, rule: &mut RuleParameters, text: &str) -> Result<(), NotAccepted> {
        match self.kind {
            Kind::AllowedAccess(store) => store(rule, text.parse()?),
            Kind::Actions(store) => store(rule, Criteria::parse_actions(text)?),
            Kind::Clusters(store) => store(rule, ClusterPatterns::parse(text).map_err(not_clusters)?),
            Kind::DeniedRegions(store) => store(rule, denied_regions(text)?),
            Kind::Flag(store) => store(rule, flag(text)?),
            Kind::Region(store) => store(rule, region(text)?),
            Kind::Regions(store) => {
                // `,` alone names no region. It means the same as an empty value.
                let regions = regions(text)?;
                if !regions.is_empty() {
                    store(rule, regions);
                }
            }
            Kind::RolePath(store) => store(rule, role_path(text)?),
            Kind::Roles(store) => store(rule, RolePatterns::parse(text).map_err(not_roles)?),
            Kind::Tag(store) => store(rule, tag(text)?),
            Kind::TagKey(store) => store(rule, tag_key(text)?),
        }
        Ok(())
    }
}

/// The rule's settings.
#[derive(Debug, Clone, Default)]
pub struct RuleParameters {
    /// What a node role may do.
    pub criteria: Criteria,
    /// Roles that are node roles even if their trust policies and EKS do not show it.
    pub node_roles: RolePatterns,
    /// Roles that are never evaluated. They win over `node_roles`.
    pub exempt_roles: RolePatterns,
    /// A tag, as key and value. Roles with it are never evaluated.
    pub exempt_tag: Option<Tag>,
    /// The key of a tag. Its value is the last day on which the role is not evaluated.
    pub exempt_until_tag: Option<String>,
    /// The clusters whose roles are evaluated.
    pub scope: ClusterScope,
    /// The role that the function assumes in another account.
    pub execution_role: ExecutionRole,
    /// Whether the function imports findings into AWS Security Hub.
    pub security_hub_findings: bool,
}

/// The clusters whose roles are evaluated, and which of their roles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ClusterScope {
    /// The regions. `None` means every region that is enabled in the account.
    pub regions: Option<Vec<String>>,
    /// What a region means where a service control policy denies the list of clusters.
    pub denied_regions: DeniedRegions,
    /// The names of the clusters.
    pub names: ClusterPatterns,
    /// Whether the roles of pods are evaluated too: EKS Pod Identity, IAM roles for service accounts, add-ons.
    pub service_accounts: bool,
}

/// What a region means where a service control policy denies the list of clusters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum DeniedRegions {
    /// It is skipped if another region answers: the policy closes it, so it hardly has clusters.
    #[default]
    Skip,
    /// It is a failure, like every other refusal.
    Error,
}

impl ClusterScope {
    /// Whether the parameters include this cluster.
    pub fn includes(&self, region: &str, name: &str) -> bool {
        let names_region = |regions: &Vec<String>| regions.iter().any(|one| one == region);
        self.regions.as_ref().is_none_or(names_region) && self.names.matches(name)
    }
}

/// The role that the function assumes to read an account other than its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionRole {
    /// The role's name in the event's account, with its path if it has one.
    pub name: Option<String>,
    /// The region whose AWS STS is called. `None` means the function's region.
    pub region: Option<String>,
    /// Whether to assume the event's `executionRoleArn` if `name` is `None`.
    pub assume_the_events: bool,
}

/// All errors in the rule's parameters, at least one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ParametersError {
    errors: Vec<ParameterError>,
}

impl ParametersError {
    /// The errors, in the order of the parameters' names.
    pub fn errors(&self) -> &[ParameterError] {
        &self.errors
    }
}

impl fmt::Display for ParametersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

/// An error in one parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The parameters are not a JSON object.
    #[error("`ruleParameters` is {problem}, expected a JSON object of parameter names and values")]
    NotAnObject {
        /// What they are instead.
        problem: String,
    },
    /// The rule has no parameter of this name.
    #[error("`{name}` is not a parameter of this rule: {}", advice(name))]
    Unknown {
        /// The name.
        name: String,
    },
    /// The parameter does not accept the value.
    #[error("`{name}` is `{value}`, expected {expected}")]
    Value {
        /// The parameter's name.
        name: String,
        /// The value, or the wrong part of it.
        value: String,
        /// What the parameter accepts.
        expected: &'static str,
    },
}

fn advice(name: &str) -> String {
    match PARAMETERS.iter().find(|known| known.name.eq_ignore_ascii_case(name)) {
        Some(known) => format!("names are case-sensitive, write `{}`", known.name),
        None => format!("its parameters are `{}`", PARAMETERS.map(|known| known.name).join("`, `")),
    }
}

impl RuleParameters {
    /// Reads `ruleParameters`, a JSON object in a string. `None`, a blank text and `{}` mean the defaults. A blank value
    /// means the default of its parameter.
    ///
    /// # Errors
    /// Every unknown parameter and every value that is not accepted.
    pub fn parse(text: Option<&str>) -> Result<Self, ParametersError> {
        let mut parameters = Self::default();
        let mut errors = Vec::new();
        match text.filter(|text| !text.trim().is_empty()).map(object) {
            None => {}
            Some(Ok(values)) => {
                errors.extend(values.iter().filter_map(|(name, value)| parameters.set(name, value).err()));
            }
            Some(Err(error)) => errors.push(error),
        }
        if errors.is_empty() { Ok(parameters) } else { Err(ParametersError { errors }) }
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), ParameterError> {
        // An unknown parameter is an error even if its value is empty.
        let Some(parameter) = PARAMETERS.iter().find(|known| known.name == name) else {
            return Err(ParameterError::Unknown { name: name.to_owned() });
        };
        if is_empty(value) {
            return Ok(());
        }
        let stored = match scalar_text(value) {
            Some(text) => parameter.set(self, &text),
            None => refuse(type_name(value), "a string"),
        };
        stored.map_err(|NotAccepted { value, accepted }| ParameterError::Value {
            name: name.to_owned(),
            value,
            expected: accepted,
        })
    }
}

fn refuse<T>(value: &str, accepted: &'static str) -> Result<T, NotAccepted> {
    Err(NotAccepted { value: value.to_owned(), accepted })
}

fn not_roles(refused: Vec<String>) -> NotAccepted {
    NotAccepted {
        value: refused.join("`, `"),
        accepted: "role names without a path, or role ARNs, separated by commas, with `*` for any text",
    }
}

fn not_clusters(refused: Vec<String>) -> NotAccepted {
    NotAccepted { value: refused.join("`, `"), accepted: "cluster names, separated by commas, with `*` for any text" }
}

fn denied_regions(text: &str) -> Result<DeniedRegions, NotAccepted> {
    match text {
        "skip" => Ok(DeniedRegions::Skip),
        "error" => Ok(DeniedRegions::Error),
        _ => refuse(text, "`skip` or `error`"),
    }
}

fn flag(text: &str) -> Result<bool, NotAccepted> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => refuse(text, "`true` or `false`"),
    }
}

fn tag(text: &str) -> Result<Tag, NotAccepted> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok(Tag::new(key, value)),
        _ => refuse(text, "a tag as `Key=Value`"),
    }
}

/// The most characters of a tag key (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_Tag.html>).
const TAG_KEY_CHARACTERS: usize = 128;

/// IAM allows `=` in keys. It is refused, because it is nearly always the start of a value. IAM does not allow the other
/// refused characters.
fn tag_key(text: &str) -> Result<String, NotAccepted> {
    let is_refused = |c: char| c.is_control() || "=\"\\".contains(c);
    if text.chars().any(is_refused) || text.chars().count() > TAG_KEY_CHARACTERS {
        return refuse(text, "the key of a tag, without `=` and a value, 128 characters at most");
    }
    Ok(text.to_owned())
}

fn region(text: &str) -> Result<String, NotAccepted> {
    if is_region(text) { Ok(text.to_owned()) } else { refuse(text, "a region such as `eu-west-1`") }
}

/// The regions, sorted, each once.
fn regions(text: &str) -> Result<Vec<String>, NotAccepted> {
    let read = name_patterns::parse_list(text, |part| is_region(part).then(|| part.to_owned()));
    let mut regions = read.map_err(|refused| NotAccepted {
        value: refused.join("`, `"),
        accepted: "regions such as `eu-west-1`, separated by commas",
    })?;
    regions.sort();
    regions.dedup();
    Ok(regions)
}

/// `eu-west-1`, `us-gov-east-1`, `us-isob-east-1`. The text becomes part of a host name, so nothing else is accepted.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    words.len() >= 2
        && words.iter().all(is_word)
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// `name` or `path/name` (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>).
fn role_path(text: &str) -> Result<String, NotAccepted> {
    let accepted = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if text.starts_with(SERVICE_LINKED) {
        refuse(text, "a role that the function can assume; only AWS services can assume service-linked roles")
    } else if text.split('/').all(|part| !part.is_empty() && part.chars().all(accepted)) {
        Ok(text.to_owned())
    } else {
        refuse(text, "the name of a role, with its path if it has one")
    }
}

fn object(text: &str) -> Result<Map<String, Value>, ParameterError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(values)) => Ok(values),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(other) => Err(ParameterError::NotAnObject { problem: type_name(&other).to_owned() }),
        Err(cause) => Err(ParameterError::NotAnObject { problem: format!("not JSON ({cause})") }),
    }
}
