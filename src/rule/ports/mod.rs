//! The ports: what an evaluation asks of AWS, as traits and plain types. `crate::aws` implements them, and so do in-memory
//! fakes in tests.
//!
//! A method is one call, one page, or one paginated list. A thing that is gone is an answer (`None`). Every other incomplete
//! answer is an error, never an empty answer.

pub mod config;
pub mod eks;
pub mod error;
pub mod iam;
pub mod security_hub;

pub use config::{ComplianceStore, Evaluation, Reported, ResourceId, ResultToken};
pub use eks::{Authentication, ClusterId, ClusterRecord, Eks, NodeKind, PartKind, RoleUse, SessionPolicy};
pub use error::{PortError, PortErrorKind};
pub use iam::{
    Iam, InlinePolicy, InstanceProfile, ListedRole, Page, PolicyDetails, PolicyVersion, RoleDetails, RoleRecord,
};
pub use security_hub::{
    FINDING_TYPE, FailedFinding, Finding, FindingSource, FindingStore, HeldFinding, NOTHING_TO_CHANGE,
    RELATED_REQUIREMENT, REMEDIATION_URL, Severity,
};
