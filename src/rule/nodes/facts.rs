//! Facts that make a role a node role, and their text. Node roles that EKS names.
//!
//! Knows facts and roles, not how the facts are found.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::access::Annotation;
use crate::access::node_marks::{NodeMark, TagMark};
use crate::policy::arn::Arn;
use crate::rule::ports::eks::{ClusterId, NodeKind, RoleUse};
use crate::rule::ports::iam::name_key;

/// The clusters that a fact is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// This cluster.
    Cluster(ClusterId),
    /// One of these clusters, unknown which: a node can join each of them without an access entry. At least one.
    OneOf(Arc<[ClusterId]>),
    /// No cluster: the fact is about the role alone.
    NoCluster,
}

/// A fact that makes a role a node role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeFact {
    /// The clusters.
    pub place: Place,
    /// How they use the role.
    pub kind: NodeKind,
}

/// How many clusters the text of a fact names.
const NAMED_CLUSTERS: usize = 5;

/// `node group build of cluster shop, us-east-1`, or
/// `AmazonEKSWorkerNodePolicy on an instance profile; cluster unknown, one of: batch (us-east-1), shop (us-east-1)`.
impl fmt::Display for NodeFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            NodeKind::NodeGroup(name) => write!(f, "node group {name}")?,
            NodeKind::AutoMode => write!(f, "Auto Mode")?,
            NodeKind::FargateProfile(name) => write!(f, "Fargate profile {name}")?,
            NodeKind::AccessEntry(entry_type) => write!(f, "access entry {entry_type}")?,
            NodeKind::RoleTag(key) => NodeMark::RoleTag(TagMark { key, cluster: None }).fmt(f)?,
            NodeKind::WorkerPolicy(name) => NodeMark::WorkerPolicy { name, in_profile: true }.fmt(f)?,
            NodeKind::ProfileTag(profile, key) => {
                NodeMark::ProfileTag { profile, tag: TagMark { key, cluster: None } }.fmt(f)?;
            }
            NodeKind::Parameter => write!(f, "parameter NodeRoles")?,
            NodeKind::PodIdentity { pods, .. } => write!(f, "Pod Identity {pods}")?,
            NodeKind::Addon(name) => write!(f, "add-on {name}")?,
            NodeKind::ServiceAccount => write!(f, "OIDC provider")?,
        }
        match &self.place {
            Place::Cluster(cluster) => write!(f, " of cluster {cluster}"),
            Place::NoCluster => Ok(()),
            Place::OneOf(clusters) => {
                let named = clusters.iter().take(NAMED_CLUSTERS);
                let named: Vec<String> = named.map(|ClusterId { name, region }| format!("{name} ({region})")).collect();
                write!(f, "; cluster unknown, one of: {}", named.join(", "))?;
                match clusters.len().saturating_sub(NAMED_CLUSTERS) {
                    0 => Ok(()),
                    more => write!(f, " or {more} more"),
                }
            }
        }
    }
}

/// Whether the node facts of an annotation can be about one of the regions. If it does not show all of them, they can.
pub(in crate::rule) fn may_be_in(annotation: Option<&str>, regions: &[String]) -> bool {
    let Some(Ok(annotation)) = annotation.map(str::parse::<Annotation>) else { return true };
    let fact = annotation.node_fact.filter(|_| annotation.more_node_facts == 0);
    let named = fact.as_deref().and_then(regions_of);
    named.is_none_or(|named| named.iter().any(|region| regions.iter().any(|one| one == region)))
}

/// The regions in the text of a fact: the text that [`NodeFact`] has, with a capital letter, and perhaps with names that are cut.
/// `None` if it does not show all of them.
fn regions_of(fact: &str) -> Option<Vec<&str>> {
    if fact == "Parameter NodeRoles" {
        return Some(Vec::new());
    }
    if let Some((_, clusters)) = fact.split_once("; cluster unknown, one of: ") {
        // The last one can be `shop (us-east-1) or 2 more`.
        return clusters.split(", ").map(|one| Some(one.strip_suffix(')')?.rsplit_once(" (")?.1)).collect();
    }
    let (_, cluster) = fact.rsplit_once(" of cluster ")?;
    Some(vec![cluster.rsplit_once(", ")?.1])
}

/// A node role that EKS names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRole {
    /// The role's name, as EKS spells it.
    pub name: String,
    /// The facts that make it a node role: sorted, at least one, none twice.
    pub facts: Vec<NodeFact>,
}

/// The node roles of one account that EKS names.
#[derive(Debug, Clone, Default)]
pub struct NodeRoles {
    roles: BTreeMap<String, NodeRole>,
    elsewhere: usize,
}

impl NodeRoles {
    /// Groups the uses of roles by role: those of roles of `account_id`. Clusters can run nodes with roles of other accounts
    /// (hybrid nodes, access entries). Such roles are evaluated in their own account, and only counted here.
    pub fn of_account<'a>(account_id: &str, uses: impl IntoIterator<Item = (&'a ClusterId, &'a RoleUse)>) -> Self {
        let mut roles: BTreeMap<String, NodeRole> = BTreeMap::new();
        let mut elsewhere = 0;
        for (cluster, RoleUse { role_arn, kind }) in uses {
            match role_of(role_arn) {
                Some((account, name)) if account == account_id => {
                    roles
                        .entry(name_key(name))
                        .or_insert_with(|| NodeRole { name: name.to_owned(), facts: Vec::new() })
                        .facts
                        .push(NodeFact { place: Place::Cluster(cluster.clone()), kind: kind.clone() });
                }
                _ => elsewhere += 1,
            }
        }
        for role in roles.values_mut() {
            role.facts.sort();
            role.facts.dedup();
        }
        Self { roles, elsewhere }
    }

    /// The node role of that name.
    pub fn get(&self, name: &str) -> Option<&NodeRole> {
        self.roles.get(&name_key(name))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &NodeRole> {
        self.roles.values()
    }

    /// How many uses are not about a role of the account.
    pub fn elsewhere(&self) -> usize {
        self.elsewhere
    }
}

/// The account and the name of the role that an ARN names: `arn:aws:iam::111122223333:role/path/name`.
fn role_of(arn: &str) -> Option<(&str, &str)> {
    let arn = Arn::parse(arn)?;
    Some((arn.account, arn.role_name()?))
}
