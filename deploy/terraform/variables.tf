variable "name" {
  type        = string
  default     = "eks-node-role-ecr-read-only"
  nullable    = false
  description = "Name of the function, and first part of the names of the other resources. Changing it replaces them."

  validation {
    # A role's name_prefix has 38 characters at most, and this name with a hyphen is one.
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]*$", var.name)) && length(var.name) <= 37
    error_message = "name must be 1 to 37 letters, digits or hyphens, and begin with a letter."
  }
}

variable "zip_path" {
  type        = string
  default     = ""
  nullable    = false
  description = "Path of the function's package, bootstrap-x86_64.zip or bootstrap-arm64.zip. Empty: the package is in code_bucket."

  validation {
    condition     = (var.zip_path == "") != (var.code_bucket == "" && var.code_key == "")
    error_message = "zip_path, or code_bucket with code_key, must be set, and not both."
  }
}

variable "code_bucket" {
  type        = string
  default     = ""
  nullable    = false
  description = "S3 bucket of the function's package, in the region of the function. Empty: the package is at zip_path."

  validation {
    condition     = var.code_bucket == "" || can(regex("^[a-z0-9]([.]?[a-z0-9-])+$", var.code_bucket)) && can(regex("[a-z0-9]$", var.code_bucket)) && length(var.code_bucket) >= 3 && length(var.code_bucket) <= 63
    error_message = "code_bucket must be the name of an S3 bucket, without s3://."
  }

  validation {
    condition     = (var.code_bucket == "") == (var.code_key == "")
    error_message = "code_bucket needs code_key, and code_key needs code_bucket."
  }
}

variable "code_key" {
  type        = string
  default     = ""
  nullable    = false
  description = "Key of the function's package in code_bucket. Use another key for each version: the function is updated when the key changes."

  validation {
    condition     = var.code_key == "" || can(regex("^[A-Za-z0-9!_.*'()=+@,-][A-Za-z0-9!_.*'()=+@,/-]*$", var.code_key)) && length(var.code_key) <= 1024
    error_message = "code_key must be the key of an object, without a / in front, 1024 characters at most."
  }
}

variable "tags" {
  type        = map(string)
  default     = {}
  nullable    = false
  description = "Tags of all resources that take tags. The provider's default_tags apply too."
}

variable "allowed_access" {
  type        = string
  default     = "read-only"
  nullable    = false
  description = "Actions that a node role may have. read-only: all actions of ecr and ecr-public with access level Read or List, and ecr:BatchImportUpstreamImage. pull-only: the actions for pulling images, also through a pull-through cache. cis: the four actions of CIS EKS Benchmark 5.1.3."

  validation {
    condition     = contains(["read-only", "pull-only", "cis"], var.allowed_access)
    error_message = "allowed_access must be read-only, pull-only or cis."
  }
}

variable "additional_allowed_actions" {
  type        = string
  default     = ""
  nullable    = false
  description = "Actions that are allowed in addition to allowed_access, separated by commas, without wildcards. Example: ecr:ReplicateImage, ecr:TagResource. Empty: none. AWS Config allows 1,024 characters for all rule parameters together."

  validation {
    condition     = can(regex("^$|^ecr(-public)?:[A-Za-z0-9]+( *, *ecr(-public)?:[A-Za-z0-9]+)*$", var.additional_allowed_actions)) && length(var.additional_allowed_actions) <= 900
    error_message = "additional_allowed_actions must be empty, or actions of ecr or ecr-public, such as ecr:ReplicateImage, separated by commas, without wildcards, 900 characters at most."
  }
}

variable "require_pull_access" {
  type        = bool
  default     = false
  nullable    = false
  description = "If true, a node role that cannot pull images from any repository is NON_COMPLIANT too. With allowed_access=cis the rule is closest to the benchmark's audit."
}

variable "cluster_regions" {
  type        = string
  default     = ""
  nullable    = false
  description = "Regions to search for clusters, separated by commas. Empty: every region that is enabled in the account."

  validation {
    condition     = can(regex("^$|^[a-z]+(-[a-z]+)+-[0-9]+( *, *[a-z]+(-[a-z]+)+-[0-9]+)*$", var.cluster_regions)) && length(var.cluster_regions) <= 500
    error_message = "cluster_regions must be empty, or regions such as eu-west-1, separated by commas, 500 characters at most."
  }
}

