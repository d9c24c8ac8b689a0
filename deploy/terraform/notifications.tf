resource "aws_kms_key" "notifications" {
  count = local.has_topic ? 1 : 0

  description             = "Encrypts the notifications of eks-node-role-ecr-read-only"
  enable_key_rotation     = true
  deletion_window_in_days = 7
  tags                    = var.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Administer"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "EncryptNotifications"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "events.amazonaws.com"] }
        Action = [
          "kms:Decrypt",
          "kms:GenerateDataKey*",
        ]
        Resource = "*"
      },
    ]
  })
}

resource "aws_sns_topic" "notifications" {
  count = local.has_topic ? 1 : 0

  name              = "${var.name}-notifications"
  display_name      = "EKS node roles and ECR"
  kms_master_key_id = aws_kms_key.notifications[0].arn
  tags              = var.tags
}

resource "aws_sns_topic_policy" "notifications" {
  count = local.has_topic ? 1 : 0

  arn = aws_sns_topic.notifications[0].arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "RefusePlaintext"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sns:Publish"
          Resource  = aws_sns_topic.notifications[0].arn
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ],
      var.notifications ? [
        {
          Sid       = "TakeComplianceChanges"
          Effect    = "Allow"
          Principal = { Service = "events.amazonaws.com" }
          Action    = "sns:Publish"
          Resource  = aws_sns_topic.notifications[0].arn
        },
      ] : [],
      var.alarms ? [
        {
          Sid       = "TakeAlarms"
          Effect    = "Allow"
          Principal = { Service = "cloudwatch.amazonaws.com" }
          Action    = "sns:Publish"
          Resource  = aws_sns_topic.notifications[0].arn
          Condition = {
            StringEquals = { "aws:SourceAccount" = local.account }
            ArnLike = {
              "aws:SourceArn" = "arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:${var.name}-*"
            }
          }
        },
      ] : [],
    )
  })
}

resource "aws_sns_topic_subscription" "email" {
  count = local.has_topic && var.notification_email != "" ? 1 : 0

  topic_arn = aws_sns_topic.notifications[0].arn
  protocol  = "email"
  endpoint  = var.notification_email
}

locals {
  consoles = {
    aws-cn     = "console.amazonaws.cn"
    aws-us-gov = "console.amazonaws-us-gov.com"
  }
  console = lookup(local.consoles, local.partition, "console.aws.amazon.com")
}

resource "aws_cloudwatch_event_rule" "compliance_changes" {
  count = var.notifications ? 1 : 0

  name        = "${var.name}-compliance-changes"
  description = "Sends node roles that become NON_COMPLIANT, or COMPLIANT again, to the topic"
  tags        = var.tags

  event_pattern = jsonencode({
    source      = ["aws.config"]
    detail-type = ["Config Rules Compliance Change"]
    detail = {
      messageType    = ["ComplianceChangeNotification"]
      configRuleName = [var.rule_name]
      resourceType   = ["AWS::IAM::Role"]
      "$or" = [
        {
          newEvaluationResult = { complianceType = ["NON_COMPLIANT"] }
        },
        {
          newEvaluationResult = { complianceType = ["COMPLIANT"] }
          oldEvaluationResult = { complianceType = ["NON_COMPLIANT"] }
        },
      ]
    }
  })

  depends_on = [aws_sns_topic_policy.notifications]
}

resource "aws_cloudwatch_event_target" "compliance_changes" {
  count = var.notifications ? 1 : 0

  rule      = aws_cloudwatch_event_rule.compliance_changes[0].name
  target_id = "topic"
  arn       = aws_sns_topic.notifications[0].arn

  dead_letter_config {
    arn = aws_sqs_queue.failures.arn
  }

  input_transformer {
    input_paths = {
      verdict    = "$.detail.newEvaluationResult.complianceType"
      annotation = "$.detail.newEvaluationResult.annotation"
      role       = "$.detail.resourceId"
      account    = "$.detail.awsAccountId"
      region     = "$.region"
      rule       = "$.detail.configRuleName"
      time       = "$.time"
    }
    # One quoted line for each line of the message.
    input_template = join("\n", [
      "\"<annotation>\"",
      "\"<verdict>: role <role>, account <account>, rule <rule>, region <region>, <time>.\"",
      "\"https://${local.console}/config/home?region=<region>#/resources/timeline?resourceId=<role>&resourceType=AWS::IAM::Role\"",
    ])
  }
}
