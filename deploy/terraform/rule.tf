locals {
  # Each parameter of the rule with its default in the rule. Only other values are set, because AWS Config allows 1,024
  # characters for all of them.
  rule_parameters = {
    AllowedAccess              = { value = var.allowed_access, default = "read-only" }
    AdditionalAllowedActions   = { value = var.additional_allowed_actions, default = "" }
    RequirePullAccess          = { value = tostring(var.require_pull_access), default = "false" }
    ClusterRegions             = { value = var.cluster_regions, default = "" }
    DeniedRegions              = { value = var.denied_regions, default = "skip" }
    ClusterNames               = { value = var.cluster_names, default = "" }
    NodeRoles                  = { value = var.node_roles, default = "" }
    ExemptRoles                = { value = var.exempt_roles, default = "" }
    ExemptTag                  = { value = var.exempt_tag, default = "" }
    ExemptUntilTag             = { value = var.exempt_until_tag, default = "" }
    IncludeServiceAccountRoles = { value = tostring(var.include_service_account_roles), default = "false" }
    SecurityHubFindings        = { value = tostring(var.security_hub_findings), default = "false" }
  }
  input_parameters = {
    for name, parameter in local.rule_parameters : name => parameter.value if parameter.value != parameter.default
  }
}

resource "aws_lambda_permission" "config" {
  function_name  = aws_lambda_function.function.function_name
  action         = "lambda:InvokeFunction"
  principal      = "config.amazonaws.com"
  source_account = local.account
}

resource "aws_config_config_rule" "rule" {
  name             = var.rule_name
  description      = "Checks that the IAM roles of Amazon EKS nodes can only read from Amazon ECR. NON_COMPLIANT if the role's policies and permissions boundary allow any request for another action."
  input_parameters = length(local.input_parameters) == 0 ? null : jsonencode(local.input_parameters)
  tags             = var.tags

  scope {
    compliance_resource_types = concat(
      [
        "AWS::IAM::Role",
        "AWS::IAM::Policy",
        "AWS::EKS::Cluster",
        "AWS::EKS::FargateProfile",
      ],
      var.instance_profile_changes ? ["AWS::IAM::InstanceProfile"] : [],
    )
  }

  source {
    owner             = "CUSTOM_LAMBDA"
    source_identifier = aws_lambda_function.function.arn

    source_detail {
      event_source = "aws.config"
      message_type = "ConfigurationItemChangeNotification"
    }

    source_detail {
      event_source = "aws.config"
      message_type = "OversizedConfigurationItemChangeNotification"
    }

    source_detail {
      event_source                = "aws.config"
      message_type                = "ScheduledNotification"
      maximum_execution_frequency = var.maximum_execution_frequency
    }
  }

  # AWS Config runs a new rule at once. So the first results need the permission, the notifications and the queue.
  depends_on = [
    aws_lambda_permission.config,
    aws_lambda_function_event_invoke_config.function,
    aws_sqs_queue_policy.failures,
    aws_cloudwatch_event_target.compliance_changes,
  ]
}
