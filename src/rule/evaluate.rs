//! The flow of one evaluation: which roles a trigger concerns, what is read of them, what is answered.
//!
//! Knows the order of questions, so that what the trust policy settles costs no call, and what failures
//! leave standing: a verdict is never given on what was read in part. The verdict is [`crate::access`]'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::Poll;

use futures_util::{StreamExt, stream};
use time::OffsetDateTime;

use crate::access::{Annotation, NotApplicable, judge};
use crate::policy::TrustPolicy;
use crate::rule::error::EvaluationError;
use crate::rule::invocation::Invocation;
use crate::rule::invocation::configuration_item::{
    CLUSTER, ChangedCluster, ChangedPolicy, ChangedRole, FARGATE_PROFILE, POLICY, ROLE, Trigger,
};
use crate::rule::nodes::classify::{Classification, NodeClassifier, exempt};
use crate::rule::nodes::facts::NodeFact;
use crate::rule::ports::config::{ComplianceStore, ResourceId};
use crate::rule::ports::eks::Eks;
use crate::rule::ports::error::PortError;
use crate::rule::ports::iam::{Iam, InstanceProfile, ListedRole, key};
use crate::rule::read::cache::{AccountCache, Cache, Freshness};
use crate::rule::read::roles::{MAX_READ_ONE_BY_ONE, RoleDraft, RoleError, RoleRead, RoleReader};
use crate::rule::report::evaluations;
use crate::rule::report::evaluations::Sent;
use crate::rule::report::outcome::{Answer, Ground, Outcome, UnreadableRole};

/// How many roles are read at once: IAM throttles an account's calls by a bucket that its other users share.
const ROLES_AT_ONCE: usize = 8;

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
/// roles is made: the time of the evaluation. `cache` is what earlier invocations found out.
///
/// # Errors
/// Whatever keeps the answer from being whole. What could be answered was, and is in the error's outcome.
pub async fn evaluate<I: Iam, E: Eks, S: ComplianceStore>(
    ports: &Ports<'_, I, E, S>,
    cache: &Cache,
    invocation: &Invocation,
    at: OffsetDateTime,
) -> Result<Outcome, EvaluationError> {
    let cache = cache.of_account(&invocation.account_id);
    let reader = RoleReader::new(ports.iam, Arc::clone(&cache));
    let evaluation = Evaluator { ports, invocation, at, cache, reader };
    let mut outcome = Outcome::new(invocation);
    let mut uncleared = None;
    match &invocation.trigger {
        Trigger::OtherResource(resource) => {
            outcome.answers.push(evaluation.not_applicable(resource.clone(), NotApplicable::OtherType));
        }
        Trigger::OutOfScope { resource, reason } => {
            outcome.answers.push(evaluation.not_applicable(resource.clone(), (*reason).into()));
        }
        Trigger::RoleChanged(role) => evaluation.role_changed(role, &mut outcome).await?,
        Trigger::PolicyChanged(policy) => evaluation.policy_changed(policy, &mut outcome).await?,
        Trigger::ClusterChanged(cluster) => evaluation.cluster_changed(cluster, &mut outcome).await?,
        Trigger::AllRoles { rule_name } => uncleared = evaluation.all_roles(rule_name, &mut outcome).await?,
    }
    let evaluations = outcome.answers.iter().map(|answer| answer.evaluation.clone()).collect();
    let own_only = !invocation.trigger.is_all_roles();
    match evaluations::send(ports.store, &invocation.result_token, evaluations, own_only).await {
        Err(problem) => Err(EvaluationError::EvaluationsNotStored { problem, outcome: Box::new(outcome) }),
        Ok(Sent { left }) => {
            outcome.left_to_schedule = left;
            match uncleared {
                Some(cause) => Err(EvaluationError::ReportedRolesUnknown { cause, outcome: Box::new(outcome) }),
                None if outcome.unreadable.is_empty() => Ok(outcome),
                None => Err(EvaluationError::RolesUnreadable(Box::new(outcome))),
            }
        }
    }
}

/// The instance profiles that hold a role, by the key of its name, as far as a list has told them.
type Profiles = BTreeMap<String, Vec<InstanceProfile>>;

/// What looking at one role came to.
enum RoleResult {
    Answer(Box<Answer>),
    Unreadable(UnreadableRole),
}

/// A role that is to be judged, once all of it is read.
struct Ready {
    draft: RoleDraft,
    facts: Vec<NodeFact>,
}

