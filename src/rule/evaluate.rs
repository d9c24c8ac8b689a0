//! The flow of one evaluation: which roles a trigger concerns, what is read of them, what is answered.
//!
//! Knows the order of questions, so that what the trust policy settles costs no call, and what failures
//! leave standing: a verdict is never given on what was read in part. The verdict is [`crate::access`]'s.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use futures_util::stream;
use time::OffsetDateTime;

use super::answers;
use super::error::EvaluationError;
use super::event::{Invocation, Trigger};
use super::item::{ChangedPolicy, ChangedRole, POLICY, ROLE};
use super::node_roles::{NodeRole, NodeRoles};
use super::outcome::{Answer, Outcome, UnreadableRole};
use super::ports::{ComplianceStore, Eks, Iam, PolicyUsage, PortError, ResourceId, RoleRecord};
use super::roles::{Reading, RoleError, RoleReader};
use crate::access::judge;
use crate::policy::TrustPolicy;

/// How many roles are read at once: IAM throttles an account's calls by a bucket that its other users share.
const ROLES_AT_ONCE: usize = 8;

const RULED_OUT: &str = "Not a node role: its trust policy admits nobody that starts EKS nodes.";
const NOT_OF_NODES: &str = "Not a node role: no EKS cluster runs nodes under it.";
const GONE: &str = "The role no longer exists.";
const REPLACED: &str = "The role no longer exists: another one has its name now.";
const CLEARED: &str = "No longer a node role, or no longer there.";
const OTHER_TYPE: &str = "Resources of this type are judged through the node roles that they concern.";

/// AWS, as one evaluation sees it.
#[derive(Debug)]
pub struct Ports<'a, I, E, S> {
    /// IAM of the event's account.
    pub iam: &'a I,
    /// EKS of the event's account.
    pub eks: &'a E,
    /// AWS Config, which takes the answers.
    pub store: &'a S,
}

/// Evaluates what the invocation asks for, and answers it. `at` is the instant before which no request of the
/// roles is made: the time of the evaluation.
///
/// # Errors
/// Whatever keeps the answer from being whole. What could be answered was, and is in the error's outcome.
pub async fn evaluate<I: Iam, E: Eks, S: ComplianceStore>(
    ports: &Ports<'_, I, E, S>,
    invocation: &Invocation,
    at: OffsetDateTime,
) -> Result<Outcome, EvaluationError> {
    let evaluation = Evaluation { ports, invocation, at, reader: RoleReader::new(ports.iam) };
    let mut outcome = Outcome::new(invocation.trigger.label());
    let mut uncleared = None;
    match &invocation.trigger {
        Trigger::OtherResource(resource) => {
            outcome.answers.push(evaluation.not_applicable(resource.clone(), OTHER_TYPE));
        }
        Trigger::OutOfScope { resource, reason } => {
            outcome.answers.push(evaluation.not_applicable(resource.clone(), &reason.to_string()));
        }
        Trigger::RoleChanged(role) => evaluation.role_changed(role, &mut outcome).await?,
        Trigger::PolicyChanged(policy) => evaluation.policy_changed(policy, &mut outcome).await?,
        Trigger::AllRoles { rule_name } => uncleared = evaluation.all_roles(rule_name, &mut outcome).await?,
    }
    let evaluations = outcome.answers.iter().map(|answer| answer.evaluation.clone()).collect();
    match answers::send(ports.store, &invocation.result_token, evaluations).await {
        Err(problem) => Err(EvaluationError::EvaluationsNotStored { problem, outcome: Box::new(outcome) }),
        Ok(()) => match uncleared {
            Some(cause) => Err(EvaluationError::ReportedRolesUnknown { cause, outcome: Box::new(outcome) }),
            None if outcome.unreadable.is_empty() => Ok(outcome),
            None => Err(EvaluationError::RolesUnreadable(Box::new(outcome))),
        },
    }
}

