//! Is a role a node role? The facts come from EKS, from the rule's parameters, and from IAM for self-managed nodes.
//!
//! Events and the schedule use this one test. It asks IAM in the order of cost. What a role may do is not its business.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::access::NotApplicable;
use crate::access::node_marks::{tag_marks, worker_policy};
use crate::policy::TrustPolicy;
use crate::policy::tag::Tag;
use crate::rule::invocation::parameters::RuleParameters;
use crate::rule::nodes::exemption::exempt;
use crate::rule::nodes::facts::{NodeFact, NodeRole, NodeRoles, Place};
use crate::rule::ports::eks::{Authentication, ClusterId, NodeKind};
use crate::rule::ports::iam::{Iam, InstanceProfile, RoleDetails};
use crate::rule::read::answers::Freshness;
use crate::rule::read::clusters::Clusters;
use crate::rule::read::roles::{RoleDraft, RoleError, RoleReader};

/// The answer of the test for one role.
#[derive(Debug)]
pub(in crate::rule) enum Classification {
    /// A node role, because of these facts: sorted, at least one.
    NodeRole(Vec<NodeFact>),
    /// Not a node role, as far as the facts show.
    NotNodeRole,
    /// The role gets no verdict: it is exempt, it is gone, or its trust policy rules out all facts.
    NoVerdict(NotApplicable),
}

impl Classification {
    /// Whether further facts can change the answer, or the verdict: the role is not shown to be a node role, or session
    /// policies limit all known uses of it.
    pub(in crate::rule) fn depends_on_other_facts(&self) -> bool {
        match self {
            Self::NodeRole(facts) => facts.iter().all(|fact| fact.kind.session_policy().is_some()),
            Self::NotNodeRole | Self::NoVerdict(NotApplicable::TrustPolicy) => true,
            Self::NoVerdict(_) => false,
        }
    }
}

/// The test, with the parameters and clusters that it uses.
pub(in crate::rule) struct NodeClassifier<'a> {
    parameters: &'a RuleParameters,
    at: OffsetDateTime,
    clusters: Arc<Clusters>,
    node_roles: NodeRoles,
    /// The clusters that a node can join without an access entry, so that EKS does not name its role.
    without_entries: Arc<[ClusterId]>,
}

impl<'a> NodeClassifier<'a> {
    pub(in crate::rule) fn new(
        account_id: &str,
        parameters: &'a RuleParameters,
        clusters: Arc<Clusters>,
        at: OffsetDateTime,
    ) -> Self {
        let uses = clusters.clusters.iter().flat_map(|cluster| cluster.roles.iter().map(|role| (&cluster.id, role)));
        let node_roles = NodeRoles::of_account(account_id, uses);
        let all = clusters.clusters.iter();
        let without_entries = all.filter(|cluster| cluster.record.authentication != Authentication::AccessEntries);
        let without_entries = without_entries.map(|cluster| cluster.id.clone()).collect();
        Self { parameters, at, clusters, node_roles, without_entries }
    }

    /// The clusters in scope.
    pub(in crate::rule) fn clusters(&self) -> &Clusters {
        &self.clusters
    }

    /// Whether the facts are that new. After a failed call they count as new: no negative answer follows from them.
    pub(in crate::rule) fn is_as_new_as(&self, freshness: &Freshness<'_>) -> bool {
        self.clusters.listed_at >= freshness.since() || !self.clusters.unread.is_empty()
    }

    /// Whether EKS or the parameters name the role, for a use that no session policy limits. `name` is the key of a name.
    pub(in crate::rule) fn names_without_limit(&self, name: &str) -> bool {
        let mut facts = self.node_roles.get(name).into_iter().flat_map(|role| &role.facts);
        facts.any(|fact| fact.kind.session_policy().is_none())
    }

    /// The node roles that EKS names.
    pub(in crate::rule) fn named_by_eks(&self) -> &NodeRoles {
        &self.node_roles
    }

