output "function_name" {
  description = "Name of the function that evaluates the roles"
  value       = aws_lambda_function.function.function_name
}

output "function_arn" {
  description = "ARN of the function that evaluates the roles"
  value       = aws_lambda_function.function.arn
}

output "function_role_arn" {
  description = "ARN of the function's role, which the roles in other accounts must trust"
  value       = aws_iam_role.function.arn
}

output "rule_name" {
  description = "Name of the AWS Config rule"
  value       = aws_config_config_rule.rule.name
}

output "rule_arn" {
  description = "ARN of the AWS Config rule"
  value       = aws_config_config_rule.rule.arn
}

output "log_group_name" {
  description = "CloudWatch log group of the function"
  value       = aws_cloudwatch_log_group.function.name
}

output "failure_queue_url" {
  description = "URL of the queue of events that failed all attempts, and of notifications that could not be delivered"
  value       = aws_sqs_queue.failures.url
}

output "notification_topic_arn" {
  description = "ARN of the topic for compliance changes and alarms, or null without one"
  value       = one(aws_sns_topic.notifications[*].arn)
}