/// What looking at one role came to.
enum Finding {
    Answer(Box<Answer>),
    Unreadable(UnreadableRole),
}

struct Evaluation<'a, I, E, S> {
    ports: &'a Ports<'a, I, E, S>,
    invocation: &'a Invocation,
    at: OffsetDateTime,
    reader: RoleReader<'a, I>,
}

impl<I: Iam, E: Eks, S: ComplianceStore> Evaluation<'_, I, E, S> {
    async fn role_changed(&self, changed: &ChangedRole, outcome: &mut Outcome) -> Result<(), EvaluationError> {
        let finding = self.changed_role(changed, outcome).await?;
        note(outcome, finding);
        Ok(())
    }

    /// The cheapest question first: the item's trust policy (no call), or if the item is too large to carry it,
    /// IAM's (one call); then the clusters; then IAM for all of the role.
    async fn changed_role(&self, changed: &ChangedRole, outcome: &mut Outcome) -> Result<Finding, EvaluationError> {
        let record = match &changed.trust_policy {
            Some(trust_policy) if trust_policy.rules_out_nodes() => {
                return Ok(self.no_verdict(&changed.id, RULED_OUT));
            }
            Some(_) => None,
            None => match self.current(changed).await {
                Ok(record) if rules_out_nodes(&record.trust_policy) => {
                    return Ok(self.no_verdict(&changed.id, RULED_OUT));
                }
                Ok(record) => Some(record),
                Err(finding) => return Ok(finding),
            },
        };
        let node_roles = self.node_roles(outcome).await?;
        let Some(node_role) = node_roles.get(&changed.name) else {
            return Ok(self.no_verdict(&changed.id, NOT_OF_NODES));
        };
        let record = match record {
            Some(record) => record,
            None => match self.current(changed).await {
                Ok(record) => record,
                Err(finding) => return Ok(finding),
            },
        };
        Ok(self.assess(record, node_role).await)
    }

    /// The changed role as IAM has it now, if it is still that one.
    async fn current(&self, changed: &ChangedRole) -> Result<RoleRecord, Finding> {
        match self.reader.record(&changed.name).await {
            Ok(Some(record)) if record.id == changed.id => Ok(record),
            Ok(Some(_)) => Err(self.no_verdict(&changed.id, REPLACED)),
            Ok(None) => Err(self.no_verdict(&changed.id, GONE)),
            Err(cause) => Err(unreadable(&changed.name, Some(&changed.id), cause)),
        }
    }

    /// The policy itself gets no verdict; the node roles that it is attached to, as policy or as boundary, do.
    async fn policy_changed(&self, changed: &ChangedPolicy, outcome: &mut Outcome) -> Result<(), EvaluationError> {
        let resource = ResourceId { resource_type: POLICY.to_owned(), id: changed.id.clone() };
        outcome.answers.push(self.not_applicable(resource, OTHER_TYPE));
        let mut names = BTreeSet::new();
        for usage in [PolicyUsage::Permissions, PolicyUsage::Boundary] {
            let roles = self.ports.iam.attached_roles(&changed.arn, usage).await;
            names.extend(roles.map_err(EvaluationError::AttachedRolesUnknown)?);
        }
        if names.is_empty() {
            return Ok(());
        }
        let node_roles = self.node_roles(outcome).await?;
        self.assess_all(names.iter().filter_map(|name| node_roles.get(name)), outcome).await;
        Ok(())
    }

    /// Every node role, and NOT_APPLICABLE for what the rule once judged and is no node role any more. Returns the
    /// error by which the latter could not be found out: the verdicts are right without it.
    async fn all_roles(&self, rule_name: &str, outcome: &mut Outcome) -> Result<Option<PortError>, EvaluationError> {
        let node_roles = self.node_roles(outcome).await?;
        self.assess_all(node_roles.iter(), outcome).await;
        let reported = match self.ports.store.reported(rule_name).await {
            Ok(reported) => reported,
            Err(error) => return Ok(Some(error)),
        };
        // AWS Config knows roles by id. Where not even the id of a node role could be read, any of those reported
        // may be that role, so none is cleared; the invocation fails anyway, and its retry clears them.
        if outcome.unreadable.iter().any(|role| role.id.is_none()) {
            return Ok(None);
        }
        let current: BTreeSet<&str> = (outcome.answers.iter().map(|answer| answer.evaluation.resource.id.as_str()))
            .chain(outcome.unreadable.iter().filter_map(|role| role.id.as_deref()))
            .collect();
        let gone: BTreeSet<ResourceId> = (reported.into_iter())
            .filter(|resource| resource.resource_type == ROLE && !current.contains(resource.id.as_str()))
            .collect();
        outcome.answers.extend(gone.into_iter().map(|resource| self.not_applicable(resource, CLEARED)));
        Ok(None)
    }

    async fn node_roles(&self, outcome: &mut Outcome) -> Result<NodeRoles, EvaluationError> {
        let facts = self.ports.eks.node_facts().await.map_err(EvaluationError::NodeRolesUnknown)?;
        let node_roles = NodeRoles::of_account(&self.invocation.account_id, facts);
        outcome.elsewhere = node_roles.elsewhere();
        Ok(node_roles)
    }

    async fn assess_all<'r>(&self, roles: impl Iterator<Item = &'r NodeRole>, outcome: &mut Outcome) {
        let mut findings = stream::iter(roles)
            .map(|node_role| async move {
                match self.reader.record(&node_role.name).await {
                    Ok(Some(record)) => Some(self.assess(record, node_role).await),
                    // EKS outlives the role. Its id is not known here: what was said of it is cleared by its absence.
                    Ok(None) => None,
                    Err(cause) => Some(unreadable(&node_role.name, None, cause)),
                }
            })
            .buffered(ROLES_AT_ONCE);
        while let Some(finding) = findings.next().await {
            if let Some(finding) = finding {
                note(outcome, finding);
            }
        }
    }

    async fn assess(&self, record: RoleRecord, node_role: &NodeRole) -> Finding {
        let (name, id) = (record.name.clone(), record.id.clone());
        match self.reader.complete(record).await {
            Ok(Reading::Role(role)) => {
                let verdict = judge(&role, &self.invocation.parameters.criteria, self.at);
                let captured = self.invocation.ordering_timestamp;
                Finding::Answer(Box::new(Answer::verdict(&role, node_role, verdict, captured)))
            }
            Ok(Reading::RuledOut) => self.no_verdict(&id, RULED_OUT),
            Ok(Reading::Gone) => self.no_verdict(&id, GONE),
            Err(cause) => unreadable(&name, Some(&id), cause),
        }
    }

    fn no_verdict(&self, role_id: &str, why: &str) -> Finding {
        let resource = ResourceId { resource_type: ROLE.to_owned(), id: role_id.to_owned() };
        Finding::Answer(Box::new(self.not_applicable(resource, why)))
    }

    fn not_applicable(&self, resource: ResourceId, why: &str) -> Answer {
        Answer::not_applicable(resource, why, self.invocation.ordering_timestamp)
    }
}

fn rules_out_nodes(trust_policy: &str) -> bool {
    TrustPolicy::parse(trust_policy).is_ok_and(|trust_policy| trust_policy.rules_out_nodes())
}

fn unreadable(name: &str, id: Option<&str>, cause: RoleError) -> Finding {
    Finding::Unreadable(UnreadableRole { name: name.to_owned(), id: id.map(str::to_owned), cause })
}

fn note(outcome: &mut Outcome, finding: Finding) {
    match finding {
        Finding::Answer(answer) => outcome.answers.push(*answer),
        Finding::Unreadable(role) => outcome.unreadable.push(role),
    }
}
