# The HTTP API for what answers in one piece, and the WebSocket API.

locals {
  socket_path  = "/api/mcp/ws" # as clients know it
  socket_stage = "ws"

  # path => function; the functions take all methods, so that preflights and wrong methods are answered by them.
  routes = merge([for name, row in local.functions : { for path in row.paths : path => name } if !row.streams]...)

  hosts = {
    api    = "${aws_apigatewayv2_api.http.id}.execute-api.${local.region}.${local.suffix}"
    socket = "${aws_apigatewayv2_api.socket.id}.execute-api.${local.region}.${local.suffix}"
  }
}

resource "aws_apigatewayv2_api" "http" {
  name          = var.name
  protocol_type = "HTTP"

  disable_execute_api_endpoint = var.api_domain != null
}

resource "aws_apigatewayv2_integration" "http" {
  for_each = toset(var.sam ? [] : values(local.routes))

  api_id                 = aws_apigatewayv2_api.http.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_alias.live[each.key].invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 30000
}

resource "aws_apigatewayv2_route" "http" {
  #checkov:skip=CKV_AWS_309:The functions authenticate by API key; API Gateway knows no tenants.
  for_each = var.sam ? {} : local.routes

  api_id    = aws_apigatewayv2_api.http.id
  route_key = "ANY ${each.key}"
  target    = "integrations/${aws_apigatewayv2_integration.http[each.value].id}"
}

resource "aws_apigatewayv2_stage" "http" {
  api_id      = aws_apigatewayv2_api.http.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit    = var.throttle.rate
    throttling_burst_limit   = var.throttle.burst
    detailed_metrics_enabled = true
  }

  # No path and no query string: a path has ids in it, and a query may be anything.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api.arn
    format = jsonencode({
      time                = "$context.requestTimeEpoch"
      request             = "$context.requestId"
      route               = "$context.routeKey"
      status              = "$context.status"
      bytes               = "$context.responseLength"
      latency_ms          = "$context.responseLatency"
      integration_ms      = "$context.integrationLatency"
      integration_status  = "$context.integrationStatus"
      integration_request = "$context.integration.requestId"
      error               = "$context.error.responseType"
    })
  }
}

resource "aws_apigatewayv2_api" "socket" {
  name                       = "${var.name}-socket"
  protocol_type              = "WEBSOCKET"
  route_selection_expression = "$request.body.action"
}

locals {
  # The function that has the connections.
  socket = one([for name, row in local.functions : name if row.sockets])

  socket_integrations = {
    "$connect"    = one(aws_apigatewayv2_integration.handshake[*].id)
    "$disconnect" = one(aws_apigatewayv2_integration.handshake[*].id)
    "$default"    = one(aws_apigatewayv2_integration.message[*].id)
  }
}

resource "aws_apigatewayv2_integration" "handshake" {
  count = var.sam ? 0 : 1

  api_id             = aws_apigatewayv2_api.socket.id
  integration_type   = "AWS_PROXY"
  integration_method = "POST"
  integration_uri    = aws_lambda_alias.live[local.socket].invoke_arn
}

# API Gateway waits 29 s for what it calls, and an answer may take longer. So a message is handed over and not waited for;
# the answer's pieces are posted to the connection.
resource "aws_apigatewayv2_integration" "message" {
  count = var.sam ? 0 : 1

  api_id                        = aws_apigatewayv2_api.socket.id
  integration_type              = "AWS"
  integration_method            = "POST"
  integration_uri               = aws_lambda_alias.live[local.socket].invoke_arn
  request_parameters            = { "integration.request.header.X-Amz-Invocation-Type" = "'Event'" }
  template_selection_expression = "\\$default"

  # A proxy's event, as far as the function reads it.
  request_templates = {
    "$default" = <<-EOT
      {
        "requestContext": {
          "eventType": "MESSAGE",
          "routeKey": "$context.routeKey",
          "stage": "$context.stage",
          "requestId": "$context.requestId",
          "messageId": "$context.messageId",
          "connectionId": "$context.connectionId",
          "connectedAt": $context.connectedAt,
          "requestTimeEpoch": $context.requestTimeEpoch
        },
        "body": "$util.base64Encode($input.body)",
        "isBase64Encoded": true
      }
    EOT
  }
}

resource "aws_apigatewayv2_route" "socket" {
  #checkov:skip=CKV_AWS_309:The function authenticates by API key when a client connects.
  for_each = var.sam ? {} : local.socket_integrations

  api_id    = aws_apigatewayv2_api.socket.id
  route_key = each.key
  target    = "integrations/${each.value}"
}

# The function takes each message once, so a second run would say nothing; and what was asked is nobody's to keep in a queue.
resource "aws_lambda_function_event_invoke_config" "message" {
  function_name                = aws_lambda_function.this[local.socket].function_name
  qualifier                    = aws_lambda_alias.live[local.socket].name
  maximum_event_age_in_seconds = 60
  maximum_retry_attempts       = 0
}

resource "aws_apigatewayv2_stage" "socket" {
  #checkov:skip=CKV_AWS_76:A WebSocket API can only log by a role that is set for the whole account; the function logs.
  #checkov:skip=CKV_AWS_95:As above.
  #checkov:skip=CKV2_AWS_51:Whoever comes past CloudFront lacks the origin token.
  api_id      = aws_apigatewayv2_api.socket.id
  name        = local.socket_stage
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit    = var.throttle.rate
    throttling_burst_limit   = var.throttle.burst
    detailed_metrics_enabled = true
  }
}

resource "aws_lambda_permission" "http" {
  for_each = toset(values(local.routes))

  statement_id  = "http"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this[each.key].function_name
  qualifier     = aws_lambda_alias.live[each.key].name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.http.execution_arn}/*"
}

resource "aws_lambda_permission" "socket" {
  statement_id  = "socket"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this[local.socket].function_name
  qualifier     = aws_lambda_alias.live[local.socket].name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.socket.execution_arn}/*"
}

# A name of its own for the HTTP API, so that nobody reaches it by the one that AWS gave it.

resource "aws_apigatewayv2_domain_name" "http" {
  count = var.api_domain == null ? 0 : 1

  domain_name = var.api_domain.name

  domain_name_configuration {
    certificate_arn = var.api_domain.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "http" {
  count = var.api_domain == null ? 0 : 1

  api_id      = aws_apigatewayv2_api.http.id
  domain_name = aws_apigatewayv2_domain_name.http[0].id
  stage       = aws_apigatewayv2_stage.http.id
}

resource "aws_route53_record" "http" {
  for_each = toset(try(var.api_domain.zone_id, null) == null ? [] : ["A", "AAAA"])

  zone_id = var.api_domain.zone_id
  name    = var.api_domain.name
  type    = each.key

  alias {
    name                   = aws_apigatewayv2_domain_name.http[0].domain_name_configuration[0].target_domain_name
    zone_id                = aws_apigatewayv2_domain_name.http[0].domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = false
  }
}
