//! Node roles: which IAM roles EKS nodes run under, and by which fact.
//!
//! Knows facts and roles, and how facts are put in words; must not know where they come from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::policy::arn::Arn;
use crate::rule::ports::eks::{ClusterId, NodeKind, RoleUse};
use crate::rule::ports::iam::key;

/// Which clusters a fact is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// This one.
    Cluster(ClusterId),
    /// One of these, and the fact does not tell which: those that admit nodes without an access entry. At least one.
    OneOf(Arc<[ClusterId]>),
    /// None in particular.
    Unsaid,
}

/// A fact that makes a role a node's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeFact {
    /// The clusters.
    pub place: Place,
    /// How they use the role.
    pub kind: NodeKind,
}

/// How many of the clusters that a fact may be about are named; the others are counted.
const NAMED: usize = 5;

impl fmt::Display for NodeFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            NodeKind::NodeGroup(name) => write!(f, "node group {name}")?,
            NodeKind::AutoMode => write!(f, "Auto Mode")?,
            NodeKind::FargateProfile(name) => write!(f, "Fargate profile {name}")?,
            NodeKind::AccessEntry(entry_type) => write!(f, "access entry {entry_type}")?,
            NodeKind::RoleTag(key) => write!(f, "tag {key}")?,
            NodeKind::WorkerPolicy(name) => write!(f, "policy {name}")?,
            NodeKind::ProfileTag(profile, key) => write!(f, "tag {key} on instance profile {profile}")?,
            NodeKind::Parameter => write!(f, "parameter NodeRoles")?,
            NodeKind::PodIdentity(account) => write!(f, "Pod Identity {account}")?,
            NodeKind::Addon(name) => write!(f, "add-on {name}")?,
            NodeKind::ServiceAccount => write!(f, "OIDC provider")?,
        }
        match &self.place {
            Place::Cluster(cluster) => write!(f, " of cluster {cluster}"),
            Place::Unsaid => Ok(()),
            Place::OneOf(clusters) => {
                f.write_str(" and an instance profile, for a cluster that is not told: ")?;
                for (index, cluster) in clusters.iter().take(NAMED).enumerate() {
                    write!(f, "{}{cluster}", if index == 0 { "" } else { ", " })?;
                }
                match clusters.len().saturating_sub(NAMED) {
                    0 => Ok(()),
                    more => write!(f, " or one of {more} more"),
                }
            }
        }
    }
}

/// A role that nodes run under, as EKS tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRole {
    /// The role's name, as EKS spells it.
    pub name: String,
    /// The facts that make it a node's, sorted, at least one, none twice.
    pub facts: Vec<NodeFact>,
}

/// The node roles of one account, as EKS tells.
#[derive(Debug, Clone, Default)]
pub struct NodeRoles {
    roles: BTreeMap<String, NodeRole>,
    elsewhere: usize,
}

impl NodeRoles {
    /// Gathers the facts by role: those on roles of `account_id`. Clusters may run nodes under roles of other
    /// accounts (hybrid nodes, access entries): they are judged where they live, and only counted here.
    pub fn of_account<'a>(account_id: &str, found: impl IntoIterator<Item = (&'a ClusterId, &'a RoleUse)>) -> Self {
        let mut roles: BTreeMap<String, NodeRole> = BTreeMap::new();
        let mut elsewhere = 0;
        for (cluster, (arn, kind)) in found {
            match role_of(arn) {
                Some((account, name)) if account == account_id => {
                    roles
                        .entry(key(name))
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

    /// The node role of that name in the account.
    pub fn get(&self, name: &str) -> Option<&NodeRole> {
        self.roles.get(&key(name))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &NodeRole> {
        self.roles.values()
    }

    /// How many facts were about principals that are no role of the account.
    pub fn elsewhere(&self) -> usize {
        self.elsewhere
    }
}

/// Account and name of the role that an ARN names: `arn:aws:iam::111122223333:role/path/name`.
fn role_of(arn: &str) -> Option<(&str, &str)> {
    let arn = Arn::parse(arn)?;
    Some((arn.account, arn.role_name()?))
}
