# The same stack as template.yaml. Comments of the template are not repeated here.
# One file for each subject: function.tf, role.tf, rule.tf, notifications.tf, alarms.tf.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region

  # Alarms send to the topic of the notifications.
  has_topic = var.notifications || var.alarms
}
