output "url" {
  description = "Where the platform is."
  value       = "https://${local.address}"
}

output "issuer" {
  description = "What tokens and links in mails name; it should be `url`."
  value       = local.issuer
}

output "websocket_url" {
  description = "Where WebSocket clients connect."
  value       = "wss://${local.address}${local.socket_path}"
}

output "table" {
  description = "Name of the table."
  value       = aws_dynamodb_table.this.name
}

output "stream" {
  description = "Name of the stream of usage events."
  value       = aws_kinesis_stream.usage.name
}

output "functions" {
  description = "Names of the functions."
  value       = local.named
}

output "versions" {
  description = "The newest version of each function; `live` may be at another: var.staged."
  value       = { for name, function in aws_lambda_function.this : name => function.version }
}

output "live" {
  description = "The version of each function that `live` is at."
  value       = { for name, alias in aws_lambda_alias.live : name => alias.function_version }
}

output "roles" {
  description = "ARNs of the functions' roles."
  value       = { for name, role in aws_iam_role.function : name => role.arn }
}

output "permissions" {
  description = "What the code of each function is allowed to do, beside what Lambda does for it."
  value       = { for name, statements in local.own : name => sort(distinct(flatten([for statement in statements : statement.actions]))) }
}

output "routes" {
  description = "Which function serves which path."
  value       = merge(local.routes, local.streamed, { (local.socket_path) = local.socket })
}

output "alarms" {
  description = "Names of the alarms, for a deployment that rolls back when one rings."
  value       = [for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name]
}

output "distribution" {
  description = "Id of the CloudFront distribution."
  value       = aws_cloudfront_distribution.this.id
}

output "distribution_domain" {
  description = "CloudFront's own name for it, for a DNS record that isn't in Route 53."
  value       = aws_cloudfront_distribution.this.domain_name
}

output "api_domain_target" {
  description = "What the record of var.api_domain must point to, if it isn't in Route 53."
  value       = one(aws_apigatewayv2_domain_name.http[*].domain_name_configuration[0].target_domain_name)
}

output "dashboard_bucket" {
  description = "The bucket that the dashboard's files belong in."
  value       = aws_s3_bucket.dashboard.id
}

output "secrets" {
  description = "Names of the providers' secrets, to be filled."
  value       = { for name, secret in aws_secretsmanager_secret.provider : name => secret.name }
}

output "usage_bucket" {
  description = "The bucket of the usage export, if there is one."
  value       = try(aws_s3_bucket.export["usage"].id, null)
}
