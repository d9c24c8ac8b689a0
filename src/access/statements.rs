//! The statements of a role that concern ECR.
//!
//! Knows which actions a statement matches, where it is, and in which reading it is used: wide for an Allow, narrow for a
//! Deny. Knows nothing of requests.

use super::catalogue::{self, ActionSet, Service};
use super::context::is_multivalued;
use super::decision::{Grant, GrantKind, Layer};
use super::resources::has_doubtful_type;
use super::role::{Policy, PolicySource, Role};
use crate::policy::budget::Budget;
use crate::policy::condition::Condition;
use crate::policy::context_key::ContextKey;
use crate::policy::pattern::ResourcePattern;
use crate::policy::reading::Reading;
use crate::policy::{Effect, Statement};

/// A statement that concerns ECR, and where it is.
pub(super) struct RoleStatement<'r> {
    pub(super) body: &'r Statement,
    policy: &'r Policy,
    source: GrantKind,
    index: usize,
    pub(super) keys: Vec<ContextKey>,
    /// The actions of the catalogue that it matches, in the reading that finds more access.
    /// Those for which the two readings differ are in `doubtful` too.
    pub(super) actions: ActionSet,
    /// The actions of the catalogue for which the two readings differ.
    pub(super) doubtful: ActionSet,
}

/// What a statement does for the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StatementKind {
    /// A policy of this layer allows.
    Allow(Layer),
    /// A policy of any layer denies.
    Deny,
}

impl<'r> RoleStatement<'r> {
    fn new(body: &'r Statement, policy: &'r Policy, source: GrantKind, index: usize) -> Self {
        let actions = ActionSet::matching(&body.actions, reading(body.effect));
        let doubtful = ActionSet::doubtful(&body.actions);
        Self { body, policy, source, index, keys: keys(body), actions, doubtful }
    }

    /// The statement with this content, as one of an identity-based policy. The content has the same actions.
    pub(super) fn of_identity<'s>(&self, body: &'s Statement) -> RoleStatement<'s>
    where
        'r: 's,
    {
        RoleStatement { body, source: GrantKind::Inline, keys: keys(body), ..*self }
    }
}

impl RoleStatement<'_> {
    pub(super) fn kind(&self) -> StatementKind {
        match self.body.effect {
            Effect::Deny => StatementKind::Deny,
            Effect::Allow => StatementKind::Allow(self.source.layer()),
        }
    }

    pub(super) fn is_deny(&self) -> bool {
        self.kind() == StatementKind::Deny
    }

    /// The reading that finds more access.
    pub(super) fn reading(&self) -> Reading {
        reading(self.body.effect)
    }

    /// Whether a condition or a variable names a key that only the requests for some actions have.
    pub(super) fn names_keys_of_actions(&self) -> bool {
        let single = |key: &ContextKey| {
            catalogue::actions().iter().flat_map(|action| action.keys).any(|own| key.lower().starts_with(own))
        };
        self.keys.iter().any(single)
    }

    /// The keys of the variables in conditions and resources.
    pub(super) fn variables(&self) -> impl Iterator<Item = ContextKey> {
        keys_of_variables(self.body)
    }

    /// Whether a condition or a variable names a key that starts with this text in lower case.
    pub(super) fn names_key_from(&self, start: &str) -> bool {
        self.keys.iter().any(|key| key.lower().starts_with(start))
    }

    /// Whether a condition or a variable names a tag of a resource or of a request.
    pub(super) fn names_tags(&self) -> bool {
        self.keys.iter().any(|key| ["requesttag/", "resourcetag/"].iter().any(|tag| key.lower().contains(tag)))
    }

    /// Whether both readings match the same requests, actions aside. A quick check: true for most statements, and false for
    /// some for which the readings do not differ.
    pub(super) fn is_plain(&self) -> bool {
        let plain = |pattern: &ResourcePattern| {
            pattern.is_everything()
                || !pattern.has_variables()
                    && matches!(*pattern.fields(), [_, _, _, _, _, resource] if !has_doubtful_type(resource))
        };
        let one_reading = |condition: &Condition| condition.has_one_reading(is_multivalued(condition.key.lower()));
        let patterns = &self.body.resources.patterns;
        self.body.conditions.iter().all(one_reading)
            && !self.names_key_from("ecr:resourcetag/")
            && !patterns.is_empty()
            && patterns.iter().all(plain)
    }

    /// Whether the Deny evidently refuses every request that this Allow matches: each of its conditions is also one of the
    /// Allow, and its resources are those of the Allow, or all resources.
    pub(super) fn is_undone_by(&self, deny: &RoleStatement<'_>) -> bool {
        let (own, other) = (&self.body.resources, &deny.body.resources);
        let same_meaning = |pattern: &ResourcePattern| {
            let fields = pattern.fields();
            let variable = |field: &&str| field.contains("${");
            matches!(*fields, [_, _, _, _, _, resource] if !has_doubtful_type(resource))
                && !(pattern.has_variables() && fields.iter().take(5).any(variable))
                && pattern.variables().all(|variable| !is_multivalued(variable.key.lower()))
        };
        let everywhere = !other.negated && other.patterns.iter().any(|pattern| pattern.is_everything());
        let same_resources = own == other && own.patterns.iter().all(same_meaning) && !own.patterns.is_empty();
        let one_value = |condition: &Condition| {
            !is_multivalued(condition.key.lower()) && condition.variables().all(|key| !is_multivalued(key.lower()))
        };
        let same_condition = |condition: &Condition| {
            condition.is_plain() && one_value(condition) && self.body.conditions.contains(condition)
        };
        (everywhere || same_resources) && deny.body.conditions.iter().all(same_condition)
    }

    /// Whether it matches this action, which the catalogue does not know.
    pub(super) fn matches_action(&self, service: Service, name: &str, reading: Reading, budget: &Budget) -> bool {
        let scope = &self.body.actions;
        budget.charge(1 + scope.patterns.len());
        let inner = if scope.negated { reading.other() } else { reading };
        scope.patterns.iter().any(|pattern| pattern.matches(service.prefix(), name, inner)) != scope.negated
    }

    /// The statement as reports show it.
    pub(super) fn grant(&self) -> Grant {
        let policy = self.policy.source.name().to_owned();
        Grant { policy, kind: self.source, sid: self.body.sid.clone(), statement: self.index }
    }
}

