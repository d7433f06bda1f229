# Logs, alarms, the dashboard, and the budget.

resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_158:With var.kms_key_arn; without it CloudWatch's own key encrypts them.
  #checkov:skip=CKV_AWS_338:By var.log_retention_days. The books are in the table, not in logs.
  for_each = local.named

  name              = "/aws/lambda/${each.value}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_log_group" "api" {
  #checkov:skip=CKV_AWS_158:With var.kms_key_arn; without it CloudWatch's own key encrypts them.
  #checkov:skip=CKV_AWS_338:By var.log_retention_days. The books are in the table, not in logs.
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

locals {
  # name => what is measured, and above what it rings: the sum of five minutes, unless a row says otherwise.
  alarms = merge(
    merge([for name, full in local.named : {
      "${name}-errors"    = { says = "${full} failed", metric = "AWS/Lambda Errors", of = { FunctionName = full }, above = 0 }
      "${name}-throttles" = { says = "${full} was refused for its concurrency", metric = "AWS/Lambda Throttles", of = { FunctionName = full }, above = 0 }
    }]...),
    { for name, row in local.functions : "${name}-5xx" => {
      says = "${local.named[name]} answers with server errors", metric = "AWS/Lambda Url5xxCount", of = { FunctionName = local.named[name] }, above = var.alarms.server_errors
    } if row.streams },
    { for name, row in local.functions : "${name}-p99" => {
      says      = "${local.named[name]} is slow", metric = "AWS/Lambda UrlRequestLatency", of = { FunctionName = local.named[name] }
      statistic = "p99", above = var.alarms.stream_p99_ms
    } if row.streams },
    { for name, row in local.functions : "${name}-dropped" => {
      says = "Messages of WebSockets were dropped", metric = "AWS/Lambda AsyncEventsDropped", of = { FunctionName = local.named[name] }, above = 0
    } if row.sockets },
    { for name, row in local.functions : "${name}-age" => {
      says      = "Usage events wait too long to be counted", metric = "AWS/Lambda IteratorAge", of = { FunctionName = local.named[name] }
      statistic = "Maximum", above = var.alarms.iterator_age_seconds * 1000
    } if row.events },
    { for name, row in local.functions : "${name}-books" => {
      says = "Meters and totals of a tenant differ", metric = "LMO BooksDiffer", of = { Function = local.named[name] }, above = 0
      # Compared once an hour.
      period = 3600
    } if contains(keys(row.schedules), "reconcile") },
    # By what functions count themselves, of the one that has billing's schedules.
    merge([for name, row in local.functions : {
      for alarm in [
        ["held", "InvoicesHeld", "Invoices stay drafts, because the books of a month differ"],
        ["unbilled", "RunFailures", "Tenants can't be billed"],
        ["payments", "PaymentsUnknown", "It isn't known what became of payments at Stripe"],
        ["disputes", "PaymentsDisputed", "A buyer disputes a payment"],
        ["refunds", "RefundsFailed", "Money that is to go back can't"],
        ] : "${name}-${alarm[0]}" => {
        says = alarm[2], metric = "LMO ${alarm[1]}", of = { Function = local.named[name] }, above = 0
      }
    } if contains(keys(row.schedules), "bill")]...),
    { for name, full in local.arns.queues : "failed-${name}" => {
      says = "Something was given up and waits in its queue", metric = "AWS/SQS ApproximateNumberOfMessagesVisible"
      of   = { QueueName = aws_sqs_queue.failed[name].name }, statistic = "Maximum", above = 0
    } },
    {
      # Above 10 % SES may stop a sender, and above 0.5 % of complaints.
      mail-bounces    = { says = "Mails are returned", metric = "AWS/SES Reputation.BounceRate", of = {}, statistic = "Average", period = 3600, above = 0.05 }
      mail-complaints = { says = "Mails are called unwanted", metric = "AWS/SES Reputation.ComplaintRate", of = {}, statistic = "Average", period = 3600, above = 0.001 }

      api-5xx = { says = "The HTTP API answers with server errors", metric = "AWS/ApiGateway 5xx", of = { ApiId = aws_apigatewayv2_api.http.id }, above = var.alarms.server_errors }
      api-p99 = { says = "The HTTP API is slow", metric = "AWS/ApiGateway Latency", of = { ApiId = aws_apigatewayv2_api.http.id }, statistic = "p99", above = var.alarms.latency_p99_ms }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = split(" ", each.value.metric)[0]
  metric_name         = split(" ", each.value.metric)[1]
  dimensions          = each.value.of
  statistic           = startswith(try(each.value.statistic, "Sum"), "p") ? null : try(each.value.statistic, "Sum")
  extended_statistic  = startswith(try(each.value.statistic, "Sum"), "p") ? each.value.statistic : null
  period              = try(each.value.period, 300)
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([var.alarm_topic_arn])
  ok_actions          = compact([var.alarm_topic_arn])
}

# Functions that answer requests, for the dashboard.
locals {
  serving = [for name, row in local.functions : local.named[name] if length(row.paths) > 0 || row.sockets]

  graphs = concat(
    [for graph in [["Requests", "Sum"], ["Latency", "p99"], ["Refusals", "Sum"]] : {
      title   = graph[0]
      stat    = graph[1]
      metrics = [for full in local.serving : ["LMO", graph[0], "Function", full]]
    }],
    [for graph in [["TimeToFirstToken", "p50"], ["InputTokens", "Sum"], ["OutputTokens", "Sum"], ["CostNanoUsd", "Sum"], ["CacheHits", "Sum"], ["UpstreamErrors", "Sum"], ["Retries", "Sum"]] : {
      title   = "${graph[0]} by model"
      stat    = graph[1]
      metrics = [[{ expression = "SEARCH('{LMO,Function,Model} MetricName=\"${graph[0]}\" (${join(" OR ", [for full in local.serving : "Function=\"${full}\""])})', '${graph[1]}')" }]]
    }],
    [for graph in [["Invocations", "Sum"], ["Errors", "Sum"], ["Throttles", "Sum"], ["ConcurrentExecutions", "Maximum"], ["Duration", "p99"]] : {
      title   = "Lambda: ${graph[0]}"
      stat    = graph[1]
      metrics = [for full in values(local.named) : ["AWS/Lambda", graph[0], "FunctionName", full]]
    }],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [for index, graph in local.graphs : {
      type       = "metric"
      x          = index % 3 * 8
      y          = floor(index / 3) * 6
      width      = 8
      height     = 6
      properties = merge(graph, { region = local.region })
    }]
  })
}

resource "aws_budgets_budget" "monthly" {
  count = var.monthly_budget_usd == null ? 0 : 1

  name         = var.name
  budget_type  = "COST"
  limit_amount = var.monthly_budget_usd
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  dynamic "notification" {
    for_each = { ACTUAL = 80, FORECASTED = 100 }
    content {
      notification_type         = notification.key
      threshold                 = notification.value
      threshold_type            = "PERCENTAGE"
      comparison_operator       = "GREATER_THAN"
      subscriber_sns_topic_arns = [var.alarm_topic_arn]
    }
  }
}
