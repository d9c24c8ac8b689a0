//! One evaluation: which roles a trigger is about, their verdicts, and the answers to AWS Config.
//!
//! This file fixes the order of the calls. The cheapest question comes first: a role that its trust policy rules out costs no
//! call. A role that cannot be read completely gets no verdict, and the other roles get theirs. The verdict itself is
//! [`crate::access`]'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::Poll;

use futures_util::{StreamExt, stream};
use time::OffsetDateTime;

use crate::access::{Annotation, NotApplicable, Role, judge};
use crate::policy::TrustPolicy;
use crate::rule::error::EvaluationError;
use crate::rule::invocation::Invocation;
use crate::rule::invocation::configuration_item::{
    CLUSTER, ChangedCluster, ChangedInstanceProfile, ChangedPolicy, ChangedRole, FARGATE_PROFILE, INSTANCE_PROFILE,
    POLICY, ROLE, Trigger,
};
use crate::rule::nodes::classify::{Classification, NodeClassifier};
use crate::rule::nodes::exemption::{exempt, no_exemption};
use crate::rule::nodes::facts::{NodeFact, may_be_in};
use crate::rule::nodes::sessions::{Sessions, sessions};
use crate::rule::ports::config::{ComplianceStore, Reported, ResourceId};
use crate::rule::ports::eks::{ClusterId, Eks};
use crate::rule::ports::iam::{Iam, InstanceProfile, ListedRole, name_key};
use crate::rule::progress::Progress;
use crate::rule::read::answers::Freshness;
use crate::rule::read::cache::{AccountCache, Cache};
use crate::rule::read::roles::{MAX_READ_ONE_BY_ONE, RoleDraft, RoleError, RoleRead, RoleReader};
use crate::rule::report::evaluations::{BATCH, Required};
use crate::rule::report::findings::finding_of_answer;
use crate::rule::report::outcome::{Answer, Outcome, SessionVerdict};
use crate::rule::report::problem::{NotStored, Problem, UnreadableRole};
use crate::rule::report::{Report, RoleResult, evaluations};

/// How many roles are read at the same time. IAM limits the rate of calls of a whole account, and others use it too.
const ROLES_AT_ONCE: usize = 8;

/// The AWS services that an evaluation uses.
#[derive(Debug)]
pub struct Ports<'a, I, E, S> {
    /// IAM of the event's account.
    pub iam: &'a I,
    /// EKS of the event's account.
    pub eks: &'a E,
    /// AWS Config, which takes the answers.
    pub store: &'a S,
}

/// Evaluates the roles that the invocation is about, and sends the answers to AWS Config. `cache` has what earlier
/// invocations read. `progress` shows the step that the evaluation is at. `at` is the time of the evaluation: no request is
/// made before it. `on_stored` gets the answers that AWS Config stores before the evaluation ends: the report of a large
/// account does not have them.
///
/// # Errors
/// No answer could be given. Problems that leave some answers are in the [`Report`].
pub async fn evaluate<I: Iam, E: Eks, S: ComplianceStore>(
    ports: &Ports<'_, I, E, S>,
    cache: &Cache,
    invocation: &Invocation,
    progress: &Progress,
    on_stored: &(dyn Fn(&Answer) + Sync),
    at: OffsetDateTime,
) -> Result<Report, EvaluationError> {
    let cache = cache.of_account(&invocation.account_id);
    let reader = RoleReader::new(ports.iam, Arc::clone(&cache));
    let evaluator = Evaluator { ports, invocation, progress, on_stored, at, cache, reader };
    let mut report = match &invocation.trigger {
        Trigger::OtherResource(resource) => evaluator.no_verdict_on(resource.clone(), NotApplicable::OtherType),
        Trigger::OutOfScope { resource, reason } => evaluator.no_verdict_on(resource.clone(), (*reason).into()),
        Trigger::RoleChanged(role) => evaluator.role_changed(role).await?,
        Trigger::PolicyChanged(policy) => evaluator.policy_changed(policy).await?,
        Trigger::ClusterChanged(cluster) => evaluator.cluster_changed(cluster).await?,
        Trigger::InstanceProfileChanged(profile) => evaluator.instance_profile_changed(profile).await,
        Trigger::AllRoles { rule_name } => evaluator.all_roles(rule_name).await?,
    };
    if !report.is_stored() {
        return Ok(report);
    }
    let answers: Vec<_> = report.outcome.answers.iter().map(|answer| answer.evaluation.clone()).collect();
    let required = if invocation.trigger.is_all_roles() { Required::All } else { Required::First };
    match evaluations::send(ports.store, &invocation.result_token, &answers, required, progress).await {
        Ok(left_to_schedule) => report.outcome.left_to_schedule = left_to_schedule,
        Err(problem) => report.problems.push(Problem::EvaluationsNotStored(problem)),
    }
    Ok(report)
}