/// The layers of policies that the role has, in the order in which a refusal names them.
pub(super) fn layers(role: &Role) -> Vec<Layer> {
    let boundary = role.permissions_boundary.as_ref().map(|_| Layer::Boundary);
    let session = role.session_policy.as_ref().map(|_| Layer::Session);
    [Some(Layer::Identity), boundary, session].into_iter().flatten().collect()
}

/// The role's statements that match an action of ECR or may match an unknown one. They are sorted by content, so that the
/// order of policies and statements does not change a verdict.
pub(super) fn role_statements(role: &Role) -> Vec<RoleStatement<'_>> {
    let kind = |policy: &Policy| match policy.source {
        PolicySource::Inline(_) => GrantKind::Inline,
        PolicySource::Managed(_) | PolicySource::Association(_) => GrantKind::Managed,
    };
    let identity = role.policies.iter().map(|policy| (policy, kind(policy)));
    let boundary = role.permissions_boundary.iter().map(|policy| (policy, GrantKind::Boundary));
    let session = role.session_policy.iter().map(|policy| (policy, GrantKind::Session));
    let mut statements = Vec::new();
    for (policy, source) in identity.chain(boundary).chain(session) {
        for (index, statement) in policy.document.statements.iter().enumerate() {
            if catalogue::concerns_ecr(&statement.actions) {
                statements.push(RoleStatement::new(statement, policy, source, index));
            }
        }
    }
    statements.sort_by(|a, b| {
        let place =
            |statement: &RoleStatement<'_>| (statement.source, statement.policy.source.clone(), statement.index);
        a.body.cmp_content(b.body).then_with(|| place(a).cmp(&place(b)))
    });
    statements
}

fn reading(effect: Effect) -> Reading {
    match effect {
        Effect::Allow => Reading::Wide,
        Effect::Deny => Reading::Narrow,
    }
}

/// The literal actions with ECR's prefixes that an identity-based policy allows and the catalogue does not know. Actions
/// that differ only in letter case are one action.
pub(super) fn unknown_actions(role: &Role) -> Vec<String> {
    let statements = role.policies.iter().flat_map(|policy| &policy.document.statements);
    let allows = statements.filter(|statement| statement.effect == Effect::Allow && !statement.actions.negated);
    let mut names: Vec<String> =
        allows.flat_map(|statement| catalogue::unknown_literals(&statement.actions)).map(str::to_owned).collect();
    names.sort_unstable_by(|a, b| a.to_lowercase().cmp(&b.to_lowercase()).then_with(|| a.cmp(b)));
    names.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    names
}

/// The condition keys that a statement mentions, in conditions and as variables.
fn keys(statement: &Statement) -> Vec<ContextKey> {
    let of_conditions = statement.conditions.iter().map(|condition| condition.key.clone());
    of_conditions.chain(keys_of_variables(statement)).collect()
}

fn keys_of_variables(statement: &Statement) -> impl Iterator<Item = ContextKey> {
    let in_conditions = statement.conditions.iter().flat_map(Condition::variables);
    let in_resources = statement.resources.patterns.iter().flat_map(ResourcePattern::variables);
    in_conditions.chain(in_resources.map(|variable| variable.key))
}
