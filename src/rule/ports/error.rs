//! Why a call to AWS gave no answer.

/// A call to AWS that gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation} of {resource} failed: {cause}")]
pub struct PortError {
    operation: &'static str,
    resource: String,
    cause: String,
    kind: PortErrorKind,
}

/// What a failure means, where it means more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PortErrorKind {
    /// Nothing more.
    #[default]
    Failed,
    /// The region does not know the caller: it is not enabled in the account, or the credentials are bad everywhere.
    RegionClosed,
    /// A policy denies the call explicitly, so that no permission helps: often an organisation's that closes regions.
    ExplicitlyDenied,
    /// AWS understood the request and does not take what it says.
    NotAccepted,
    /// The service is not enabled in the account and region.
    NotEnabled,
    /// AWS kept answering that it was asked too often.
    Throttled,
}

impl PortError {
    /// `operation` as IAM policies spell it (`iam:GetRole`), the resource asked about, and the cause: AWS's error
    /// code, message and request id, or what went wrong on the way. Never a secret, never a policy document.
    pub fn new(operation: &'static str, resource: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { operation, resource: resource.into(), cause: cause.into(), kind: PortErrorKind::Failed }
    }

    /// The same error, with what it means.
    #[must_use]
    pub fn of_kind(self, kind: PortErrorKind) -> Self {
        Self { kind, ..self }
    }

    /// What the failure means.
    pub fn kind(&self) -> PortErrorKind {
        self.kind
    }

    /// The same error without a secret, should AWS or something on the way to it have repeated that.
    #[must_use]
    pub fn redact(mut self, secret: &str) -> Self {
        self.cause = self.cause.replace(secret, "[redacted]");
        self
    }

    /// The operation, as IAM policies spell it.
    pub fn operation(&self) -> &'static str {
        self.operation
    }
}