/// Ends a schedule that succeeded, its findings included: the next schedule reads all of EKS again. The repeat of a failed one
/// goes on with what `cache` has.
pub fn end_schedule(cache: &Cache, invocation: &Invocation, report: &Report) {
    if let (Trigger::AllRoles { rule_name }, []) = (&invocation.trigger, report.problems.as_slice()) {
        cache.of_account(&invocation.account_id).end_schedule(rule_name);
    }
}

/// The instance profiles of roles, by the key of the role's name, as far as a list has shown them.
type Profiles = BTreeMap<String, Vec<InstanceProfile>>;

/// Which roles to evaluate.
enum Selection {
    /// The named roles.
    Named,
    /// All node roles. Some are named; reading all roles of the account shows the others.
    AllNodeRoles(Profiles),
}

/// A role after the question whether it is a node role.
enum Classified {
    /// It is one. The rest of its policies is still to be read.
    NodeRole(Box<NodeRoleDraft>),
    /// Its result is known already.
    Done(RoleResult),
    /// It is not a node role: on its own event the answer is NOT_APPLICABLE, on a schedule there is no answer.
    NotNodeRole,
}

/// A node role that is not read completely.
struct NodeRoleDraft {
    draft: RoleDraft,
    facts: Vec<NodeFact>,
}

/// A node role that was read, or could not be.
struct NodeRoleRead {
    name: String,
    id: String,
    facts: Vec<NodeFact>,
    read: Result<RoleRead, RoleError>,
}

struct Evaluator<'a, I, E, S> {
    ports: &'a Ports<'a, I, E, S>,
    invocation: &'a Invocation,
    progress: &'a Progress,
    on_stored: &'a (dyn Fn(&Answer) + Sync),
    at: OffsetDateTime,
    cache: Arc<AccountCache>,
    reader: RoleReader<'a, I>,
}