variable "denied_regions" {
  type        = string
  default     = "skip"
  nullable    = false
  description = "A region where a service control policy denies eks:ListClusters. skip: it counts as having no clusters if another region answers, and the annotations and the log count it. error: the invocation fails."

  validation {
    condition     = contains(["skip", "error"], var.denied_regions)
    error_message = "denied_regions must be skip or error."
  }
}

variable "cluster_names" {
  type        = string
  default     = ""
  nullable    = false
  description = "Names of the clusters whose roles are evaluated, separated by commas. * matches any text. Empty: all clusters."

  validation {
    condition     = can(regex("^$|^[A-Za-z0-9_*-]+( *, *[A-Za-z0-9_*-]+)*$", var.cluster_names)) && length(var.cluster_names) <= 500
    error_message = "cluster_names must be empty, or names of clusters separated by commas, with * for any text, 500 characters at most."
  }
}

variable "node_roles" {
  type        = string
  default     = ""
  nullable    = false
  description = "Roles that are always evaluated as node roles: names without a path, or ARNs, separated by commas. * matches any text. Empty: only the roles that the rule finds."

  validation {
    condition     = can(regex("^$|^([A-Za-z0-9_+=.@*-]+|arn:[a-z*-]+:iam::[0-9*]+:role/[A-Za-z0-9_+=.@/*-]+)( *, *([A-Za-z0-9_+=.@*-]+|arn:[a-z*-]+:iam::[0-9*]+:role/[A-Za-z0-9_+=.@/*-]+))*$", var.node_roles)) && length(var.node_roles) <= 500
    error_message = "node_roles must be empty, or names or ARNs of roles separated by commas, with * for any text, 500 characters at most."
  }
}

variable "exempt_roles" {
  type        = string
  default     = ""
  nullable    = false
  description = "Roles that are never evaluated, also if node_roles names them: names without a path, or ARNs, separated by commas. * matches any text. For more than a few roles use exempt_tag: all rule parameters together have 1,024 characters."

  validation {
    condition     = can(regex("^$|^([A-Za-z0-9_+=.@*-]+|arn:[a-z*-]+:iam::[0-9*]+:role/[A-Za-z0-9_+=.@/*-]+)( *, *([A-Za-z0-9_+=.@*-]+|arn:[a-z*-]+:iam::[0-9*]+:role/[A-Za-z0-9_+=.@/*-]+))*$", var.exempt_roles)) && length(var.exempt_roles) <= 500
    error_message = "exempt_roles must be empty, or names or ARNs of roles separated by commas, with * for any text, 500 characters at most."
  }
}

variable "exempt_tag" {
  type        = string
  default     = ""
  nullable    = false
  description = "A tag as Key=Value. Roles with this tag are never evaluated. One tag exempts any number of roles. Empty: none. Anyone who may tag roles can hide a role from this rule."

  validation {
    condition     = can(regex("^$|^[^=]+=.*$", var.exempt_tag)) && length(var.exempt_tag) <= 400
    error_message = "exempt_tag must be empty, or a tag as Key=Value, 400 characters at most."
  }
}

variable "exempt_until_tag" {
  type        = string
  default     = ""
  nullable    = false
  description = "The key of a tag. A role with this tag is not evaluated until the date in the tag's value, such as 2026-12-31, has passed: the last day, in UTC. Another value does not exempt the role. Empty: none. Anyone who may tag roles can hide a role from this rule."

  validation {
    condition     = can(regex("^$|^[^=\"\\\\\\x00-\\x1f]{1,128}$", var.exempt_until_tag)) && length(var.exempt_until_tag) <= 128
    error_message = "exempt_until_tag must be empty, or the key of a tag without = and a value, 128 characters at most."
  }
}

variable "instance_profile_changes" {
  type        = bool
  default     = false
  nullable    = false
  description = "If true, changes of instance profiles trigger the rule too, and it evaluates the node role in the profile. AWS Config must record AWS::IAM::InstanceProfile. Each change is one more evaluation that AWS bills."
}

variable "include_service_account_roles" {
  type        = bool
  default     = false
  nullable    = false
  description = "If true, the roles of pods are evaluated too: EKS Pod Identity, IAM roles for service accounts, add-ons."
}

