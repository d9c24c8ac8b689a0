//! Why a call to AWS failed.

/// A call to AWS that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation} of {resource} failed: {cause}")]
pub struct PortError {
    operation: &'static str,
    resource: String,
    cause: String,
    kind: PortErrorKind,
}

/// The kind of a failure, as far as the rule handles kinds differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PortErrorKind {
    /// Any other failure.
    #[default]
    Failed,
    /// The region does not accept the credentials: it is not enabled in the account, or the credentials are invalid.
    RegionClosed,
    /// A policy explicitly denies the call, so no permission helps. Often it is a service control policy that closes regions.
    ExplicitlyDenied,
    /// A service control policy explicitly denies a list of clusters: it closes the region.
    DeniedByServiceControlPolicy,
    /// No policy allows the call.
    Denied,
    /// AWS understood the request and refused its content.
    NotAccepted,
    /// AWS Config does not know the rule.
    NoSuchRule,
    /// AWS Config does not know the result token, or no longer accepts it.
    InvalidResultToken,
    /// The service is not enabled in the account and region.
    NotEnabled,
    /// AWS throttled the call, and its retries too.
    Throttled,
}

impl PortError {
    /// A failure of the kind [`PortErrorKind::Failed`].
    ///
    /// - `operation`: as IAM policies spell it, `iam:GetRole`.
    /// - `resource`: what the call is about.
    /// - `cause`: AWS's error code, message and request id, or the error on the way. Never a secret or a policy document.
    pub fn new(operation: &'static str, resource: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { operation, resource: resource.into(), cause: cause.into(), kind: PortErrorKind::Failed }
    }

    /// The same error, of this kind.
    #[must_use]
    pub fn of_kind(self, kind: PortErrorKind) -> Self {
        Self { kind, ..self }
    }

    /// The kind of the failure.
    pub fn kind(&self) -> PortErrorKind {
        self.kind
    }

    /// The same error without a secret that AWS, or a proxy before it, may have repeated in its message.
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