impl<I: Iam, E: Eks, S: ComplianceStore> Evaluator<'_, I, E, S> {
    /// A report with one answer: the resource gets no verdict.
    fn no_verdict_on(&self, resource: ResourceId, reason: NotApplicable) -> Report {
        let mut report = Report::new(Outcome::new(self.invocation));
        report.outcome.answers.push(Answer::not_applicable(resource, None, reason, self.invocation.ordering_timestamp));
        report
    }

    /// The changed role. Facts from the cache can show that it is a node role, but not that it is none.
    async fn role_changed(&self, changed: &ChangedRole) -> Result<Report, EvaluationError> {
        let mut report = Report::new(Outcome::new(self.invocation));
        let mut draft = match self.before_clusters(changed).await {
            Ok(draft) => draft,
            Err(result) => {
                report.add(vec![result]);
                return Ok(report);
            }
        };
        let roles = BTreeSet::from([name_key(&changed.name)]);
        let after_change = self.after_change(&roles);
        let mut classifier = self.classifier(&Freshness::cached(self.at, &roles)).await;
        let mut test = self.test(&classifier, changed, &mut draft).await;
        if test.as_ref().is_ok_and(Classification::depends_on_other_facts) && !classifier.is_as_new_as(&after_change) {
            classifier = self.classifier(&after_change).await;
            test = self.test(&classifier, changed, &mut draft).await;
        }
        report.set_clusters(&classifier);
        report.add(vec![match (test, draft) {
            (Ok(Classification::NodeRole(facts)), Some(draft)) => {
                self.result(self.read(NodeRoleDraft { draft, facts }).await).await
            }
            (Ok(Classification::NoVerdict(reason)), _) => self.no_verdict(&changed.name, &changed.id, reason),
            (Ok(_), _) => {
                let skipped_regions = classifier.clusters().skipped_regions.len();
                self.no_verdict(&changed.name, &changed.id, NotApplicable::NoCluster { skipped_regions })
            }
            (Err(result), _) => result,
        }]);
        Ok(report)
    }

    /// What needs no list of clusters: the parameters and the trust policy of the event's item (no call), or the trust
    /// policy from IAM if the item is too large to carry it (one call). `Err` is the result if that decides it. Otherwise
    /// the role as far as it was read.
    async fn before_clusters(&self, changed: &ChangedRole) -> Result<Option<RoleDraft>, RoleResult> {
        let ChangedRole { id, name, arn, trust_policy } = changed;
        if let Some(reason) = exempt(&self.invocation.parameters, name, arn.as_deref(), &[], self.at) {
            return Err(self.no_verdict(name, id, reason));
        }
        let ruled_out = || self.no_verdict(name, id, NotApplicable::TrustPolicy);
        match trust_policy {
            Some(trust_policy) if self.is_ruled_out(trust_policy, name, arn.as_deref()) => Err(ruled_out()),
            Some(_) => Ok(None),
            None => {
                let draft = self.current(changed).await?;
                match draft.trust_policy() {
                    Ok(trust_policy)
                        if self.is_ruled_out(&trust_policy, &draft.record.name, Some(&draft.record.arn)) =>
                    {
                        Err(ruled_out())
                    }
                    _ => Ok(Some(draft)),
                }
            }
        }
    }

    /// Tests the changed role. It is read from IAM unless its name and its trust policy show that it is no node role. `Err` is
    /// its result if it is gone or cannot be read.
    async fn test(
        &self,
        classifier: &NodeClassifier<'_>,
        changed: &ChangedRole,
        draft: &mut Option<RoleDraft>,
    ) -> Result<Classification, RoleResult> {
        if draft.is_none() && !self.may_be_node_role(classifier, &changed.name, changed.trust_policy.as_ref()) {
            return Ok(Classification::NotNodeRole);
        }
        let role = match draft {
            Some(role) => role,
            None => draft.insert(self.current(changed).await?),
        };
        let classified = classifier.classify(&self.reader, role).await;
        classified.map_err(|cause| unreadable(&changed.name, Some(&changed.id), cause))
    }

    /// Whether the trust policy alone shows that the role is not evaluated.
    fn is_ruled_out(&self, trust_policy: &TrustPolicy, name: &str, arn: Option<&str>) -> bool {
        let parameters = &self.invocation.parameters;
        // Without its ARN, a role can be one that a pattern for ARNs names.
        let named = parameters.node_roles.matches(name, arn) || (arn.is_none() && parameters.node_roles.needs_arn());
        !named
            && trust_policy.rules_out_nodes()
            && (!parameters.scope.service_accounts || trust_policy.rules_out_pods())
    }

    /// Whether the role can be a node role, as far as its name and its trust policy show. If it can, IAM has to be asked.
    fn may_be_node_role(
        &self,
        classifier: &NodeClassifier<'_>,
        name: &str,
        trust_policy: Option<&TrustPolicy>,
    ) -> bool {
        let parameters = &self.invocation.parameters;
        let may_be_self_managed =
            classifier.admits_self_managed() && trust_policy.is_none_or(|policy| policy.admits_service("ec2"));
        classifier.named_by_eks().get(name).is_some()
            || may_be_self_managed
            || parameters.scope.service_accounts
            || parameters.node_roles.matches(name, None)
            || parameters.node_roles.needs_arn()
    }

    /// The changed role as IAM has it now. `Err` is the result if IAM no longer has it, or it cannot be read.
    async fn current(&self, changed: &ChangedRole) -> Result<RoleDraft, RoleResult> {
        self.progress.begin("reading the role", None);
        match self.reader.draft(&changed.name).await {
            Ok(Some(draft)) if draft.record.id == changed.id => Ok(draft),
            Ok(Some(_)) => Err(self.no_verdict(&changed.name, &changed.id, NotApplicable::Replaced)),
            Ok(None) => Err(self.no_verdict(&changed.name, &changed.id, NotApplicable::NoLongerExists)),
            Err(cause) => Err(unreadable(&changed.name, Some(&changed.id), cause)),
        }
    }

    /// The node roles that the policy is attached to, as a policy or as a permissions boundary. The policy itself gets no
    /// verdict.
    async fn policy_changed(&self, changed: &ChangedPolicy) -> Result<Report, EvaluationError> {
        let resource = ResourceId { resource_type: POLICY.to_owned(), id: changed.id.clone() };
        let mut report = self.no_verdict_on(resource, NotApplicable::OtherType);
        self.progress.begin("listing the roles of the policy", None);
        let roles = self.ports.iam.attached_roles(&changed.arn).await;
        let names: BTreeSet<String> = roles.map_err(EvaluationError::AttachedRolesUnknown)?.into_iter().collect();
        self.roles_that_changed(&mut report, &names).await;
        Ok(report)
    }

    /// The node role in the instance profile. The profile itself gets no verdict.
    async fn instance_profile_changed(&self, changed: &ChangedInstanceProfile) -> Report {
        let resource = ResourceId { resource_type: INSTANCE_PROFILE.to_owned(), id: changed.id.clone() };
        let mut report = self.no_verdict_on(resource, NotApplicable::OtherType);
        self.progress.begin("listing instance profiles", None);
        let held = report.or_unknown(self.ports.iam.roles_in_instance_profiles().await);
        let held = held.into_iter().filter(|(profile, _)| profile.name == changed.name);
        let names: BTreeSet<String> = held.map(|(_, role)| role.name).collect();
        self.roles_that_changed(&mut report, &names).await;
        report
    }

    /// Adds the results of the node roles among roles that a change of another resource concerns.
    async fn roles_that_changed(&self, report: &mut Report, names: &BTreeSet<String>) {
        if names.is_empty() {
            return;
        }
        let keys = names.iter().map(|name| name_key(name)).collect();
        let cached = self.classifier(&Freshness::cached(self.at, &keys)).await;
        let classifier = self.with_facts_about(&keys, cached, None).await;
        report.set_clusters(&classifier);
        let names = names.iter().filter(|name| self.may_be_node_role(&classifier, name, None)).map(String::as_str);
        self.results(report, &classifier, unique_names(names), Selection::Named).await;
    }

    /// The node roles that the cluster names, or its Fargate profile. The cluster itself gets no verdict. It changed, so it
    /// is read again even if it is in the cache.
    async fn cluster_changed(&self, changed: &ChangedCluster) -> Result<Report, EvaluationError> {
        let resource_type = if changed.fargate_profile.is_some() { FARGATE_PROFILE } else { CLUSTER };
        let resource = ResourceId { resource_type: resource_type.to_owned(), id: changed.id.clone() };
        let mut report = self.no_verdict_on(resource, NotApplicable::OtherType);
        if !self.invocation.parameters.scope.includes(&changed.cluster.region, &changed.cluster.name) {
            return Ok(report);
        }
        let roles = BTreeSet::new();
        let freshness = Freshness::cached(self.at, &roles).with_changed(&changed.cluster);
        let cached = self.classifier(&freshness).await;
        let named = |classifier: &NodeClassifier<'_>| {
            let roles = classifier.named_by(&changed.cluster, changed.fargate_profile.as_deref());
            unique_names(roles.map(|role| role.name.as_str()))
        };
        let classifier =
            self.with_facts_about(&named(&cached).into_keys().collect(), cached, Some(&changed.cluster)).await;
        report.set_clusters(&classifier);
        self.results(&mut report, &classifier, named(&classifier), Selection::Named).await;
        Ok(report)
    }

    /// Every node role, and NOT_APPLICABLE for the roles that the rule reported earlier and that are no node roles now.
    async fn all_roles(&self, rule_name: &str) -> Result<Report, EvaluationError> {
        let mut report = Report::new(Outcome::new(self.invocation));
        let roles = BTreeSet::new();
        let first_attempt = self.cache.start_schedule(rule_name, self.invocation.notified_at, self.at);
        let freshness = Freshness::of_schedule(first_attempt, self.at, &roles);
        let classifier = self.classifier(&freshness).await;
        report.set_clusters(&classifier);
        let (names, profiles) = self.candidates(&mut report, &classifier).await;
        // Before the first verdict is sent: findings are archived by what AWS Config showed before this run.
        let reported = if report.knows_all_node_roles() {
            self.progress.begin("reading earlier verdicts", None);
            Some(self.ports.store.reported(rule_name).await)
        } else {
            None
        };
        self.results(&mut report, &classifier, names, Selection::AllNodeRoles(profiles)).await;
        if !report.is_stored() {
            return Ok(report);
        }
        // AWS Config knows roles by their id. If the id of a node role could not be read, every reported role can be that
        // one, so none is cleared. The invocation fails, and its retry clears them.
        if !report.knows_all_node_roles() || report.unreadable().any(|role| role.id.is_none()) {
            return Ok(report);
        }
        match reported {
            None => {}
            Some(Ok(reported)) => {
                let roles = reported.iter().filter(|one| one.resource.resource_type == ROLE);
                report.outcome.reported = Some(roles.map(|role| role.resource.id.clone()).collect());
                let names = role_names(&reported);
                let skipped = &classifier.clusters().skipped_regions;
                let (kept, gone) = self.without_answer(reported, &report, skipped, first_attempt);
                let at = self.invocation.ordering_timestamp;
                let reason = NotApplicable::Cleared { skipped_regions: skipped.len() };
                let cleared = gone.into_iter().map(|role| {
                    let role_name = names.get(&role.id).cloned();
                    Answer { role_name, ..Answer::not_applicable(role, None, reason.clone(), at) }
                });
                report.outcome.answers.extend(cleared);
                report.outcome.kept = kept.into_iter().map(|role| role.id).collect();
            }
            // The verdicts are right without it.
            Some(Err(cause)) => report.problems.push(Problem::ReportedRolesUnknown(cause)),
        }
        Ok(report)
    }

    /// The names of roles that are or may be node roles, and the instance profiles that lists have shown.
    async fn candidates(
        &self,
        report: &mut Report,
        classifier: &NodeClassifier<'_>,
    ) -> (BTreeMap<String, String>, Profiles) {
        let parameters = &self.invocation.parameters;
        let named_by_eks = classifier.named_by_eks().iter().map(|role| role.name.as_str());
        let mut names = unique_names(named_by_eks.chain(parameters.node_roles.literal_names()));
        // Before they are counted: the number decides whether roles are listed, and how they are read.
        names.retain(|_, name| match exempt(parameters, name, None, &[], self.at) {
            Some(reason) => {
                report.outcome.add_exempt(name, None, reason);
                false
            }
            None => true,
        });
        let mut profiles = Profiles::new();
        // With more names all roles are read in pages, which shows the others too.
        if names.len() > MAX_READ_ONE_BY_ONE {
            return (names, profiles);
        }
        let is_candidate = |role: &ListedRole, in_profile| {
            classifier.is_candidate(&role.name, &role.arn, role.trust_policy.as_deref(), in_profile)
        };
        let is_exempt = |role: &ListedRole| parameters.exempt_roles.matches(&role.name, Some(&role.arn));
        if classifier.needs_all_roles() {
            self.progress.begin("listing roles", None);
            let roles = report.or_unknown(self.ports.iam.roles().await);
            let roles = roles.into_iter().filter(|role| is_candidate(role, false));
            let (exempt, roles): (Vec<_>, Vec<_>) = roles.partition(is_exempt);
            for role in exempt {
                report.outcome.add_exempt(&role.name, None, NotApplicable::ExemptRole);
            }
            names.extend(roles.into_iter().map(|role| (name_key(&role.name), role.name)));
        }
        if classifier.admits_self_managed() {
            self.progress.begin("listing instance profiles", None);
            for (profile, role) in report.or_unknown(self.ports.iam.roles_in_instance_profiles().await) {
                if !is_candidate(&role, true) {
                    continue;
                }
                if is_exempt(&role) {
                    report.outcome.add_exempt(&role.name, None, NotApplicable::ExemptRole);
                } else {
                    profiles.entry(name_key(&role.name)).or_default().push(profile);
                    names.insert(name_key(&role.name), role.name);
                }
            }
        }
        (names, profiles)
    }

    /// The reported roles that the report has neither an answer nor a problem about: those whose last annotation can be about a
    /// skipped region, which keep their verdict, and the others. A verdict that is newer than the facts is left out: an event
    /// was judged by newer ones.
    fn without_answer(
        &self,
        reported: Vec<Reported>,
        report: &Report,
        skipped: &[String],
        facts_read_at: OffsetDateTime,
    ) -> (BTreeSet<ResourceId>, BTreeSet<ResourceId>) {
        let current: BTreeSet<&str> =
            (report.outcome.answered()).chain(report.unreadable().filter_map(|role| role.id.as_deref())).collect();
        let (mut kept, mut gone) = (BTreeSet::new(), BTreeSet::new());
        for Reported { resource, annotation, recorded_at } in reported {
            let is_older = recorded_at < facts_read_at;
            if resource.resource_type == ROLE && is_older && !current.contains(resource.id.as_str()) {
                let can_be_skipped = !skipped.is_empty() && may_be_in(annotation.as_deref(), skipped);
                if can_be_skipped { &mut kept } else { &mut gone }.insert(resource);
            }
        }
        (kept, gone)
    }

    async fn classifier(&self, freshness: &Freshness<'_>) -> NodeClassifier<'_> {
        let parameters = &self.invocation.parameters;
        let clusters = self.cache.clusters(self.ports.eks, &parameters.scope, freshness, self.progress).await;
        NodeClassifier::new(&self.invocation.account_id, parameters, clusters, self.at)
    }

    /// How new facts must be that show that a role is no node role. `roles` are the roles of the event.
    fn after_change<'r>(&self, roles: &'r BTreeSet<String>) -> Freshness<'r> {
        Freshness::after_change(self.invocation.ordering_timestamp, self.at, roles)
    }

    /// The cached facts if they show that each role is a node role, and is used without a session policy. Else facts that
    /// were read after the change. `roles` are keys of names.
    async fn with_facts_about<'s>(
        &'s self,
        roles: &BTreeSet<String>,
        cached: NodeClassifier<'s>,
        changed: Option<&ClusterId>,
    ) -> NodeClassifier<'s> {
        let after_change = self.after_change(roles);
        let after_change = match changed {
            Some(cluster) => after_change.with_changed(cluster),
            None => after_change,
        };
        // The role of pods can have a trust policy that rules nodes out. Then only its pods make it a node role.
        let can_be_of_pods = self.invocation.parameters.scope.service_accounts;
        let shows_all = !can_be_of_pods && roles.iter().all(|role| cached.names_without_limit(role));
        if shows_all || cached.is_as_new_as(&after_change) { cached } else { self.classifier(&after_change).await }
    }

    /// Adds the results of the node roles among the named ones to the report, in the order of their names. Few roles are read
    /// one by one, many in pages of all roles. If a page fails, the roles of the pages before it are evaluated. On a schedule,
    /// each full batch of answers is sent at once.
    async fn results(
        &self,
        report: &mut Report,
        classifier: &NodeClassifier<'_>,
        names: BTreeMap<String, String>,
        selection: Selection,
    ) {
        let all = matches!(selection, Selection::AllNodeRoles(_));
        let classified: Vec<Classified> = if names.len() > MAX_READ_ONE_BY_ONE {
            let exempt_roles = &self.invocation.parameters.exempt_roles;
            let mut exempt = Vec::new();
            let drafts = self.reader.drafts(self.progress, |role| {
                let is_named = names.contains_key(&name_key(&role.record.name));
                let is_wanted = is_named || (all && classifier.is_candidate_in_detail(role));
                let is_exempt =
                    is_wanted && !is_named && exempt_roles.matches(&role.record.name, Some(&role.record.arn));
                if is_exempt {
                    exempt.push(role.record.name.clone());
                }
                is_wanted && !is_exempt
            });
            let (mut drafts, failed) = drafts.await;
            for name in exempt {
                report.outcome.add_exempt(&name, None, NotApplicable::ExemptRole);
            }
            report.add_unknown(failed);
            // A large account has megabytes of names.
            drop(names);
            drafts.sort_by_cached_key(|draft| name_key(&draft.record.name));
            self.progress.begin("finding node roles", drafts.len());
            let classified = stream::iter(drafts).map(|draft| self.classify(classifier, draft));
            classified.buffered(ROLES_AT_ONCE).inspect(|_| self.progress.advance(1)).collect().await
        } else {
            let mut profiles = match selection {
                Selection::Named => Profiles::new(),
                Selection::AllNodeRoles(profiles) => profiles,
            };
            self.progress.begin("finding node roles", names.len());
            let classified = stream::iter(names)
                .map(move |(key, name)| (name, profiles.remove(&key)))
                .map(|(name, profiles)| self.find_and_classify(classifier, name, profiles));
            classified.buffered(ROLES_AT_ONCE).inspect(|_| self.progress.advance(1)).collect().await
        };
        self.reader.prefetch_policies(self.progress, managed_policies(&classified)).await;
        self.progress.begin("reading policies", classified.len());
        // Roles are read at the same time and decided one after the other: reading waits for AWS, deciding does not.
        let mut read = stream::iter(classified)
            .map(|classified| async move {
                match classified {
                    Classified::NodeRole(node_role) => Some(Ok(self.read(*node_role).await)),
                    Classified::Done(result) => Some(Err(result)),
                    Classified::NotNodeRole => None,
                }
            })
            .buffered(ROLES_AT_ONCE);
        let mut refused = Vec::new();
        while let Some(read) = read.next().await {
            self.progress.advance(1);
            let result = match read {
                Some(Ok(read)) => Some(self.result(read).await),
                Some(Err(result)) => Some(result),
                None => None,
            };
            report.add(result);
            if all && report.outcome.answers.len() >= BATCH {
                self.send_batch(report, &mut refused).await;
                if !report.is_stored() {
                    return;
                }
            }
        }
        report.outcome.answers.append(&mut refused);
    }

    /// Sends the answers of the report to AWS Config, and drops those that it stores. The others are added to `refused`, to be
    /// sent again with the last answers.
    async fn send_batch(&self, report: &mut Report, refused: &mut Vec<Answer>) {
        let batch = std::mem::take(&mut report.outcome.answers);
        match evaluations::send_batch(self.ports.store, &self.invocation.result_token, batch).await {
            Ok((stored, not_stored)) => {
                for answer in stored {
                    (self.on_stored)(&answer);
                    let finding = finding_of_answer(self.invocation, &answer, self.at);
                    report.outcome.stored.add(answer, finding);
                }
                refused.extend(not_stored);
            }
            Err((cause, unsent)) => {
                report.outcome.answers.append(refused);
                report.outcome.answers.extend(unsent);
                let resources: Vec<_> =
                    report.outcome.answers.iter().map(|answer| answer.evaluation.resource.clone()).collect();
                let total = report.outcome.answered().count();
                let problem = NotStored::Call { cause, resources, total };
                report.problems.push(Problem::EvaluationsNotStored(problem));
            }
        }
    }

    async fn find_and_classify(
        &self,
        classifier: &NodeClassifier<'_>,
        name: String,
        profiles: Option<Vec<InstanceProfile>>,
    ) -> Classified {
        let draft = match self.reader.draft(&name).await {
            Ok(Some(draft)) => draft,
            // EKS still names a role that was deleted. Its id is not known; a scheduled run clears its verdict.
            Ok(None) => return Classified::NotNodeRole,
            Err(cause) => return Classified::Done(unreadable(&name, None, cause)),
        };
        let draft = match profiles {
            Some(profiles) => draft.in_profiles(profiles),
            None => draft,
        };
        match self.classify(classifier, draft).await {
            Classified::NodeRole(node_role) => self.with_attached(node_role).await,
            classified => classified,
        }
    }

    /// The role with the ARNs of its managed policies. They have to be known for all roles before the policies are read.
    async fn with_attached(&self, mut node_role: Box<NodeRoleDraft>) -> Classified {
        let (name, id) = name_and_id(&node_role.draft);
        match self.reader.attached(&mut node_role.draft).await {
            Ok(Some(_)) => Classified::NodeRole(node_role),
            Ok(None) => Classified::Done(self.no_verdict(&name, &id, NotApplicable::NoLongerExists)),
            Err(cause) => Classified::Done(unreadable(&name, Some(&id), cause)),
        }
    }

    async fn classify(&self, classifier: &NodeClassifier<'_>, mut draft: RoleDraft) -> Classified {
        let (name, id) = name_and_id(&draft);
        match classifier.classify(&self.reader, &mut draft).await {
            Ok(Classification::NodeRole(facts)) => Classified::NodeRole(Box::new(NodeRoleDraft { draft, facts })),
            Ok(Classification::NoVerdict(reason)) => Classified::Done(self.no_verdict(&name, &id, reason)),
            Ok(Classification::NotNodeRole) => Classified::NotNodeRole,
            Err(cause) => Classified::Done(unreadable(&name, Some(&id), cause)),
        }
    }

    async fn read(&self, NodeRoleDraft { draft, facts }: NodeRoleDraft) -> NodeRoleRead {
        let (name, id) = name_and_id(&draft);
        NodeRoleRead { name, id, facts, read: self.reader.complete(draft).await }
    }

    async fn result(&self, NodeRoleRead { name, id, mut facts, read }: NodeRoleRead) -> RoleResult {
        let role = match read {
            Ok(RoleRead::Complete(role)) => *role,
            Ok(RoleRead::Gone) => return self.no_verdict(&name, &id, NotApplicable::NoLongerExists),
            Err(cause) => return unreadable(&name, Some(&id), cause),
        };
        // The role may have been read again, with another trust policy than the one that was classified.
        facts.retain(|fact| !fact.kind.ruled_out_by(&role.trust_policy));
        let no_exemption = no_exemption(&self.invocation.parameters, &role.tags, self.at);
        match self.verdicts(role, facts).await {
            Ok((role, verdicts)) => {
                let at = self.invocation.ordering_timestamp;
                match Answer::verdict(&role, verdicts, no_exemption, at) {
                    Some(answer) => RoleResult::Answer(Box::new(answer)),
                    None => self.no_verdict(&name, &id, NotApplicable::TrustPolicy),
                }
            }
            Err(cause) => unreadable(&name, Some(&id), cause),
        }
    }

    /// The verdicts on the role's sessions: one for each distinct session policy of its uses, no policy included.
    async fn verdicts(&self, mut role: Role, facts: Vec<NodeFact>) -> Result<(Role, Vec<SessionVerdict>), RoleError> {
        let mut verdicts = Vec::new();
        for Sessions { policy, facts } in sessions(facts)? {
            yield_once().await;
            role.session_policy = policy;
            let verdict = judge(&role, &self.invocation.parameters.criteria, self.at);
            verdicts.push(SessionVerdict::new(&role, facts, verdict));
        }
        Ok((role, verdicts))
    }

    fn no_verdict(&self, role_name: &str, role_id: &str, reason: NotApplicable) -> RoleResult {
        let at = self.invocation.ordering_timestamp;
        RoleResult::Answer(Box::new(Answer::not_applicable(role(role_id), Some(role_name), reason, at)))
    }
}

