//! Checks that XML responses are complete.
//!
//! The SDK reads XML that was cut short as if it were complete. The lost part may hold policies of a role or roles of a
//! policy. So a response must end with its outermost element, `</GetRoleResponse>` for GetRole
//! (<https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>). Incomplete JSON is an error in the SDK already.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Fails calls whose response is incomplete. For clients of the query protocol: IAM and STS.
#[derive(Debug, Clone, Copy)]
pub(super) struct CompleteXml;

/// The response ends before its outermost element does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the response is incomplete")]
struct IncompleteXml;

impl Intercept for CompleteXml {
    fn name(&self) -> &'static str {
        "CompleteXml"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let complete = context.output_or_error().is_err()
            || cfg.load::<Metadata>().is_none_or(|operation| {
                context.response().body().bytes().is_some_and(|body| is_complete(body, operation.name()))
            });
        if complete { Ok(()) } else { Err(IncompleteXml.into()) }
    }
}

fn is_complete(body: &[u8], operation: &str) -> bool {
    body.trim_ascii_end().ends_with(format!("</{operation}Response>").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::is_complete;

    #[test]
    fn complete_response_ends_with_its_outermost_element() {
        for (body, expected) in [
            ("<GetRoleResponse><GetRoleResult/></GetRoleResponse>", true),
            ("<GetRoleResponse></GetRoleResponse>\n", true),
            ("<GetRoleResponse><GetRoleResult/></GetRoleRe", false),
            ("<GetRoleResponse><GetRoleResult/>", false),
            ("", false),
        ] {
            assert_eq!(is_complete(body.as_bytes(), "GetRole"), expected, "{body}");
        }
    }
}
