//! The marks of self-managed nodes: tags and managed policies that show which roles they use.
//!
//! EKS does not list self-managed nodes. Their roles and instance profiles carry the tags of the tools that create
//! them, and their roles have AWS's managed policies for nodes. The rule and the command line use the same marks.

use crate::policy::arn::Arn;

/// The start of the key of a tag that names a cluster; the cluster's name follows
/// (<https://docs.aws.amazon.com/eks/latest/userguide/worker.html>).
const CLUSTER_TAG_PREFIX: &str = "kubernetes.io/cluster/";

/// Keys of tags whose value is the name of a cluster: two of EKS, and eksctl's.
const CLUSTER_TAGS: [&str; 3] = ["aws:eks:cluster-name", "eks:eks-cluster-name", "alpha.eksctl.io/cluster-name"];

/// The key of the tag that Karpenter puts on its instance profiles. Its value is a node class, which names no cluster.
const NODE_CLASS_TAG: &str = "karpenter.k8s.aws/ec2nodeclass";

/// The names of AWS's managed policies for nodes, in every partition
/// (<https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html>).
const WORKER_POLICIES: [&str; 2] = ["AmazonEKSWorkerNodePolicy", "AmazonEKSWorkerNodeMinimalPolicy"];

/// What a tag shows about the nodes that use a role or an instance profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagMark<'a> {
    /// They are nodes of the cluster with this name.
    Cluster(&'a str),
    /// They are nodes of a cluster that the tag does not name.
    NodeClass,
}

/// The mark that a tag is; `None` if it is none. Letter case matters.
pub fn tag_mark<'a>(key: &'a str, value: &'a str) -> Option<TagMark<'a>> {
    if let Some(cluster) = key.strip_prefix(CLUSTER_TAG_PREFIX) {
        return Some(TagMark::Cluster(cluster));
    }
    if CLUSTER_TAGS.contains(&key) {
        return Some(TagMark::Cluster(value));
    }
    (key == NODE_CLASS_TAG).then_some(TagMark::NodeClass)
}

/// The name of the managed policy for nodes with this ARN; `None` for other policies, those of the account included.
pub fn worker_policy(arn: &str) -> Option<&str> {
    Arn::parse(arn)?.aws_managed_policy().filter(|name| WORKER_POLICIES.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_names_cluster_or_node_class() {
        for (key, value, expected) in [
            ("kubernetes.io/cluster/shop", "owned", Some(TagMark::Cluster("shop"))),
            ("kubernetes.io/cluster/", "owned", Some(TagMark::Cluster(""))),
            ("aws:eks:cluster-name", "shop", Some(TagMark::Cluster("shop"))),
            ("eks:eks-cluster-name", "shop", Some(TagMark::Cluster("shop"))),
            ("alpha.eksctl.io/cluster-name", "shop", Some(TagMark::Cluster("shop"))),
            ("karpenter.k8s.aws/ec2nodeclass", "default", Some(TagMark::NodeClass)),
            ("Kubernetes.io/cluster/shop", "owned", None),
            ("kubernetes.io/cluster", "shop", None),
            ("karpenter.k8s.aws/ec2nodeclass/x", "default", None),
            ("Name", "shop", None),
        ] {
            assert_eq!(tag_mark(key, value), expected, "{key}");
        }
    }

    #[test]
    fn worker_policy_is_an_aws_managed_one() {
        for (arn, expected) in [
            ("arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", Some("AmazonEKSWorkerNodePolicy")),
            ("arn:aws-cn:iam::aws:policy/AmazonEKSWorkerNodeMinimalPolicy", Some("AmazonEKSWorkerNodeMinimalPolicy")),
            ("arn:aws:iam::111122223333:policy/AmazonEKSWorkerNodePolicy", None),
            ("arn:aws:iam::aws:policy/AmazonEKSClusterPolicy", None),
            ("AmazonEKSWorkerNodePolicy", None),
        ] {
            assert_eq!(worker_policy(arn), expected, "{arn}");
        }
    }
}