    /// The node roles that a cluster names, or only those of one of its Fargate profiles.
    pub(in crate::rule) fn named_by<'s>(
        &'s self,
        cluster: &'s ClusterId,
        profile: Option<&'s str>,
    ) -> impl Iterator<Item = &'s NodeRole> {
        let is_wanted = move |fact: &NodeFact| {
            let of_profile = |profile| matches!(&fact.kind, NodeKind::FargateProfile(name) if name == profile);
            matches!(&fact.place, Place::Cluster(place) if place == cluster) && profile.is_none_or(of_profile)
        };
        self.node_roles.iter().filter(move |role| role.facts.iter().any(is_wanted))
    }

    /// Whether there can be roles of self-managed nodes, which neither EKS nor the parameters name. Each is in an instance
    /// profile.
    pub(in crate::rule) fn admits_self_managed(&self) -> bool {
        !self.without_entries.is_empty()
    }

    /// Whether only a list of all roles shows which roles are node roles.
    pub(in crate::rule) fn needs_all_roles(&self) -> bool {
        self.parameters.node_roles.has_wildcards() || self.issuers().next().is_some()
    }

    /// The OIDC issuers of the clusters, if the roles of pods are evaluated.
    fn issuers(&self) -> impl Iterator<Item = (&ClusterId, &str)> {
        let clusters = self.clusters.clusters.iter().filter(|_| self.parameters.scope.service_accounts);
        clusters.filter_map(|cluster| Some((&cluster.id, cluster.record.oidc_issuer.as_deref()?)))
    }

    /// Whether a role of a list can be a node role, also if the parameters exempt it. An unknown or unreadable trust policy can
    /// allow anything.
    pub(in crate::rule) fn is_candidate(
        &self,
        name: &str,
        arn: &str,
        trust_policy: Option<&str>,
        in_profile: bool,
    ) -> bool {
        if self.node_roles.get(name).is_some() || self.parameters.node_roles.matches(name, Some(arn)) {
            return true;
        }
        let (self_managed, pods) = (in_profile && self.admits_self_managed(), self.parameters.scope.service_accounts);
        if !self_managed && !pods {
            return false;
        }
        let Some(Ok(trust_policy)) = trust_policy.map(TrustPolicy::parse) else { return true };
        (self_managed && trust_policy.admits_service("ec2"))
            || self.issuers().any(|(_, issuer)| trust_policy.admits_oidc_issuer(issuer))
    }

    /// [`Self::is_candidate`] for a role in detail.
    pub(in crate::rule) fn is_candidate_in_detail(&self, details: &RoleDetails) -> bool {
        let role = &details.record;
        self.is_candidate(&role.name, &role.arn, Some(&role.trust_policy), !details.instance_profiles.is_empty())
    }

    /// Tests a role. The facts of EKS and of the parameters cost no call. Without such a fact, and if a session policy limits
    /// each of them, the marks of self-managed nodes are read up to the first that is found: the role's tags, its managed
    /// policies, the tags of its instance profiles.
    pub(in crate::rule) async fn classify<I: Iam>(
        &self,
        reader: &RoleReader<'_, I>,
        draft: &mut RoleDraft,
    ) -> Result<Classification, RoleError> {
        let (name, arn) = (draft.record.name.clone(), draft.record.arn.clone());
        if let Some(reason) = exempt(self.parameters, &name, Some(&arn), &draft.record.tags, self.at) {
            return Ok(Classification::NoVerdict(reason));
        }
        let mut facts = self.node_roles.get(&name).map(|role| role.facts.clone()).unwrap_or_default();
        if self.parameters.node_roles.matches(&name, Some(&arn)) {
            facts.push(NodeFact { place: Place::NoCluster, kind: NodeKind::Parameter });
        }
        let trust_policy = draft.trust_policy()?;
        let issuers = self.issuers().filter(|(_, issuer)| trust_policy.admits_oidc_issuer(issuer));
        facts.extend(
            issuers.map(|(cluster, _)| NodeFact {
                place: Place::Cluster(cluster.clone()),
                kind: NodeKind::ServiceAccount,
            }),
        );
        let had_facts = !facts.is_empty();
        facts.retain(|fact| !fact.kind.ruled_out_by(&trust_policy));
        let all_limited = facts.iter().all(|fact| fact.kind.session_policy().is_some());
        if all_limited && self.admits_self_managed() && trust_policy.admits_service("ec2") {
            match self.self_managed(reader, draft).await? {
                Some(found) => facts.extend(found),
                None => return Ok(Classification::NoVerdict(NotApplicable::NoLongerExists)),
            }
        }
        if facts.is_empty() {
            let ruled_out = Classification::NoVerdict(NotApplicable::TrustPolicy);
            return Ok(if had_facts { ruled_out } else { Classification::NotNodeRole });
        }
        facts.sort();
        facts.dedup();
        Ok(Classification::NodeRole(facts))
    }

    /// The facts that show a role of self-managed nodes; `None` if the role is gone.
    async fn self_managed<I: Iam>(
        &self,
        reader: &RoleReader<'_, I>,
        draft: &mut RoleDraft,
    ) -> Result<Option<Vec<NodeFact>>, RoleError> {
        let Some(profiles) = reader.instance_profiles(draft).await? else { return Ok(None) };
        if profiles.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let marks = self.marks(&draft.record.tags, NodeKind::RoleTag);
        if !marks.facts.is_empty() {
            return Ok(Some(marks.facts));
        }
        if !marks.of_left_out {
            let Some(attached) = reader.attached(draft).await? else { return Ok(None) };
            let worker_policies = attached.iter().filter_map(|arn| worker_policy(arn));
            let facts: Vec<NodeFact> =
                worker_policies.map(|name| self.of_unknown_cluster(NodeKind::WorkerPolicy(name.to_owned()))).collect();
            if !facts.is_empty() {
                return Ok(Some(facts));
            }
        }
        let mut facts = Vec::new();
        for profile in profiles {
            let name = profile.name.clone();
            let tags = reader.profile_tags(InstanceProfile { name: profile.name, tags: profile.tags }).await?;
            facts.extend(self.marks(&tags, |key| NodeKind::ProfileTag(name.clone(), key)).facts);
        }
        Ok(Some(facts))
    }

    /// A fact that names no cluster: it is about one of those that a node can join without an access entry.
    fn of_unknown_cluster(&self, kind: NodeKind) -> NodeFact {
        let place = match &*self.without_entries {
            [only] => Place::Cluster(only.clone()),
            _ => Place::OneOf(Arc::clone(&self.without_entries)),
        };
        NodeFact { place, kind }
    }

    /// The facts in tags.
    fn marks(&self, tags: &[Tag], kind: impl Fn(String) -> NodeKind) -> Marks {
        let mut facts = Vec::new();
        // A cluster that could not be read can exist, and can be left out. Then the marks show less.
        let (clusters, scope) = (&self.clusters, &self.parameters.scope);
        let is_incomplete = !clusters.unread.is_empty();
        let is_left_out =
            |name: &str| clusters.left_out.contains(name) || (is_incomplete && !scope.names.matches(name));
        let exists =
            |name: &str| is_incomplete || is_left_out(name) || clusters.clusters.iter().any(|one| one.id.name == name);
        let (mut in_scope, mut left_out) = (false, false);
        for mark in tag_marks(tags, exists) {
            let kind = kind(mark.key.to_owned());
            let Some(cluster) = mark.cluster else {
                facts.push(self.of_unknown_cluster(kind));
                continue;
            };
            in_scope |= scope.names.matches(cluster);
            left_out |= is_left_out(cluster);
            let clusters = self.without_entries.iter().filter(|one| one.name == *cluster);
            facts.extend(clusters.map(|one| NodeFact { place: Place::Cluster(one.clone()), kind: kind.clone() }));
        }
        Marks { facts, of_left_out: left_out && !in_scope }
    }
}

/// The marks of self-managed nodes in the tags of a role or an instance profile.
struct Marks {
    facts: Vec<NodeFact>,
    /// The tags name a cluster that EKS lists and the parameter `ClusterNames` leaves out, and none in scope. Then the
    /// role's policies for nodes are for that cluster. A tag that names no existing cluster shows nothing.
    of_left_out: bool,
}
