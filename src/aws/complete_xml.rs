//! Holds answers in XML to their end: one that was cut short is no answer.
//!
//! The SDK reads XML that ends early as if it were whole, and what came after is lost: policies of a role, roles of a
//! policy. JSON that ends early it refuses by itself. Knows how the query protocol names an answer's outermost element
//! (<https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>), and nothing of what is inside.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Makes calls fail whose answer does not end as it has to. For clients of the query protocol: IAM and STS.
#[derive(Debug, Clone, Copy)]
pub(super) struct WholeAnswers;

/// The answer ends before its outermost element does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer ends early")]
struct EndsEarly;

impl Intercept for WholeAnswers {
    fn name(&self) -> &'static str {
        "WholeAnswers"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let whole = context.output_or_error().is_err()
            || cfg.load::<Metadata>().is_none_or(|operation| {
                context.response().body().bytes().is_some_and(|body| is_whole(body, operation.name()))
            });
        if whole { Ok(()) } else { Err(EndsEarly.into()) }
    }
}

fn is_whole(body: &[u8], operation: &str) -> bool {
    body.trim_ascii_end().ends_with(format!("</{operation}Response>").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn an_answer_ends_with_its_outermost_element() {
        for (body, expected) in [
            ("<GetRoleResponse><GetRoleResult/></GetRoleResponse>", true),
            ("<GetRoleResponse></GetRoleResponse>\n", true),
            ("<GetRoleResponse><GetRoleResult/></GetRoleRe", false),
            ("<GetRoleResponse><GetRoleResult/>", false),
            ("", false),
        ] {
            assert_eq!(is_whole(body.as_bytes(), "GetRole"), expected, "{body}");
        }
    }
}
