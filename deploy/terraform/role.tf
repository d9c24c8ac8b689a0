resource "aws_iam_role" "function" {
  # IAM is global: the region keeps the names of two regions apart.
  name                 = var.role_name_prefix == "" ? null : "${var.role_name_prefix}ecr-read-only-${local.region}"
  name_prefix          = var.role_name_prefix == "" ? "${var.name}-" : null
  path                 = var.role_path == "" ? null : var.role_path
  permissions_boundary = var.permissions_boundary == "" ? null : var.permissions_boundary
  description          = "Lets the AWS Config rule eks-node-role-ecr-read-only read IAM and EKS and report to AWS Config"
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "lambda.amazonaws.com" }
        Action    = "sts:AssumeRole"
      },
    ]
  })
}

resource "aws_iam_role_policy" "find_node_roles" {
  name = "find-node-roles"
  role = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ListRegions"
        Effect   = "Allow"
        Action   = "account:ListRegions"
        Resource = "arn:${local.partition}:account::${local.account}:account"
      },
      {
        Sid      = "ListClusters"
        Effect   = "Allow"
        Action   = "eks:ListClusters"
        Resource = "*"
      },
      {
        Sid    = "ReadClusters"
        Effect = "Allow"
        Action = [
          "eks:DescribeCluster",
          "eks:ListAccessEntries",
          "eks:ListAddons",
          "eks:ListFargateProfiles",
          "eks:ListNodegroups",
          "eks:ListPodIdentityAssociations",
        ]
        Resource = "arn:${local.partition}:eks:*:${local.account}:cluster/*"
      },
      {
        Sid      = "ReadAccessEntries"
        Effect   = "Allow"
        Action   = "eks:DescribeAccessEntry"
        Resource = "arn:${local.partition}:eks:*:${local.account}:access-entry/*"
      },
      {
        Sid      = "ReadAddons"
        Effect   = "Allow"
        Action   = "eks:DescribeAddon"
        Resource = "arn:${local.partition}:eks:*:${local.account}:addon/*"
      },
      {
        Sid      = "ReadFargateProfiles"
        Effect   = "Allow"
        Action   = "eks:DescribeFargateProfile"
        Resource = "arn:${local.partition}:eks:*:${local.account}:fargateprofile/*"
      },
      {
        Sid      = "ReadNodegroups"
        Effect   = "Allow"
        Action   = "eks:DescribeNodegroup"
        Resource = "arn:${local.partition}:eks:*:${local.account}:nodegroup/*"
      },
      {
        Sid      = "ReadPodIdentityAssociations"
        Effect   = "Allow"
        Action   = "eks:DescribePodIdentityAssociation"
        Resource = "arn:${local.partition}:eks:*:${local.account}:podidentityassociation/*"
      },
    ]
  })
}

resource "aws_iam_role_policy" "read_role_policies" {
  name = "read-role-policies"
  role = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ListRoles"
        Effect = "Allow"
        Action = [
          "iam:GetAccountAuthorizationDetails",
          "iam:ListInstanceProfiles",
          "iam:ListRoles",
        ]
        Resource = "*"
      },
      {
        Sid    = "ReadRoles"
        Effect = "Allow"
        Action = [
          "iam:GetRole",
          "iam:GetRolePolicy",
          "iam:ListAttachedRolePolicies",
          "iam:ListInstanceProfilesForRole",
          "iam:ListRolePolicies",
        ]
        Resource = "arn:${local.partition}:iam::${local.account}:role/*"
      },
      {
        Sid      = "ReadInstanceProfiles"
        Effect   = "Allow"
        Action   = "iam:GetInstanceProfile"
        Resource = "arn:${local.partition}:iam::${local.account}:instance-profile/*"
      },
      {
        Sid    = "ReadManagedPolicies"
        Effect = "Allow"
        Action = [
          "iam:GetPolicy",
          "iam:GetPolicyVersion",
        ]
        Resource = [
          "arn:${local.partition}:iam::${local.account}:policy/*",
          "arn:${local.partition}:iam::aws:policy/*",
        ]
      },
      {
        Sid      = "FindRolesOfChangedPolicy"
        Effect   = "Allow"
        Action   = "iam:ListEntitiesForPolicy"
        Resource = "arn:${local.partition}:iam::${local.account}:policy/*"
      },
    ]
  })
}

resource "aws_iam_role_policy" "report_verdicts" {
  name = "report-verdicts"
  role = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "PutEvaluations"
        Effect   = "Allow"
        Action   = "config:PutEvaluations"
        Resource = "*"
      },
    ]
  })
}