/// The names of reported roles by their id, as far as their last annotations show them. Only the log uses them.
fn role_names(reported: &[Reported]) -> BTreeMap<String, String> {
    let name = |one: &Reported| one.annotation.as_deref()?.parse::<Annotation>().ok()?.role_name;
    reported.iter().filter_map(|one| Some((one.resource.id.clone(), name(one)?))).collect()
}

fn role(id: &str) -> ResourceId {
    ResourceId { resource_type: ROLE.to_owned(), id: id.to_owned() }
}

fn name_and_id(draft: &RoleDraft) -> (String, String) {
    (draft.record.name.clone(), draft.record.id.clone())
}

fn unreadable(name: &str, id: Option<&str>, cause: RoleError) -> RoleResult {
    RoleResult::Unreadable(UnreadableRole { name: name.to_owned(), id: id.map(str::to_owned), cause })
}

/// The managed policies of the node roles, as far as they are known.
fn managed_policies(classified: &[Classified]) -> BTreeSet<String> {
    let node_roles = classified.iter().filter_map(|classified| match classified {
        Classified::NodeRole(node_role) => Some(node_role),
        Classified::Done(_) | Classified::NotNodeRole => None,
    });
    node_roles.flat_map(|node_role| node_role.draft.managed_policies().cloned()).collect()
}

/// Names of roles by their key, so that each role is there once, however its name is spelled.
fn unique_names<'n>(names: impl Iterator<Item = &'n str>) -> BTreeMap<String, String> {
    names.map(|name| (name_key(name), name.to_owned())).collect()
}

/// Returns control to the caller once. Deciding a role makes no call, so without this the caller could not check the time
/// between two roles.
async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
