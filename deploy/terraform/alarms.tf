locals {
  # A scheduled run must succeed within twice this time, in hours.
  hours = {
    One_Hour         = 1
    Three_Hours      = 3
    Six_Hours        = 6
    Twelve_Hours     = 12
    TwentyFour_Hours = 24
  }

  function_dimensions = { FunctionName = aws_lambda_function.function.function_name }

  # The key is the end of the alarm's name. docs/tasks/notifications-and-alarms.md says what to do about each.
  alarms = {
    errors = {
      description         = "The rule's function fails. The log lines \"evaluation failed\" hold the reason (docs/tasks/notifications-and-alarms.md)."
      namespace           = "AWS/Lambda"
      metric_name         = "Errors"
      dimensions          = local.function_dimensions
      statistic           = "Sum"
      period              = 900
      evaluation_periods  = 1
      datapoints_to_alarm = null
      comparison_operator = "GreaterThanOrEqualToThreshold"
      threshold           = 3
      treat_missing_data  = "notBreaching"
    }
    throttles = {
      description         = "Events wait because the function has reached its concurrency limit, for 15 minutes now. They are lost after 6 hours (docs/tasks/notifications-and-alarms.md)."
      namespace           = "AWS/Lambda"
      metric_name         = "Throttles"
      dimensions          = local.function_dimensions
      statistic           = "Sum"
      period              = 300
      evaluation_periods  = 3
      datapoints_to_alarm = null
      comparison_operator = "GreaterThanOrEqualToThreshold"
      threshold           = 1
      treat_missing_data  = "notBreaching"
    }
    failure-queue = {
      description         = "Events failed all attempts, or notifications were not delivered. They are in the failure queue (docs/tasks/notifications-and-alarms.md)."
      namespace           = "AWS/SQS"
      metric_name         = "ApproximateNumberOfMessagesVisible"
      dimensions          = { QueueName = aws_sqs_queue.failures.name }
      statistic           = "Maximum"
      period              = 300
      evaluation_periods  = 1
      datapoints_to_alarm = null
      comparison_operator = "GreaterThanOrEqualToThreshold"
      threshold           = 1
      treat_missing_data  = "notBreaching"
    }
    undecided = {
      description         = "A node role is NON_COMPLIANT because its policies were too complex to decide within the budget (docs/tasks/notifications-and-alarms.md)."
      namespace           = "EksNodeRoleEcrReadOnly"
      metric_name         = "RolesUndecided"
      dimensions          = local.function_dimensions
      statistic           = "Maximum"
      period              = 3600
      evaluation_periods  = 25
      datapoints_to_alarm = 1
      comparison_operator = "GreaterThanOrEqualToThreshold"
      threshold           = 1
      treat_missing_data  = "notBreaching"
    }
    unreadable = {
      description         = "A node role has no verdict, because it could not be read or understood. The log lines \"no verdict\" name it (docs/tasks/notifications-and-alarms.md)."
      namespace           = "EksNodeRoleEcrReadOnly"
      metric_name         = "RolesUnreadable"
      dimensions          = local.function_dimensions
      statistic           = "Maximum"
      period              = 3600
      evaluation_periods  = 25
      datapoints_to_alarm = 1
      comparison_operator = "GreaterThanOrEqualToThreshold"
      threshold           = 1
      treat_missing_data  = "notBreaching"
    }
    schedule = {
      description         = "No scheduled run has succeeded for twice the period of the schedule. Verdicts may be outdated (docs/tasks/notifications-and-alarms.md)."
      namespace           = "EksNodeRoleEcrReadOnly"
      metric_name         = "ScheduledRuns"
      dimensions          = local.function_dimensions
      statistic           = "Sum"
      period              = 3600
      evaluation_periods  = 2 * local.hours[var.maximum_execution_frequency]
      datapoints_to_alarm = null
      comparison_operator = "LessThanThreshold"
      threshold           = 1
      treat_missing_data  = "breaching"
    }
    findings = {
      description         = "Findings were not imported into Security Hub. AWS Config has the verdicts (docs/tasks/notifications-and-alarms.md)."
      namespace           = "EksNodeRoleEcrReadOnly"
      metric_name         = "FindingsNotImported"
      dimensions          = local.function_dimensions
      statistic           = "Sum"
      period              = 900
      evaluation_periods  = 1
      datapoints_to_alarm = null
      comparison_operator = "GreaterThanOrEqualToThreshold"
      threshold           = 1
      treat_missing_data  = "notBreaching"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "function" {
  for_each = { for key, alarm in local.alarms : key => alarm if var.alarms }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric_name
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.evaluation_periods
  datapoints_to_alarm = each.value.datapoints_to_alarm
  comparison_operator = each.value.comparison_operator
  threshold           = each.value.threshold
  treat_missing_data  = each.value.treat_missing_data
  alarm_actions       = [aws_sns_topic.notifications[0].arn]
  ok_actions          = [aws_sns_topic.notifications[0].arn]
  tags                = var.tags
}