resource "aws_iam_role_policy" "write_log" {
  name = "write-log"
  role = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "WriteOwnLogGroup"
        Effect = "Allow"
        Action = [
          "logs:CreateLogStream",
          "logs:PutLogEvents",
        ]
        Resource = ["${aws_cloudwatch_log_group.function.arn}:*"]
      },
    ]
  })
}

resource "aws_iam_role_policy" "keep_failed_events" {
  name = "keep-failed-events"
  role = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "SendToFailureQueue"
          Effect   = "Allow"
          Action   = "sqs:SendMessage"
          Resource = aws_sqs_queue.failures.arn
        },
      ],
      var.kms_key_arn == "" ? [] : [
        {
          Sid    = "EncryptFailedEvents"
          Effect = "Allow"
          Action = [
            "kms:Decrypt",
            "kms:GenerateDataKey",
          ]
          Resource = var.kms_key_arn
          # Only through SQS. The domain ends in amazonaws.com or amazonaws.com.cn.
          Condition = { StringLike = { "kms:ViaService" = "sqs.${local.region}.amazonaws.com*" } }
        },
      ],
    )
  })
}

resource "aws_iam_role_policy" "write_traces" {
  count = var.tracing == "Active" ? 1 : 0

  name = "write-traces"
  role = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "PutTraces"
        Effect = "Allow"
        Action = [
          "xray:PutTelemetryRecords",
          "xray:PutTraceSegments",
        ]
        Resource = "*"
      },
    ]
  })
}

resource "aws_iam_role_policy" "report_findings" {
  count = var.security_hub_findings ? 1 : 0

  name = "report-findings"
  role = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ImportFindings"
        Effect   = "Allow"
        Action   = "securityhub:BatchImportFindings"
        Resource = "arn:${local.partition}:securityhub:${local.region}:${local.account}:product/${local.account}/default"
      },
      {
        Sid      = "ReadFindings"
        Effect   = "Allow"
        Action   = "securityhub:GetFindings"
        Resource = "arn:${local.partition}:securityhub:${local.region}:${local.account}:hub/default"
      },
    ]
  })
}

resource "aws_iam_role_policy" "assume_member_roles" {
  count = var.execution_role_name == "" ? 0 : 1

  name = "assume-member-roles"
  role = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AssumeExecutionRole"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Resource  = "arn:${local.partition}:iam::*:role/${var.execution_role_name}"
        Condition = { StringEquals = { "aws:ResourceOrgID" = "$${aws:PrincipalOrgID}" } }
      },
    ]
  })
}

resource "aws_iam_role_policy" "connect_to_vpc" {
  count = length(var.subnet_ids) == 0 ? 0 : 1

  name = "connect-to-vpc"
  role = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ReadNetwork"
        Effect = "Allow"
        Action = [
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeSubnets",
        ]
        Resource = "*"
      },
      {
        Sid    = "ManageInterfaces"
        Effect = "Allow"
        Action = [
          "ec2:AssignPrivateIpAddresses",
          "ec2:CreateNetworkInterface",
          "ec2:DeleteNetworkInterface",
          "ec2:UnassignPrivateIpAddresses",
        ]
        Resource = "arn:${local.partition}:ec2:${local.region}:${local.account}:network-interface/*"
      },
      {
        Sid       = "CreateInterfaceInSubnets"
        Effect    = "Allow"
        Action    = "ec2:CreateNetworkInterface"
        Resource  = "arn:${local.partition}:ec2:${local.region}:*:subnet/*"
        Condition = { StringEquals = { "ec2:SubnetID" = var.subnet_ids } }
      },
      {
        Sid       = "CreateInterfaceInSecurityGroups"
        Effect    = "Allow"
        Action    = "ec2:CreateNetworkInterface"
        Resource  = "arn:${local.partition}:ec2:${local.region}:*:security-group/*"
        Condition = { StringEquals = { "ec2:SecurityGroupID" = var.security_group_ids } }
      },
      {
        Sid       = "RefuseNetworkToCode"
        Effect    = "Deny"
        Action    = "ec2:*"
        Resource  = "*"
        Condition = { Null = { "lambda:SourceFunctionArn" = "false" } }
      },
    ]
  })
}

# It names the rule, so it is created last. A scheduled run that starts before fails, and Lambda repeats it.
resource "aws_iam_role_policy" "read_own_verdicts" {
  name = "read-own-verdicts"
  role = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadOwnVerdicts"
        Effect   = "Allow"
        Action   = "config:GetComplianceDetailsByConfigRule"
        Resource = aws_config_config_rule.rule.arn
      },
    ]
  })
}
