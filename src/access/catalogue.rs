//! The actions of Amazon ECR with their access levels, resource types and condition keys.
//!
//! Sources: AWS Service Authorization Reference, and the models of the AWS SDK. `make catalogue` writes the data to
//! `catalogue_data.rs`.

use serde::Serialize;

use super::catalogue_data::{ACTIONS, OPERATIONS};
pub use super::catalogue_data::{CATALOGUE_DATE, OPERATIONS_DATE, OPERATIONS_SOURCE};
use crate::policy::Scope;
use crate::policy::pattern::ActionPattern;
use crate::policy::reading::Reading;

/// One of the two services whose actions are decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Amazon ECR, private registries.
    Ecr,
    /// Amazon ECR Public. It exists only in partition `aws`.
    EcrPublic,
}

impl Service {
    /// The service prefix in IAM.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Ecr => "ecr",
            Self::EcrPublic => "ecr-public",
        }
    }
}

/// The type of the resource that a request for an action names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceType {
    /// No resource type: the resource of the request is the literal `*`.
    None,
    /// A repository.
    Repository,
    /// A public registry.
    Registry,
    /// A type that the catalogue does not know, for an action that it does not know.
    Other,
}

/// An access level of the Service Authorization Reference, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Level {
    /// Gives access to others or removes it.
    #[serde(rename = "Permissions management")]
    PermissionsManagement,
    /// Creates, changes or deletes.
    Write,
    /// An action that the catalogue does not know.
    Unknown,
    /// Changes tags only.
    Tagging,
    /// Reads contents.
    Read,
    /// Lists.
    List,
}

impl Level {
    /// The level as the Service Authorization Reference spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PermissionsManagement => "Permissions management",
            Self::Write => "Write",
            Self::Unknown => "Unknown",
            Self::Tagging => "Tagging",
            Self::Read => "Read",
            Self::List => "List",
        }
    }
}

/// One action of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    /// The service.
    pub service: Service,
    /// Prefix and name in the catalogue's spelling: `ecr:PutImage`.
    pub full_name: &'static str,
    /// The access level.
    pub level: Level,
    /// The resource type of its requests.
    pub resource: ResourceType,
    /// The condition keys that the reference lists for this action, in lower case. One that ends with `/` is the start of
    /// keys that name a tag.
    pub keys: &'static [&'static str],
}

impl Action {
    /// The name without the service prefix.
    pub fn name(&self) -> &'static str {
        self.full_name.get(self.service.prefix().len() + 1..).unwrap_or_default()
    }
}

pub(super) const fn action(
    service: Service,
    full_name: &'static str,
    level: Level,
    resource: ResourceType,
    keys: &'static [&'static str],
) -> Action {
    Action { service, full_name, level, resource, keys }
}

/// The actions of the catalogue, by service and name.
pub fn actions() -> &'static [Action] {
    &ACTIONS
}

/// The service of an action of ECR, by its prefix and without regard to letter case.
pub fn service_of(full_name: &str) -> Option<Service> {
    full_name.split_once(':').and_then(|(prefix, _)| service_of_prefix(prefix))
}

/// The service with this prefix, in any letter case.
pub fn service_of_prefix(prefix: &str) -> Option<Service> {
    [Service::Ecr, Service::EcrPublic].into_iter().find(|service| service.prefix().eq_ignore_ascii_case(prefix))
}

/// The place of the action with this full name, without regard to letter case.
pub fn find(full_name: &str) -> Option<usize> {
    ACTIONS.iter().position(|action| action.full_name.eq_ignore_ascii_case(full_name))
}

/// An API operation that has no action: IAM checks another action when it is called.
///
/// A policy that names the operation grants nothing, because no request is made for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Prefix and name: `ecr:ListImageReferrers`.
    pub full_name: &'static str,
    /// The action that IAM checks: `ecr:BatchGetImage`.
    pub checked_action: &'static str,
}

/// The operation without an action that has this full name, without regard to letter case.
pub fn find_operation(full_name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.full_name.eq_ignore_ascii_case(full_name))
}

/// A set of actions of the catalogue: one bit for each place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ActionSet(u128);

impl ActionSet {
    const ALL: Self = Self((1 << ACTIONS.len()) - 1);

    /// Whether the action is in the set.
    pub fn contains(self, index: usize) -> bool {
        self.0 >> index & 1 == 1
    }

    /// The actions of both sets.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The actions that satisfy the predicate.
    pub fn of(predicate: impl Fn(&Action) -> bool) -> Self {
        Self(ACTIONS.iter().enumerate().filter(|(_, action)| predicate(action)).fold(0, |set, (i, _)| set | 1 << i))
    }

    /// The actions that `Action` or `NotAction` matches.
    pub fn matching(scope: &Scope<ActionPattern>, reading: Reading) -> Self {
        let inner = if scope.negated { reading.other() } else { reading };
        // `NotAction: []` would match every action. AWS does not document it, so the narrow reading matches none.
        if scope.negated && scope.patterns.is_empty() && reading == Reading::Narrow {
            return Self::default();
        }
        let listed = scope.patterns.iter().fold(0, |set, pattern| set | Self::matching_one(pattern, inner).0);
        Self(if scope.negated { Self::ALL.0 & !listed } else { listed })
    }

    fn matching_one(pattern: &ActionPattern, reading: Reading) -> Self {
        if pattern.is_everything() {
            return Self::ALL;
        }
        if pattern.is_for_other_service(&[Service::Ecr.prefix(), Service::EcrPublic.prefix()]) {
            return Self::default();
        }
        match pattern.as_literal() {
            Some(name) => Self(find(name).map_or(0, |i| 1 << i)),
            None => [Service::Ecr, Service::EcrPublic]
                .into_iter()
                .filter(|service| !pattern.is_for_other_service(&[service.prefix()]))
                .fold(Self::default(), |all, service| {
                    let matches = |action: &Action| pattern.matches(service.prefix(), action.name(), reading);
                    all.union(Self::of(|action| action.service == service && matches(action)))
                }),
        }
    }

    /// The actions that one reading matches and the other does not.
    pub fn doubtful(scope: &Scope<ActionPattern>) -> Self {
        if scope.patterns.iter().all(ActionPattern::is_grammatical) && !scope.patterns.is_empty() {
            return Self::default();
        }
        Self(Self::matching(scope, Reading::Wide).0 ^ Self::matching(scope, Reading::Narrow).0)
    }
}

/// The literal actions with ECR's prefixes that the catalogue does not know. Operations without an action are not among
/// them.
pub fn unknown_literals(scope: &Scope<ActionPattern>) -> impl Iterator<Item = &str> {
    scope
        .patterns
        .iter()
        .filter_map(ActionPattern::as_literal)
        .filter(|name| service_of(name).is_some() && find(name).is_none() && find_operation(name).is_none())
}

/// Whether `Action` has an entry with the prefix of ECR or ECR Public. `*` and `NotAction` name no service.
pub fn names_ecr(scope: &Scope<ActionPattern>) -> bool {
    let of_ecr = |pattern: &ActionPattern| pattern.service().is_some_and(|prefix| service_of_prefix(prefix).is_some());
    !scope.negated && scope.patterns.iter().any(of_ecr)
}

/// Whether the scope may match an action of ECR, including actions that the catalogue does not know.
pub fn concerns_ecr(scope: &Scope<ActionPattern>) -> bool {
    let ours = [Service::Ecr.prefix(), Service::EcrPublic.prefix()];
    scope.negated || scope.patterns.iter().any(|pattern| !pattern.is_for_other_service(&ours))
}
