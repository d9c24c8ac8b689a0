//! What an evaluation asks of AWS, as traits: `crate::aws` answers them, and so do tests in memory.
//!
//! Knows the questions and the shape of their answers, in the words of AWS's own operations, one call,
//! one page or one paginated list to a method. Must not know how they are asked. "Gone" is an answer (`None`); whatever
//! else is not a full answer is an error, never an empty one.

pub mod config;
pub mod eks;
pub mod error;
pub mod iam;
pub mod security_hub;

pub use config::{ComplianceStore, Evaluation, ResourceId, ResultToken};
pub use eks::{Authentication, ClusterId, ClusterRecord, Eks, NodeKind, PartKind, RoleUse};
pub use error::{PortError, PortErrorKind};
pub use iam::{
    Iam, InlinePolicy, InstanceProfile, ListedRole, Page, PolicyDetails, PolicyVersion, RoleDetails, RoleRecord,
};
pub use security_hub::{
    FINDING_TYPE, FailedFinding, Finding, FindingSource, FindingStore, NOTHING_TO_CHANGE, RELATED_REQUIREMENT,
    REMEDIATION_URL, Severity,
};