variable "execution_role_name" {
  type        = string
  default     = ""
  nullable    = false
  description = "Name, with its path if it has one, of the role that the function may assume in other accounts of its organisation. deploy/member-role.yaml creates it. The rules in those accounts have the same name as their parameter ExecutionRoleName. Empty: the function serves this account only."

  validation {
    condition     = can(regex("^$|^[A-Za-z0-9_+=,.@-]+(/[A-Za-z0-9_+=,.@-]+)*$", var.execution_role_name)) && !startswith(var.execution_role_name, "aws-service-role/") && length(var.execution_role_name) <= 500
    error_message = "execution_role_name must be empty, or the name of a role that is not service-linked, 500 characters at most."
  }
}

variable "rule_name" {
  type        = string
  default     = "eks-node-role-ecr-read-only"
  nullable    = false
  description = "Name of the AWS Config rule, unique in the region. Changing it replaces the rule and loses its results. If the rule has a remediation, delete the remediation's stack first: AWS Config does not delete a rule that has one."

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+$", var.rule_name)) && length(var.rule_name) <= 64
    error_message = "rule_name must be 1 to 64 letters, digits, hyphens or underscores."
  }
}

variable "maximum_execution_frequency" {
  type        = string
  default     = "TwentyFour_Hours"
  nullable    = false
  description = "How often all node roles are evaluated, changed or not. A change that AWS Config does not report, such as a new node group or a new version of an AWS managed policy, is seen after this time at the latest."

  validation {
    condition     = contains(["One_Hour", "Three_Hours", "Six_Hours", "Twelve_Hours", "TwentyFour_Hours"], var.maximum_execution_frequency)
    error_message = "maximum_execution_frequency must be One_Hour, Three_Hours, Six_Hours, Twelve_Hours or TwentyFour_Hours."
  }
}

variable "security_hub_findings" {
  type        = bool
  default     = false
  nullable    = false
  description = "If true, the function imports findings into AWS Security Hub. Each names the request that the role can make and the change that prevents it; the findings that AWS Config forwards name neither. Needs AWS Security Hub CSPM in this account and region."
}

variable "notifications" {
  type        = bool
  default     = false
  nullable    = false
  description = "If true, an SNS topic gets a message for each role that becomes NON_COMPLIANT, and for each that becomes COMPLIANT again. Adds a topic with a KMS key, which costs money while it exists."
}

variable "alarms" {
  type        = bool
  default     = false
  nullable    = false
  description = "If true, CloudWatch alarms watch the function: errors, throttles, events that failed all attempts, roles that are undecided or unreadable, a schedule that does not run, findings that were not imported. They send to the same topic as notifications and cost money while they exist."
}

variable "notification_email" {
  type        = string
  default     = ""
  nullable    = false
  description = "E-mail address that is subscribed to the topic of notifications and alarms. Its owner must confirm the subscription. Empty: none. You can add other subscribers to the topic."

  validation {
    condition     = can(regex("^$|^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.notification_email)) && length(var.notification_email) <= 254
    error_message = "notification_email must be empty, or an e-mail address."
  }

  validation {
    condition     = var.notification_email == "" || var.notifications || var.alarms
    error_message = "notification_email needs notifications or alarms to be true."
  }
}

variable "architecture" {
  type        = string
  default     = "x86_64"
  nullable    = false
  description = "Processor architecture of the function. It must be the one that the package was built for."

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64."
  }
}

variable "reserved_concurrency" {
  type        = string
  default     = ""
  nullable    = false
  description = "Maximum number of concurrent invocations. Lambda takes them from the account's concurrency. A low number slows bursts of changes down and leaves more of the account's IAM request rate to others. Empty: no limit."

  validation {
    condition     = can(regex("^$|^[1-9][0-9]{0,3}$", var.reserved_concurrency))
    error_message = "reserved_concurrency must be empty, or a number from 1 to 9999."
  }
}

variable "tracing" {
  type        = string
  default     = "Active"
  nullable    = false
  description = "Active: Lambda sends traces of sampled invocations to AWS X-Ray. PassThrough: no traces, because AWS Config does not trace the invocations that it makes."

  validation {
    condition     = contains(["Active", "PassThrough"], var.tracing)
    error_message = "tracing must be Active or PassThrough."
  }
}

variable "log_level" {
  type        = string
  default     = "INFO"
  nullable    = false
  description = "Lowest level that is logged. INFO logs one line for each evaluated role; WARN and ERROR do not. Metrics are written at every level."

  validation {
    condition     = contains(["DEBUG", "INFO", "WARN", "ERROR"], var.log_level)
    error_message = "log_level must be DEBUG, INFO, WARN or ERROR."
  }
}

variable "log_retention_in_days" {
  type        = number
  default     = 90
  nullable    = false
  description = "Days until CloudWatch Logs deletes a log line. The results of the rule stay in AWS Config."

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_in_days)
    error_message = "log_retention_in_days must be a retention that CloudWatch Logs offers, such as 30, 90 or 365."
  }
}

