//! The marks of node roles: what a role's own data show about the nodes that use it.
//!
//! EKS does not list self-managed nodes. Their roles and instance profiles carry the tags of the tools that create
//! them, and their roles have AWS's managed policies for nodes. A file of one account holds nothing of EKS; there the
//! trust policy shows the pod execution roles of Fargate too. The rule and the command line use the same marks. They
//! ask in different ways which clusters a mark means: the rule knows the clusters, a file does not.

use std::fmt;

use crate::policy::TrustPolicy;
use crate::policy::arn::Arn;
use crate::policy::tag::Tag;

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

/// The service that runs the pods of Fargate profiles
/// (<https://docs.aws.amazon.com/eks/latest/userguide/pod-execution-role.html>).
const FARGATE_SERVICE: &str = "eks-fargate-pods";

/// The data of a role that can show marks. A part that was not read is empty.
#[derive(Debug, Clone)]
pub struct RoleData<'a> {
    /// Who may assume the role.
    pub trust_policy: &'a TrustPolicy,
    /// The role's tags.
    pub tags: &'a [Tag],
    /// The ARNs of the attached managed policies.
    pub attached: Vec<&'a str>,
    /// The instance profiles that hold the role: their names and tags.
    pub instance_profiles: Vec<(&'a str, &'a [Tag])>,
}

/// A mark of a node role. Its text is that of the rule's facts, without the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeMark<'a> {
    /// A tag on the role.
    RoleTag(TagMark<'a>),
    /// An AWS managed policy for nodes, by its name. It means nothing about the cluster.
    WorkerPolicy {
        /// The policy's name.
        name: &'a str,
        /// Whether the role is in an instance profile, as far as it was read.
        in_profile: bool,
    },
    /// A tag on an instance profile that holds the role.
    ProfileTag {
        /// The instance profile's name.
        profile: &'a str,
        /// The tag.
        tag: TagMark<'a>,
    },
    /// The trust policy names the service of Fargate pods: a pod execution role.
    PodExecutionRole,
}

/// A tag that marks a role or an instance profile of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagMark<'a> {
    /// The tag's key.
    pub key: &'a str,
    /// The name of the cluster that the nodes belong to; `None` if the tag names none.
    pub cluster: Option<&'a str>,
}

/// `tag kubernetes.io/cluster/shop on instance profile shop-nodes`.
impl fmt::Display for NodeMark<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoleTag(tag) => write!(f, "tag {}", tag.key),
            Self::WorkerPolicy { name, in_profile: true } => write!(f, "{name} on an instance profile"),
            Self::WorkerPolicy { name, in_profile: false } => write!(f, "policy {name}"),
            Self::ProfileTag { profile, tag } => write!(f, "tag {} on instance profile {profile}", tag.key),
            Self::PodExecutionRole => f.write_str("Fargate pod execution role by its trust policy"),
        }
    }
}

/// All marks of a role, in the order in which the rule looks for them. None if the trust policy rules nodes out.
pub fn node_marks<'a>(role: &RoleData<'a>) -> Vec<NodeMark<'a>> {
    if role.trust_policy.rules_out_nodes() {
        return Vec::new();
    }
    // Which clusters exist is not known here, so every cluster that a tag names is taken as one.
    let of_tags = |tags: &'a [Tag]| tag_marks(tags, |_| true).into_iter();
    let in_profile = !role.instance_profiles.is_empty();
    let mut marks: Vec<NodeMark<'a>> = of_tags(role.tags).map(NodeMark::RoleTag).collect();
    let worker_policies = role.attached.iter().filter_map(|arn| worker_policy(arn));
    marks.extend(worker_policies.map(|name| NodeMark::WorkerPolicy { name, in_profile }));
    for &(profile, tags) in &role.instance_profiles {
        marks.extend(of_tags(tags).map(|tag| NodeMark::ProfileTag { profile, tag }));
    }
    if role.trust_policy.names_service(FARGATE_SERVICE) {
        marks.push(NodeMark::PodExecutionRole);
    }
    marks
}

/// The marks in the tags of one role or of one instance profile. Letter case matters. Where a tag names a cluster that
/// exists, the node class beside it belongs to that cluster, and is no mark.
pub fn tag_marks(tags: &[Tag], exists: impl Fn(&str) -> bool) -> Vec<TagMark<'_>> {
    let mut marks: Vec<TagMark<'_>> = tags.iter().filter_map(tag_mark).collect();
    if marks.iter().any(|mark| mark.cluster.is_some_and(&exists)) {
        marks.retain(|mark| mark.cluster.is_some());
    }
    marks
}

fn tag_mark(Tag { key, value }: &Tag) -> Option<TagMark<'_>> {
    if let Some(cluster) = key.strip_prefix(CLUSTER_TAG_PREFIX) {
        return Some(TagMark { key, cluster: Some(cluster) });
    }
    if CLUSTER_TAGS.contains(&key.as_str()) {
        return Some(TagMark { key, cluster: Some(value) });
    }
    (key == NODE_CLASS_TAG).then_some(TagMark { key, cluster: None })
}

