# The first run builds all of it. Those that change nothing look at what it built.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "alarms_ring_for_whatever_stops_being_right" {
  assert {
    condition = length(setsubtract(
      concat(flatten([for name in keys(local.table) : ["${name}-errors", "${name}-throttles"]]), ["aggregate-age", "aggregate-books", "billing-held", "billing-unbilled", "billing-payments", "billing-disputes", "billing-refunds", "failed-events", "failed-runs", "api-5xx", "stream-5xx", "api-p99", "stream-p99", "websocket-dropped", "mail-bounces", "mail-complaints"]),
      keys(aws_cloudwatch_metric_alarm.this),
    )) == 0
    error_message = "alarms: ${join(", ", keys(aws_cloudwatch_metric_alarm.this))}"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["api-p99"].extended_statistic == "p99" && aws_cloudwatch_metric_alarm.this["api-p99"].statistic == null
    error_message = "p99 is no percentile"
  }

  assert {
    condition = (aws_cloudwatch_metric_alarm.this["aggregate-books"].namespace == "LMO" && aws_cloudwatch_metric_alarm.this["aggregate-books"].metric_name == "BooksDiffer"
    && aws_cloudwatch_metric_alarm.this["aggregate-books"].dimensions == tomap({ Function = "lmo-aggregate" }))
    error_message = "books that differ are not noticed"
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.this) : length(alarm.alarm_actions) == 0])
    error_message = "an alarm rings somewhere"
  }
}

run "access_logs_have_neither_path_nor_query_nor_caller" {
  command = plan

  assert {
    condition     = length(setintersection(values(jsondecode(aws_apigatewayv2_stage.http.access_log_settings[0].format)), ["$context.path", "$context.identity.sourceIp", "$context.authorizer.principalId"])) == 0
    error_message = aws_apigatewayv2_stage.http.access_log_settings[0].format
  }
}

run "the_dashboard_shows_every_function" {
  command = plan

  assert {
    condition     = alltrue([for full in values(output.functions) : strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "\"${full}\"")])
    error_message = aws_cloudwatch_dashboard.this.dashboard_body
  }
}

run "alarms_and_budget_go_to_the_topic" {
  variables {
    alarm_topic_arn    = "arn:aws:sns:eu-central-1:123456789012:alarms"
    monthly_budget_usd = 500
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.this) : alarm.alarm_actions == toset([var.alarm_topic_arn])])
    error_message = "an alarm that nobody hears"
  }

  assert {
    condition     = aws_budgets_budget.monthly[0].limit_amount == "500" && alltrue([for notification in aws_budgets_budget.monthly[0].notification : notification.subscriber_sns_topic_arns == toset([var.alarm_topic_arn])])
    error_message = "the budget"
  }
}

run "functions_are_traced" {
  variables {
    otlp_endpoint = "http://localhost:4318"
    layers        = ["arn:aws:lambda:eu-central-1:184161586896:layer:opentelemetry-collector-arm64-0_17_0:1"]
    log_filter    = "warn"
  }

  assert {
    condition = alltrue([for function in values(aws_lambda_function.this) : function.tracing_config[0].mode == "Active" && length(function.layers) == 1
    && function.environment[0].variables.OTEL_EXPORTER_OTLP_ENDPOINT == "http://localhost:4318" && function.environment[0].variables.RUST_LOG == "warn"])
    error_message = "a function is not traced"
  }
}