variable "permissions_boundary" {
  type        = string
  default     = ""
  nullable    = false
  description = "ARN of the policy that is the permissions boundary of the function's role. It must allow what the role's policies allow. Empty: none."

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]+$", var.permissions_boundary))
    error_message = "permissions_boundary must be empty, or the ARN of a policy."
  }
}

variable "role_path" {
  type        = string
  default     = ""
  nullable    = false
  description = "Path of the function's role, such as /security/. Changing it replaces the role. Empty: /."

  validation {
    condition     = can(regex("^$|^/([A-Za-z0-9_+=,.@-]+/)*$", var.role_path)) && !startswith(var.role_path, "/aws-service-role/") && length(var.role_path) <= 512
    error_message = "role_path must be empty, or a path that begins and ends with /, 512 characters at most."
  }
}

variable "role_name_prefix" {
  type        = string
  default     = ""
  nullable    = false
  description = "First part of the name of the function's role, such as platform-. The name is then the prefix, ecr-read-only- and the region. Changing it replaces the role. Two stacks in one region need different prefixes. Empty: Terraform chooses the name."

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=,.@-]*$", var.role_name_prefix)) && length(var.role_name_prefix) <= 32
    error_message = "role_name_prefix must be empty, or characters of a role's name, 32 at most."
  }
}

variable "kms_key_arn" {
  type        = string
  default     = ""
  nullable    = false
  description = "ARN of the KMS key that encrypts the log group and the failure queue. Its key policy must admit the services that write to them (docs/tasks/company-rules.md). Empty: keys of AWS."

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$", var.kms_key_arn))
    error_message = "kms_key_arn must be empty, or the ARN of a KMS key (not of an alias)."
  }
}

variable "subnet_ids" {
  type        = list(string)
  default     = []
  nullable    = false
  description = "Subnets of the function. They need a route to the AWS APIs (docs/tasks/company-rules.md). Empty: the function is in no VPC of yours."

  validation {
    condition     = length(var.subnet_ids) <= 16 && alltrue([for id in var.subnet_ids : can(regex("^subnet-([0-9a-f]{17}|[0-9a-f]{8})$", id))])
    error_message = "subnet_ids must be empty, or up to 16 ids of subnets."
  }

  validation {
    # For both variables here: Terraform refuses two validations that name each other.
    condition     = (length(var.subnet_ids) == 0) == (length(var.security_group_ids) == 0)
    error_message = "subnet_ids needs security_group_ids, and security_group_ids needs subnet_ids."
  }
}

variable "security_group_ids" {
  type        = list(string)
  default     = []
  nullable    = false
  description = "Security groups of the function in its subnets. They must allow HTTPS to the AWS APIs. Empty: only if subnet_ids is empty too."

  validation {
    condition     = length(var.security_group_ids) <= 5 && alltrue([for id in var.security_group_ids : can(regex("^sg-([0-9a-f]{17}|[0-9a-f]{8})$", id))])
    error_message = "security_group_ids must be empty, or up to 5 ids of security groups."
  }
}

variable "code_signing_config_arn" {
  type        = string
  default     = ""
  nullable    = false
  description = "ARN of a code signing configuration. Lambda then checks the signature of the function's package. Empty: none."

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:code-signing-config:csc-[a-z0-9]{17}$", var.code_signing_config_arn))
    error_message = "code_signing_config_arn must be empty, or the ARN of a code signing configuration."
  }
}
