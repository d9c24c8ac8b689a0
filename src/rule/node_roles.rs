//! Node roles: which IAM roles EKS nodes run under, and by which fact.
//!
//! Knows facts and roles, not where the facts come from: further kinds of fact and further regions are
//! further lines of the same list.

use std::collections::BTreeMap;
use std::fmt;

/// How a cluster uses a role for its nodes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeKind {
    /// A managed node group, by its name.
    NodeGroup(String),
    /// EKS Auto Mode (`computeConfig.nodeRoleArn`).
    AutoMode,
    /// A Fargate profile, by its name: the role is its pod execution role.
    FargateProfile(String),
    /// An access entry of a type that nodes have (`EC2_LINUX` …), by that type.
    AccessEntry(String),
}

/// A fact that makes a role a node's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeFact {
    /// The cluster's region.
    pub region: String,
    /// The cluster's name.
    pub cluster: String,
    /// How the cluster uses the role.
    pub kind: NodeKind,
}

impl fmt::Display for NodeFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            NodeKind::NodeGroup(name) => write!(f, "node group {name}")?,
            NodeKind::AutoMode => write!(f, "Auto Mode")?,
            NodeKind::FargateProfile(name) => write!(f, "Fargate profile {name}")?,
            NodeKind::AccessEntry(entry_type) => write!(f, "access entry {entry_type}")?,
        }
        write!(f, " of cluster {} in {}", self.cluster, self.region)
    }
}

/// A role that nodes run under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRole {
    /// The role's name, as EKS spells it.
    pub name: String,
    /// The role's ARN, as EKS spells it.
    pub arn: String,
    /// The facts that make it a node's, sorted, at least one, none twice.
    pub facts: Vec<NodeFact>,
}

/// The node roles of one account.
#[derive(Debug, Clone, Default)]
pub struct NodeRoles {
    roles: BTreeMap<String, NodeRole>,
    elsewhere: usize,
}

impl NodeRoles {
    /// Gathers the facts by role: those on roles of `account_id`. Clusters may run nodes under roles of other
    /// accounts (hybrid nodes, access entries): they are judged where they live, and only counted here.
    pub fn of_account(account_id: &str, found: impl IntoIterator<Item = (String, NodeFact)>) -> Self {
        let mut roles: BTreeMap<String, NodeRole> = BTreeMap::new();
        let mut elsewhere = 0;
        for (arn, fact) in found {
            match role_of(&arn) {
                Some((account, name)) if account == account_id => {
                    roles
                        .entry(key(name))
                        .or_insert_with(|| NodeRole { name: name.to_owned(), arn: arn.clone(), facts: Vec::new() })
                        .facts
                        .push(fact);
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

/// Names of roles are unique in an account without regard to case, and whatever their path
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>).
fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Account and name of the role that an ARN names: `arn:aws:iam::111122223333:role/path/name`.
fn role_of(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (scheme, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (_region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let (_, name) = resource.strip_prefix("role/").map(|path| path.rsplit_once('/').unwrap_or(("", path)))?;
    (scheme == "arn" && service == "iam" && !name.is_empty()).then_some((account, name))
}
