//! The test whether a role is a node's: what EKS says, what the parameters say, and what IAM shows of self-managed nodes.
//!
//! Knows the facts by which roles of nodes that EKS does not start are told, and asks IAM for them from cheap to dear.
//! Events and the schedule apply this one test. Must not know what a role may do.

use std::sync::Arc;

use crate::access::NotApplicable;
use crate::policy::TrustPolicy;
use crate::policy::arn::Arn;
use crate::policy::tag::Tag;
use crate::rule::invocation::parameters::RuleParameters;
use crate::rule::nodes::facts::{NodeFact, NodeRole, NodeRoles, Place};
use crate::rule::ports::eks::{Authentication, ClusterId, NodeKind};
use crate::rule::ports::iam::{Iam, InstanceProfile, RoleDetails};
use crate::rule::read::clusters::Clusters;
use crate::rule::read::roles::{RoleDraft, RoleError, RoleReader};

/// The key of a tag that names a cluster after this
/// (<https://docs.aws.amazon.com/eks/latest/userguide/worker.html>).
const CLUSTER_TAG_PREFIX: &str = "kubernetes.io/cluster/";

/// Keys of tags whose value is the name of a cluster: EKS's own on what it makes, and eksctl's.
const CLUSTER_TAGS: [&str; 3] = ["aws:eks:cluster-name", "eks:eks-cluster-name", "alpha.eksctl.io/cluster-name"];

/// The key of Karpenter's tag on the instance profiles that it makes; its value is a node class, of any cluster.
const NODE_CLASS_TAG: &str = "karpenter.k8s.aws/ec2nodeclass";

/// AWS's policies for nodes, whose ARN ends in these names, in every partition
/// (<https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html>).
const WORKER_POLICIES: [&str; 2] = ["AmazonEKSWorkerNodePolicy", "AmazonEKSWorkerNodeMinimalPolicy"];

/// What the test of a role came to.
#[derive(Debug)]
pub(in crate::rule) enum Classification {
    /// A node's role, by these facts: sorted, at least one.
    Node(Vec<NodeFact>),
    /// No node's role, as far as can be seen.
    NotNode,
    /// A node's by some fact, but its trust policy admits nobody by whom it could be.
    RuledOut,
    /// The parameters take it out.
    Exempt(NotApplicable),
    /// Gone while it was looked at.
    Gone,
}

/// The test, with what it goes by.
pub(in crate::rule) struct NodeClassifier<'a> {
    parameters: &'a RuleParameters,
    clusters: Arc<Clusters>,
    node_roles: NodeRoles,
    /// The clusters that admit nodes without an access entry.
    open: Arc<[ClusterId]>,
}

impl<'a> NodeClassifier<'a> {
    pub(in crate::rule) fn new(account_id: &str, parameters: &'a RuleParameters, clusters: Arc<Clusters>) -> Self {
        let uses = clusters.clusters.iter().flat_map(|cluster| cluster.roles.iter().map(|role| (&cluster.id, role)));
        let node_roles = NodeRoles::of_account(account_id, uses);
        let open = clusters.clusters.iter().filter(|one| one.record.authentication != Authentication::AccessEntries);
        let open = open.map(|cluster| cluster.id.clone()).collect();
        Self { parameters, clusters, node_roles, open }
    }

    /// The clusters that the test goes by.
    pub(in crate::rule) fn clusters(&self) -> &Clusters {
        &self.clusters
    }

    /// The roles that EKS names.
    pub(in crate::rule) fn named_by_eks(&self) -> &NodeRoles {
        &self.node_roles
    }