/// The name of the managed policy for nodes with this ARN; `None` for other policies, those of the account included.
pub fn worker_policy(arn: &str) -> Option<&str> {
    Arn::parse(arn)?.aws_managed_policy().filter(|name| WORKER_POLICIES.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EC2: &str = r#"{ "Service": "ec2.amazonaws.com" }"#;
    const FARGATE: &str = r#"{ "Service": "eks-fargate-pods.amazonaws.com" }"#;
    const FARGATE_IN_CHINA: &str = r#"{ "Service": ["eks-fargate-pods.amazonaws.com.cn", "ec2.amazonaws.com"] }"#;
    const LAMBDA: &str = r#"{ "Service": "lambda.amazonaws.com" }"#;
    const WORKER: &str = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy";
    const KARPENTER: (&str, &str) = ("karpenter.k8s.aws/ec2nodeclass", "default");
    const SHOP: (&str, &str) = ("kubernetes.io/cluster/shop", "owned");

    fn tags(tags: &[(&str, &str)]) -> Vec<Tag> {
        tags.iter().map(|(key, value)| Tag::new(*key, *value)).collect()
    }

    #[test]
    fn tag_names_cluster_or_node_class() {
        for (given, expected) in [
            (&[SHOP][..], &[("kubernetes.io/cluster/shop", Some("shop"))][..]),
            (&[("kubernetes.io/cluster/", "owned")], &[("kubernetes.io/cluster/", Some(""))]),
            (&[("aws:eks:cluster-name", "shop")], &[("aws:eks:cluster-name", Some("shop"))]),
            (&[("eks:eks-cluster-name", "shop")], &[("eks:eks-cluster-name", Some("shop"))]),
            (&[("alpha.eksctl.io/cluster-name", "shop")], &[("alpha.eksctl.io/cluster-name", Some("shop"))]),
            (&[KARPENTER], &[("karpenter.k8s.aws/ec2nodeclass", None)]),
            (&[KARPENTER, SHOP], &[("kubernetes.io/cluster/shop", Some("shop"))]),
            (&[("Kubernetes.io/cluster/shop", "owned")], &[]),
            (&[("kubernetes.io/cluster", "shop")], &[]),
            (&[("karpenter.k8s.aws/ec2nodeclass/x", "default")], &[]),
            (&[("Name", "shop")], &[]),
        ] {
            let given = tags(given);
            let marks: Vec<_> =
                tag_marks(&given, |name| name == "shop").into_iter().map(|mark| (mark.key, mark.cluster)).collect();
            assert_eq!(marks, expected, "{given:?}");
        }
    }

    #[test]
    fn node_class_counts_beside_a_cluster_that_does_not_exist() {
        let given = tags(&[KARPENTER, SHOP]);
        let named =
            |exists: fn(&str) -> bool| tag_marks(&given, exists).iter().map(|mark| mark.cluster).collect::<Vec<_>>();
        assert_eq!(named(|name| name == "shop"), [Some("shop")]);
        assert_eq!(named(|name| name == "gone"), [None, Some("shop")]);
    }

    #[test]
    fn worker_policy_is_an_aws_managed_one() {
        for (arn, expected) in [
            (WORKER, Some("AmazonEKSWorkerNodePolicy")),
            ("arn:aws-cn:iam::aws:policy/AmazonEKSWorkerNodeMinimalPolicy", Some("AmazonEKSWorkerNodeMinimalPolicy")),
            ("arn:aws:iam::111122223333:policy/AmazonEKSWorkerNodePolicy", None),
            ("arn:aws:iam::aws:policy/AmazonEKSClusterPolicy", None),
            ("AmazonEKSWorkerNodePolicy", None),
        ] {
            assert_eq!(worker_policy(arn), expected, "{arn}");
        }
    }

    #[test]
    fn marks_come_from_all_data_of_the_role() {
        type Case<'a> =
            (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str], Option<&'a [(&'a str, &'a str)]>, &'a [&'a str]);
        let cases: [Case<'_>; 13] = [
            (EC2, &[], &[], None, &[]),
            (EC2, &[], &[], Some(&[]), &[]),
            (EC2, &[SHOP], &[], None, &["tag kubernetes.io/cluster/shop"]),
            (EC2, &[], &[WORKER], None, &["policy AmazonEKSWorkerNodePolicy"]),
            (EC2, &[], &[WORKER], Some(&[]), &["AmazonEKSWorkerNodePolicy on an instance profile"]),
            (EC2, &[], &[], Some(&[SHOP]), &["tag kubernetes.io/cluster/shop on instance profile p"]),
            (
                EC2,
                &[SHOP],
                &[WORKER],
                Some(&[KARPENTER]),
                &[
                    "tag kubernetes.io/cluster/shop",
                    "AmazonEKSWorkerNodePolicy on an instance profile",
                    "tag karpenter.k8s.aws/ec2nodeclass on instance profile p",
                ],
            ),
            (FARGATE, &[], &[], None, &["Fargate pod execution role by its trust policy"]),
            (FARGATE_IN_CHINA, &[], &[], None, &["Fargate pod execution role by its trust policy"]),
            (r#"{ "Service": "eks-fargate.amazonaws.com" }"#, &[], &[], None, &[]),
            // Everybody may assume it, so the trust policy names no service.
            (r#""*""#, &[], &[], None, &[]),
            (r#""*""#, &[SHOP], &[], None, &["tag kubernetes.io/cluster/shop"]),
            (LAMBDA, &[SHOP], &[WORKER], Some(&[SHOP]), &[]),
        ];
        for (principal, role_tags, attached, profile, expected) in cases {
            let statement = format!(r#"{{ "Effect": "Allow", "Principal": {principal}, "Action": "sts:AssumeRole" }}"#);
            let trust_policy = TrustPolicy::parse(&format!(r#"{{ "Statement": {statement} }}"#)).unwrap();
            let (role_tags, profile) = (tags(role_tags), profile.map(tags));
            let instance_profiles = profile.iter().map(|tags| ("p", tags.as_slice())).collect();
            let attached = attached.to_vec();
            let role = RoleData { trust_policy: &trust_policy, tags: &role_tags, attached, instance_profiles };
            let marks: Vec<String> = node_marks(&role).iter().map(ToString::to_string).collect();
            assert_eq!(marks, expected, "{role:?}");
        }
    }
}
