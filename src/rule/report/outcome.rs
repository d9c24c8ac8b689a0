//! What an evaluation came to, for AWS Config, the log and the caller.

use std::fmt;

use time::OffsetDateTime;

use crate::access::{Annotation, Compliance, Role, Verdict};
use crate::rule::invocation::Invocation;
use crate::rule::invocation::configuration_item::ROLE;
use crate::rule::nodes::facts::NodeFact;
use crate::rule::ports::config::{Evaluation, ResourceId};
use crate::rule::ports::iam::role_name;
use crate::rule::read::roles::RoleError;

/// What an evaluation came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What triggered it, in a few words.
    pub trigger: &'static str,
    /// Whether all roles were to be evaluated, as on a schedule, and the answers to be stored.
    pub scheduled: bool,
    /// Every answer, the one about the event's own resource first.
    pub answers: Vec<Answer>,
    /// The roles that got none.
    pub unreadable: Vec<UnreadableRole>,
    /// How many facts of the account's clusters were about principals that are no role of the account.
    pub elsewhere: usize,
    /// Regions that were asked for clusters and are not enabled in the account.
    pub closed_regions: Vec<String>,
    /// Resources whose evaluations AWS Config did not take from a run about another resource.
    pub left_to_schedule: Vec<ResourceId>,
    /// What Security Hub was told; none where it was not to be told.
    pub findings: Option<FindingCounts>,
}

impl Outcome {
    pub(in crate::rule) fn new(invocation: &Invocation) -> Self {
        Self {
            trigger: invocation.trigger.label(),
            scheduled: invocation.trigger.is_all_roles() && !invocation.result_token.asks_for_test_mode(),
            answers: Vec::new(),
            unreadable: Vec::new(),
            elsewhere: 0,
            closed_regions: Vec::new(),
            left_to_schedule: Vec::new(),
            findings: None,
        }
    }

    /// How many judged roles have an action that was not decided within the budget.
    pub fn undecided(&self) -> usize {
        let judged = self.answers.iter().filter_map(|answer| answer.judged.as_ref());
        judged.filter(|judged| !judged.verdict.undecided.is_empty()).count()
    }

    /// How many answers say so.
    pub fn count(&self, compliance: Compliance) -> usize {
        self.answers.iter().filter(|answer| answer.evaluation.compliance == compliance).count()
    }

    /// How many roles were judged.
    pub fn judged(&self) -> usize {
        self.answers.iter().filter(|answer| answer.judged.is_some()).count()
    }
}

/// How many findings Security Hub took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FindingCounts {
    /// Those of judged roles.
    pub imported: usize,
    /// Those that hold no more.
    pub archived: usize,
    /// How many it did not take.
    pub not_imported: usize,
    /// Roles without a verdict of which it could not be found out whether they have a finding to archive.
    pub left_to_schedule: usize,
}

/// One answer to AWS Config, with what it stands on.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What AWS Config is told.
    pub evaluation: Evaluation,
    /// The judgement behind it; none where the answer is NOT_APPLICABLE without one.
    pub judged: Option<Judged>,
    pub(in crate::rule) ground: Ground,
}

/// What an answer without a judgement stands on, as far as it matters to findings of before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rule) enum Ground {
    /// The role's trust policy alone, which mostly was the same before.
    TrustPolicy,
    /// Clusters, none of which runs nodes under the role, as of when they were asked for.
    Clusters(OffsetDateTime),
    /// Anything else.
    Other,
}

/// A judged role.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Its ARN.
    pub role_arn: String,
    /// The facts that make it a node's.
    pub node_of: Vec<NodeFact>,
    /// The verdict, with its evidence.
    pub verdict: Verdict,
}

impl Answer {
    pub(in crate::rule) fn verdict(role: &Role, facts: Vec<NodeFact>, verdict: Verdict, at: OffsetDateTime) -> Self {
        let node_of: Vec<String> = facts.iter().map(ToString::to_string).collect();
        let resource = ResourceId { resource_type: ROLE.to_owned(), id: role.id.clone() };
        let annotation = Annotation::of_verdict(&verdict, role_name(&role.arn), &node_of);
        let evaluation = evaluation(resource, verdict.compliance, &annotation, at);
        let judged = Judged { role_arn: role.arn.clone(), node_of: facts, verdict };
        Self { evaluation, judged: Some(judged), ground: Ground::Other }
    }

    pub(in crate::rule) fn not_applicable(resource: ResourceId, why: &Annotation, at: OffsetDateTime) -> Self {
        let evaluation = evaluation(resource, Compliance::NotApplicable, why, at);
        Self { evaluation, judged: None, ground: Ground::Other }
    }
}

fn evaluation(resource: ResourceId, compliance: Compliance, annotation: &Annotation, at: OffsetDateTime) -> Evaluation {
    Evaluation { resource, compliance, annotation: Some(annotation.to_string()), ordering_timestamp: at }
}

/// A role that got no verdict, because it could not be read or understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableRole {
    /// Its name.
    pub name: String,
    /// Its unique id, where that much could be read.
    pub id: Option<String>,
    /// What went wrong.
    pub cause: RoleError,
}

impl fmt::Display for UnreadableRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "role `{}`: {}", self.name, self.cause)
    }
}