/// A role that is to be judged, as far as it could be read.
struct Read {
    name: String,
    id: String,
    facts: Vec<NodeFact>,
    reading: Result<RoleRead, RoleError>,
}

/// What testing one role came to.
enum Step {
    Judge(Box<Ready>),
    Done(RoleResult),
    /// Nothing to say of it.
    Nothing,
}

struct Evaluator<'a, I, E, S> {
    ports: &'a Ports<'a, I, E, S>,
    invocation: &'a Invocation,
    at: OffsetDateTime,
    cache: Arc<AccountCache>,
    reader: RoleReader<'a, I>,
}

impl<I: Iam, E: Eks, S: ComplianceStore> Evaluator<'_, I, E, S> {
    async fn role_changed(&self, changed: &ChangedRole, outcome: &mut Outcome) -> Result<(), EvaluationError> {
        let finding = self.changed_role(changed, outcome).await?;
        note(outcome, finding);
        Ok(())
    }

    /// The cheapest question first: what the parameters say, and the item's trust policy (no call), or if the item is too
    /// large to carry it, IAM's (one call); then the clusters; then IAM for all of the role.
    async fn changed_role(&self, changed: &ChangedRole, outcome: &mut Outcome) -> Result<RoleResult, EvaluationError> {
        if let Some(why) = exempt(&self.invocation.parameters, &changed.name, changed.arn.as_deref(), &[]) {
            return Ok(self.no_verdict(&changed.id, &changed.name, why));
        }
        let draft = match &changed.trust_policy {
            Some(trust_policy) if self.rules_out(trust_policy, &changed.name, changed.arn.as_deref()) => {
                return Ok(self.ruled_out(&changed.id, &changed.name));
            }
            Some(_) => None,
            None => match self.current(changed).await {
                Ok(draft) => match draft.trust_policy() {
                    Ok(trust_policy) if self.rules_out(&trust_policy, &draft.record.name, Some(&draft.record.arn)) => {
                        return Ok(self.ruled_out(&changed.id, &changed.name));
                    }
                    _ => Some(draft),
                },
                Err(finding) => return Ok(finding),
            },
        };
        let test = self.node_test(Freshness::Cached, outcome).await?;
        if draft.is_none() && self.needs_no_record(&test, &changed.name, changed.trust_policy.as_ref()) {
            return Ok(self.not_of_nodes(&test, &changed.id, &changed.name));
        }
        let draft = match draft {
            Some(draft) => draft,
            None => match self.current(changed).await {
                Ok(draft) => draft,
                Err(finding) => return Ok(finding),
            },
        };
        match self.test(&test, draft).await {
            Step::Judge(ready) => Ok(self.assess(self.read(*ready).await).await),
            Step::Done(finding) => Ok(finding),
            Step::Nothing => Ok(self.not_of_nodes(&test, &changed.id, &changed.name)),
        }
    }

    /// Whether the trust policy alone shows that the role is nothing to this rule.
    fn rules_out(&self, trust_policy: &TrustPolicy, name: &str, arn: Option<&str>) -> bool {
        let parameters = &self.invocation.parameters;
        // Without its ARN, a role may be one that a pattern for ARNs means.
        let meant = parameters.node_roles.matches(name, arn) || (arn.is_none() && parameters.node_roles.needs_arn());
        !meant
            && trust_policy.rules_out_nodes()
            && (!parameters.scope.service_accounts || trust_policy.rules_out_pods())
    }

    /// Whether a role that EKS does not name is none, whatever else IAM says of it than its trust policy, if that is known.
    fn needs_no_record(&self, test: &NodeClassifier<'_>, name: &str, trust_policy: Option<&TrustPolicy>) -> bool {
        let parameters = &self.invocation.parameters;
        let self_managed = test.admits_self_managed() && trust_policy.is_none_or(|policy| policy.admits_service("ec2"));
        test.named_by_eks().get(name).is_none()
            && !self_managed
            && !parameters.scope.service_accounts
            && !parameters.node_roles.matches(name, None)
            && !parameters.node_roles.needs_arn()
    }

    /// The changed role as IAM has it now, if it is still that one.
    async fn current(&self, changed: &ChangedRole) -> Result<RoleDraft, RoleResult> {
        match self.reader.draft(&changed.name).await {
            Ok(Some(draft)) if draft.record.id == changed.id => Ok(draft),
            Ok(Some(_)) => Err(self.no_verdict(&changed.id, &changed.name, NotApplicable::Replaced)),
            Ok(None) => Err(self.no_verdict(&changed.id, &changed.name, NotApplicable::NoLongerExists)),
            Err(cause) => Err(unreadable(&changed.name, Some(&changed.id), cause)),
        }
    }

    /// The policy itself gets no verdict; the node roles that it is attached to, as policy or as boundary, do.
    async fn policy_changed(&self, changed: &ChangedPolicy, outcome: &mut Outcome) -> Result<(), EvaluationError> {
        let resource = ResourceId { resource_type: POLICY.to_owned(), id: changed.id.clone() };
        outcome.answers.push(self.not_applicable(resource, NotApplicable::OtherType));
        let roles = self.ports.iam.attached_roles(&changed.arn).await;
        let names: BTreeSet<String> = roles.map_err(EvaluationError::AttachedRolesUnknown)?.into_iter().collect();
        if names.is_empty() {
            return Ok(());
        }
        let test = self.node_test(Freshness::Cached, outcome).await?;
        let names = names.iter().filter(|name| !self.needs_no_record(&test, name, None)).map(String::as_str);
        self.assess_named(&test, unique_names(names), None, outcome).await
    }

    /// The cluster or Fargate profile itself gets no verdict; the node roles that it names do. That it changed is known,
    /// so what is remembered of it does not count.
    async fn cluster_changed(&self, changed: &ChangedCluster, outcome: &mut Outcome) -> Result<(), EvaluationError> {
        let resource_type = if changed.fargate_profile.is_some() { FARGATE_PROFILE } else { CLUSTER };
        let resource = ResourceId { resource_type: resource_type.to_owned(), id: changed.id.clone() };
        outcome.answers.push(self.not_applicable(resource, NotApplicable::OtherType));
        if !self.invocation.parameters.scope.includes(&changed.cluster.region, &changed.cluster.name) {
            return Ok(());
        }
        let test = self.node_test(Freshness::CachedExcept(&changed.cluster), outcome).await?;
        let roles = test.named_by(&changed.cluster, changed.fargate_profile.as_deref());
        let names = unique_names(roles.map(|role| role.name.as_str()));
        self.assess_named(&test, names, None, outcome).await
    }

    /// Every node role, and NOT_APPLICABLE for what the rule once judged and is no node role any more. Returns the
    /// error by which the latter could not be found out: the verdicts are right without it.
    async fn all_roles(&self, rule_name: &str, outcome: &mut Outcome) -> Result<Option<PortError>, EvaluationError> {
        let test = self.node_test(Freshness::Fresh, outcome).await?;
        let parameters = &self.invocation.parameters;
        let known = test.named_by_eks().iter().map(|role| role.name.as_str());
        let mut names = unique_names(known.chain(parameters.node_roles.literal_names()));
        // Before they are counted: what is left decides whether lists are asked for, and how roles are read.
        names.retain(|_, name| exempt(parameters, name, None, &[]).is_none());
        let mut profiles = Profiles::new();
        // If so many are known already, the list in detail shows the others too.
        if names.len() <= MAX_READ_ONE_BY_ONE {
            let candidate = |role: &ListedRole, in_profile| {
                test.is_candidate(&role.name, &role.arn, role.trust_policy.as_deref(), in_profile)
            };
            if test.needs_all_roles() {
                let roles = self.ports.iam.roles().await.map_err(EvaluationError::NodeRolesUnknown)?;
                let roles = roles.into_iter().filter(|role| candidate(role, false));
                names.extend(roles.map(|role| (key(&role.name), role.name)));
            }
            if test.admits_self_managed() {
                let held = self.ports.iam.roles_in_instance_profiles().await;
                for (profile, role) in held.map_err(EvaluationError::NodeRolesUnknown)? {
                    if candidate(&role, true) {
                        profiles.entry(key(&role.name)).or_default().push(profile);
                        names.insert(key(&role.name), role.name);
                    }
                }
            }
        }
        self.assess_named(&test, names, Some(profiles), outcome).await?;
        // AWS Config knows roles by id. Where not even the id of a node role could be read, any of those reported
        // may be that role, so none is cleared; the invocation fails anyway, and its retry clears them.
        if outcome.unreadable.iter().any(|role| role.id.is_none()) {
            return Ok(None);
        }
        let reported = match self.ports.store.reported(rule_name).await {
            Ok(reported) => reported,
            Err(error) => return Ok(Some(error)),
        };
        let current: BTreeSet<&str> = (outcome.answers.iter().map(|answer| answer.evaluation.resource.id.as_str()))
            .chain(outcome.unreadable.iter().filter_map(|role| role.id.as_deref()))
            .collect();
        let gone: BTreeSet<ResourceId> = (reported.into_iter())
            .filter(|resource| resource.resource_type == ROLE && !current.contains(resource.id.as_str()))
            .collect();
        outcome.answers.extend(gone.into_iter().map(|resource| self.not_applicable(resource, NotApplicable::Cleared)));
        Ok(None)
    }

    async fn node_test(
        &self,
        freshness: Freshness<'_>,
        outcome: &mut Outcome,
    ) -> Result<NodeClassifier<'_>, EvaluationError> {
        let parameters = &self.invocation.parameters;
        let clusters = self.cache.clusters(self.ports.eks, &parameters.scope, freshness, self.at).await;
        let clusters = clusters.map_err(EvaluationError::NodeRolesUnknown)?;
        let test = NodeClassifier::new(&self.invocation.account_id, parameters, clusters);
        outcome.elsewhere = test.named_by_eks().elsewhere();
        outcome.closed_regions.clone_from(&test.clusters().closed_regions);
        Ok(test)
    }

    /// Judges those of the named roles that are nodes', in the order of their names. Few are read one by one, many out of
    /// the list of all. `profiles` are there if all node roles are meant: then those that are met on the way are judged too.
    async fn assess_named(
        &self,
        test: &NodeClassifier<'_>,
        names: BTreeMap<String, String>,
        profiles: Option<Profiles>,
        outcome: &mut Outcome,
    ) -> Result<(), EvaluationError> {
        let steps = if names.len() > MAX_READ_ONE_BY_ONE {
            let wanted = self
                .reader
                .drafts(|role| names.contains_key(&key(&role.record.name)) || (profiles.is_some() && test.wants(role)));
            let mut drafts = wanted.await.map_err(EvaluationError::NodeRolesUnknown)?;
            drafts.sort_by_cached_key(|draft| key(&draft.record.name));
            let steps = stream::iter(drafts).map(|draft| self.test(test, draft));
            steps.buffered(ROLES_AT_ONCE).collect::<Vec<Step>>().await
        } else {
            let mut profiles = profiles.unwrap_or_default();
            let steps = stream::iter(names)
                .map(move |(key, name)| (name, profiles.remove(&key)))
                .map(|(name, profiles)| self.find_and_test(test, name, profiles));
            steps.buffered(ROLES_AT_ONCE).collect().await
        };
        let ready = steps.iter().filter_map(|step| if let Step::Judge(ready) = step { Some(ready) } else { None });
        let policies = ready.flat_map(|ready| ready.draft.managed_policies().cloned()).collect();
        self.reader.prepare(policies).await;
        // What is read at once is judged one after the other: reading waits, judging does not.
        let mut read = stream::iter(steps)
            .map(|step| async move {
                match step {
                    Step::Judge(ready) => Some(Ok(self.read(*ready).await)),
                    Step::Done(finding) => Some(Err(finding)),
                    Step::Nothing => None,
                }
            })
            .buffered(ROLES_AT_ONCE);
        while let Some(step) = read.next().await {
            match step {
                Some(Ok(read)) => note(outcome, self.assess(read).await),
                Some(Err(finding)) => note(outcome, finding),
                None => {}
            }
        }
        Ok(())
    }

    async fn find_and_test(
        &self,
        test: &NodeClassifier<'_>,
        name: String,
        profiles: Option<Vec<InstanceProfile>>,
    ) -> Step {
        match self.reader.draft(&name).await {
            Ok(Some(mut draft)) => {
                if let Some(profiles) = profiles {
                    draft = draft.in_profiles(profiles);
                }
                match self.test(test, draft).await {
                    Step::Judge(ready) => self.with_attached(ready).await,
                    step => step,
                }
            }
            // EKS outlives the role. Its id is not known here: what was said of it is cleared by its absence.
            Ok(None) => Step::Nothing,
            Err(cause) => Step::Done(unreadable(&name, None, cause)),
        }
    }

    /// The role with its managed policies' ARNs, which have to be known of all roles before the policies are read.
    async fn with_attached(&self, mut ready: Box<Ready>) -> Step {
        let id = ready.draft.record.id.clone();
        match self.reader.attached(&mut ready.draft).await {
            Ok(Some(_)) => Step::Judge(ready),
            Ok(None) => Step::Done(self.no_verdict(&id, &ready.draft.record.name, NotApplicable::NoLongerExists)),
            Err(cause) => Step::Done(unreadable(&ready.draft.record.name, Some(&id), cause)),
        }
    }

    async fn test(&self, test: &NodeClassifier<'_>, mut draft: RoleDraft) -> Step {
        let (name, id) = (draft.record.name.clone(), draft.record.id.clone());
        match test.test(&self.reader, &mut draft).await {
            Ok(Classification::Node(facts)) => Step::Judge(Box::new(Ready { draft, facts })),
            Ok(Classification::NotNode) => Step::Nothing,
            Ok(Classification::RuledOut) => Step::Done(self.ruled_out(&id, &name)),
            Ok(Classification::Exempt(why)) => Step::Done(self.no_verdict(&id, &name, why)),
            Ok(Classification::Gone) => Step::Done(self.no_verdict(&id, &name, NotApplicable::NoLongerExists)),
            Err(cause) => Step::Done(unreadable(&name, Some(&id), cause)),
        }
    }

    async fn read(&self, Ready { draft, facts }: Ready) -> Read {
        let (name, id) = (draft.record.name.clone(), draft.record.id.clone());
        Read { name, id, facts, reading: self.reader.complete(draft).await }
    }

    async fn assess(&self, Read { name, id, facts, reading }: Read) -> RoleResult {
        match reading {
            // Read again meanwhile, it may have another trust policy.
            Ok(RoleRead::Complete(role)) if facts.iter().all(|fact| fact.kind.ruled_out_by(&role.trust_policy)) => {
                self.ruled_out(&id, &name)
            }
            Ok(RoleRead::Complete(role)) => {
                yield_once().await;
                let verdict = judge(&role, &self.invocation.parameters.criteria, self.at);
                let captured = self.invocation.ordering_timestamp;
                RoleResult::Answer(Box::new(Answer::verdict(&role, facts, verdict, captured)))
            }
            Ok(RoleRead::Gone) => self.no_verdict(&id, &name, NotApplicable::NoLongerExists),
            Err(cause) => unreadable(&name, Some(&id), cause),
        }
    }

    fn ruled_out(&self, role_id: &str, role_name: &str) -> RoleResult {
        let why = Annotation::not_applicable(Some(role_name), NotApplicable::TrustPolicy);
        no_verdict_on(Ground::TrustPolicy, role_id, &why, self.invocation.ordering_timestamp)
    }

    fn no_verdict(&self, role_id: &str, role_name: &str, reason: NotApplicable) -> RoleResult {
        let why = Annotation::not_applicable(Some(role_name), reason);
        no_verdict_on(Ground::Other, role_id, &why, self.invocation.ordering_timestamp)
    }

    /// That no cluster runs nodes under the role, as of when the clusters were asked for if that was before the change:
    /// what an instance of the function that knows newer ones has said since is to stand.
    fn not_of_nodes(&self, test: &NodeClassifier<'_>, role_id: &str, role_name: &str) -> RoleResult {
        let clusters_at = test.clusters().at;
        let at = self.invocation.ordering_timestamp.min(clusters_at);
        let why = Annotation::not_applicable(Some(role_name), NotApplicable::NoCluster);
        no_verdict_on(Ground::Clusters(clusters_at), role_id, &why, at)
    }

    fn not_applicable(&self, resource: ResourceId, reason: NotApplicable) -> Answer {
        let why = Annotation::not_applicable(None, reason);
        Answer::not_applicable(resource, &why, self.invocation.ordering_timestamp)
    }
}

fn no_verdict_on(ground: Ground, role_id: &str, why: &Annotation, at: OffsetDateTime) -> RoleResult {
    let resource = ResourceId { resource_type: ROLE.to_owned(), id: role_id.to_owned() };
    RoleResult::Answer(Box::new(Answer { ground, ..Answer::not_applicable(resource, why, at) }))
}

/// Lets whoever waits for the evaluation have a look at the clock: deciding a role takes no call, and so no pause.
async fn yield_once() {
    let mut breathed = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut breathed, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Names of roles, each once however it is spelled.
fn unique_names<'n>(names: impl Iterator<Item = &'n str>) -> BTreeMap<String, String> {
    names.map(|name| (key(name), name.to_owned())).collect()
}

fn unreadable(name: &str, id: Option<&str>, cause: RoleError) -> RoleResult {
    RoleResult::Unreadable(UnreadableRole { name: name.to_owned(), id: id.map(str::to_owned), cause })
}

fn note(outcome: &mut Outcome, finding: RoleResult) {
    match finding {
        RoleResult::Answer(answer) => outcome.answers.push(*answer),
        RoleResult::Unreadable(role) => outcome.unreadable.push(role),
    }
}
