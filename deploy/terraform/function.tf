resource "aws_lambda_function" "function" {
  function_name    = var.name
  description      = "Evaluates for AWS Config what the IAM roles of Amazon EKS nodes can do in Amazon ECR"
  filename         = var.zip_path == "" ? null : var.zip_path
  source_code_hash = var.zip_path == "" ? null : filebase64sha256(var.zip_path)
  s3_bucket        = var.code_bucket == "" ? null : var.code_bucket
  s3_key           = var.code_key == "" ? null : var.code_key
  handler          = "bootstrap"
  runtime          = "provided.al2023"
  architectures    = [var.architecture]
  memory_size      = 256
  timeout          = 900
  role             = aws_iam_role.function.arn
  tags             = var.tags

  reserved_concurrent_executions = var.reserved_concurrency == "" ? null : tonumber(var.reserved_concurrency)
  code_signing_config_arn        = var.code_signing_config_arn == "" ? null : var.code_signing_config_arn

  tracing_config {
    mode = var.tracing
  }

  logging_config {
    log_format            = "JSON"
    application_log_level = var.log_level
    system_log_level      = "INFO"
    log_group             = aws_cloudwatch_log_group.function.name
  }

  dynamic "vpc_config" {
    for_each = length(var.subnet_ids) == 0 ? [] : [true]

    content {
      subnet_ids         = var.subnet_ids
      security_group_ids = var.security_group_ids
    }
  }

  # In CloudFormation the role holds its policies. Here they are resources, and the function must not run before them.
  depends_on = [
    aws_iam_role_policy.find_node_roles,
    aws_iam_role_policy.read_role_policies,
    aws_iam_role_policy.report_verdicts,
    aws_iam_role_policy.write_log,
    aws_iam_role_policy.keep_failed_events,
    aws_iam_role_policy.write_traces,
    aws_iam_role_policy.report_findings,
    aws_iam_role_policy.assume_member_roles,
    aws_iam_role_policy.connect_to_vpc,
  ]
}

resource "aws_lambda_function_event_invoke_config" "function" {
  function_name                = aws_lambda_function.function.function_name
  qualifier                    = "$LATEST"
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failures.arn
    }
  }
}

resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_in_days
  kms_key_id        = var.kms_key_arn == "" ? null : var.kms_key_arn
  tags              = var.tags
}

# The provider refuses a queue with both arguments for encryption, also if sqs_managed_sse_enabled is false.
resource "aws_sqs_queue" "failures" {
  name                      = "${var.name}-failures"
  sqs_managed_sse_enabled   = var.kms_key_arn == "" ? true : null
  kms_master_key_id         = var.kms_key_arn == "" ? null : var.kms_key_arn
  message_retention_seconds = 1209600
  tags                      = var.tags
}

resource "aws_sqs_queue_policy" "failures" {
  queue_url = aws_sqs_queue.failures.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "RefusePlaintext"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sqs:*"
          Resource  = aws_sqs_queue.failures.arn
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ],
      var.notifications ? [
        {
          Sid       = "TakeUndeliveredNotifications"
          Effect    = "Allow"
          Principal = { Service = "events.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = aws_sqs_queue.failures.arn
          Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.compliance_changes[0].arn } }
        },
      ] : [],
    )
  })
}