    /// The roles that a cluster names, or one of its Fargate profiles.
    pub(in crate::rule) fn named_by<'s>(
        &'s self,
        cluster: &'s ClusterId,
        profile: Option<&'s str>,
    ) -> impl Iterator<Item = &'s NodeRole> {
        let meant = move |fact: &NodeFact| {
            let of_profile = |profile| matches!(&fact.kind, NodeKind::FargateProfile(name) if name == profile);
            matches!(&fact.place, Place::Cluster(place) if place == cluster) && profile.is_none_or(of_profile)
        };
        self.node_roles.iter().filter(move |role| role.facts.iter().any(meant))
    }

    /// Whether roles may be nodes' of which EKS and the parameters tell no name: those in an instance profile.
    pub(in crate::rule) fn admits_self_managed(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether only a list of all roles shows those that are meant.
    pub(in crate::rule) fn needs_all_roles(&self) -> bool {
        self.parameters.node_roles.has_wildcards() || self.issuers().next().is_some()
    }

    fn issuers(&self) -> impl Iterator<Item = (&ClusterId, &str)> {
        let clusters = self.clusters.clusters.iter().filter(|_| self.parameters.scope.service_accounts);
        clusters.filter_map(|cluster| Some((&cluster.id, cluster.record.oidc_issuer.as_deref()?)))
    }

    /// Whether a role that was listed is worth to be looked at. A trust policy that is not understood may say anything.
    pub(in crate::rule) fn is_candidate(
        &self,
        name: &str,
        arn: &str,
        trust_policy: Option<&str>,
        in_profile: bool,
    ) -> bool {
        if self.parameters.exempt_roles.matches(name, Some(arn)) {
            return false;
        }
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

    /// The same of a role in detail.
    pub(in crate::rule) fn wants(&self, details: &RoleDetails) -> bool {
        let role = &details.record;
        self.is_candidate(&role.name, &role.arn, Some(&role.trust_policy), !details.instance_profiles.is_empty())
    }

    /// Tests a role. What EKS and the parameters say costs no call. Only a role of which they say nothing is looked at
    /// for the marks of self-managed nodes: its tags, its managed policies, its instance profiles' tags, in this order, up
    /// to the first that tells.
    pub(in crate::rule) async fn test<I: Iam>(
        &self,
        reader: &RoleReader<'_, I>,
        draft: &mut RoleDraft,
    ) -> Result<Classification, RoleError> {
        let (name, arn) = (draft.record.name.clone(), draft.record.arn.clone());
        if let Some(why) = exempt(self.parameters, &draft.record.name, Some(&arn), &draft.record.tags) {
            return Ok(Classification::Exempt(why));
        }
        let mut facts = self.node_roles.get(&name).map(|role| role.facts.clone()).unwrap_or_default();
        if self.parameters.node_roles.matches(&name, Some(&arn)) {
            facts.push(NodeFact { place: Place::Unsaid, kind: NodeKind::Parameter });
        }
        let trust_policy = draft.trust_policy()?;
        let issuers = self.issuers().filter(|(_, issuer)| trust_policy.admits_oidc_issuer(issuer));
        facts.extend(
            issuers.map(|(cluster, _)| NodeFact {
                place: Place::Cluster(cluster.clone()),
                kind: NodeKind::ServiceAccount,
            }),
        );
        let said = !facts.is_empty();
        facts.retain(|fact| !fact.kind.ruled_out_by(&trust_policy));
        if facts.is_empty() && !self.open.is_empty() && trust_policy.admits_service("ec2") {
            match self.self_managed(reader, draft).await? {
                Some(found) => facts = found,
                None => return Ok(Classification::Gone),
            }
        }
        if facts.is_empty() {
            return Ok(if said { Classification::RuledOut } else { Classification::NotNode });
        }
        facts.sort();
        facts.dedup();
        Ok(Classification::Node(facts))
    }

    /// The facts that show a role to be of self-managed nodes; `None` if it is gone.
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
        if !marks.of_others {
            let Some(attached) = reader.attached(draft).await? else { return Ok(None) };
            let worker_policies = attached.iter().filter_map(|arn| worker_policy(arn));
            let facts: Vec<NodeFact> =
                worker_policies.map(|name| self.of_any_open(NodeKind::WorkerPolicy(name.to_owned()))).collect();
            if !facts.is_empty() {
                return Ok(Some(facts));
            }
        }
        let mut facts = Vec::new();
        for profile in profiles {
            let name = profile.name.clone();
            let tags = reader.tags(InstanceProfile { name: profile.name, tags: profile.tags }).await?;
            facts.extend(self.marks(&tags, |key| NodeKind::ProfileTag(name.clone(), key)).facts);
        }
        Ok(Some(facts))
    }

    fn of_any_open(&self, kind: NodeKind) -> NodeFact {
        let place = match &*self.open {
            [only] => Place::Cluster(only.clone()),
            _ => Place::OneOf(Arc::clone(&self.open)),
        };
        NodeFact { place, kind }
    }

    /// What tags tell.
    fn marks(&self, tags: &[Tag], kind: impl Fn(String) -> NodeKind) -> Marks {
        let mut facts = Vec::new();
        let (mut names, mut meant, mut node_class) = (0, 0, None);
        for Tag { key, value } in tags {
            let cluster = match key.strip_prefix(CLUSTER_TAG_PREFIX) {
                Some(cluster) => cluster,
                None if CLUSTER_TAGS.contains(&key.as_str()) => value,
                None if key == NODE_CLASS_TAG => {
                    node_class = Some(key);
                    continue;
                }
                None => continue,
            };
            names += 1;
            meant += usize::from(self.parameters.scope.names.matches(cluster));
            let clusters = self.open.iter().filter(|open| open.name == *cluster);
            facts
                .extend(clusters.map(|open| NodeFact { place: Place::Cluster(open.clone()), kind: kind(key.clone()) }));
        }
        // The tags beside it say of which cluster the node class is.
        let node_class = node_class.filter(|_| names == 0);
        facts.extend(node_class.map(|key| self.of_any_open(kind(key.clone()))));
        Marks { facts, of_others: names > 0 && meant == 0 }
    }
}

/// What tags tell of a role.
struct Marks {
    facts: Vec<NodeFact>,
    /// They name clusters, and none that the parameters mean: the policies attached to the role are for those clusters.
    of_others: bool,
}

/// Why the parameters take a role out, if they do.
pub(in crate::rule) fn exempt(
    parameters: &RuleParameters,
    name: &str,
    arn: Option<&str>,
    tags: &[Tag],
) -> Option<NotApplicable> {
    if parameters.exempt_roles.matches(name, arn) {
        return Some(NotApplicable::ExemptRole);
    }
    let tag = parameters.exempt_tag.as_ref().filter(|tag| tags.contains(tag))?;
    Some(NotApplicable::ExemptTag { key: tag.key.clone(), value: tag.value.clone() })
}

fn worker_policy(arn: &str) -> Option<&str> {
    let name = Arn::parse(arn)?.aws_managed_policy()?;
    WORKER_POLICIES.contains(&name).then_some(name)
}
