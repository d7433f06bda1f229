# The first run builds all of it. Those that change nothing look at what it built.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "what_streams_is_behind_a_url_that_streams" {
  assert {
    condition     = keys(aws_lambda_function_url.streaming) == ["stream"]
    error_message = "URLs: ${join(", ", keys(aws_lambda_function_url.streaming))}"
  }

  assert {
    condition     = alltrue([for url in values(aws_lambda_function_url.streaming) : url.invoke_mode == "RESPONSE_STREAM" && url.qualifier == "live"])
    error_message = "a URL collects answers, or is not that of live"
  }

  assert {
    condition     = length(setintersection(keys(local.routes), keys(local.streamed))) == 0
    error_message = "the HTTP API has a path that streams"
  }
}

run "cloudfront_sends_streamed_paths_to_the_url_and_collects_nothing" {
  command = plan

  assert {
    condition = alltrue([for path, name in local.streamed : one([
      for behaviour in aws_cloudfront_distribution.this.ordered_cache_behavior : behaviour.target_origin_id if behaviour.path_pattern == path
    ]) == name])
    error_message = "a path is not sent to its function"
  }

  assert {
    condition     = { for origin in aws_cloudfront_distribution.this.origin : origin.origin_id => origin.domain_name }["stream"] == "abcdefghijklmnop.lambda-url.eu-central-1.on.aws"
    error_message = "the origin is not the function URL"
  }

  assert {
    condition     = alltrue([for behaviour in aws_cloudfront_distribution.this.ordered_cache_behavior : !behaviour.compress && behaviour.cache_policy_id == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"])
    error_message = "something is compressed or cached on its way"
  }
}

run "every_path_is_served_by_the_first_behaviour_that_matches" {
  command = plan

  assert {
    condition = alltrue([for path, name in output.routes : [
      for behaviour in aws_cloudfront_distribution.this.ordered_cache_behavior : behaviour.target_origin_id
      if can(regex("^${replace(replace(behaviour.path_pattern, ".", "\\."), "*", ".*")}$", path))
    ][0] == (local.functions[name].streams ? name : local.functions[name].sockets ? "socket" : "api")])
    error_message = "a path goes elsewhere"
  }
}

run "functions_are_told_whose_request_it_is_and_not_by_the_client" {
  command = plan

  assert {
    condition     = alltrue([for behaviour in aws_cloudfront_distribution.this.ordered_cache_behavior : one(behaviour.function_association).event_type == "viewer-request"])
    error_message = "a behaviour lets a client's own word through"
  }

  assert {
    condition     = alltrue([for code in [aws_cloudfront_function.viewer.code, aws_cloudfront_function.rewrite.code] : strcontains(code, "request.headers['x-lmo-viewer'] = { value: event.viewer.ip };")])
    error_message = "a client's own word is kept"
  }
}

run "a_token_that_nobody_gave_is_drawn" {
  command = plan

  assert {
    condition     = can(regex("^[0-9a-f-]{36}$", nonsensitive(local.origin_token)))
    error_message = "the token is not random"
  }
}

run "the_socket_is_under_a_path_of_the_api" {
  command = plan

  assert {
    condition     = output.websocket_url == "wss://d111111abcdef8.cloudfront.net/api/mcp/ws"
    error_message = output.websocket_url
  }

  assert {
    condition     = aws_lambda_function.this["websocket"].environment[0].variables.LMO_WEBSOCKET_ENDPOINT == "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/ws"
    error_message = "the function posts elsewhere"
  }

  assert {
    condition     = strcontains(aws_cloudfront_function.rewrite.code, "=== '/api/mcp/ws'") && strcontains(aws_cloudfront_function.rewrite.code, "request.uri = '/ws'")
    error_message = aws_cloudfront_function.rewrite.code
  }

  assert {
    condition     = toset(values(aws_apigatewayv2_route.socket)[*].route_key) == toset(["$connect", "$default", "$disconnect"])
    error_message = "routes of the socket"
  }
}

run "a_message_is_handed_over_as_the_event_that_the_function_reads" {
  command = plan

  assert {
    condition     = aws_apigatewayv2_integration.message[0].integration_type == "AWS" && aws_apigatewayv2_integration.message[0].request_parameters["integration.request.header.X-Amz-Invocation-Type"] == "'Event'"
    error_message = "API Gateway waits for the answer"
  }

  assert {
    condition = jsondecode(replace(replace(aws_apigatewayv2_integration.message[0].request_templates["$default"], "/\\$context\\.(connectedAt|requestTimeEpoch)/", "1"), "$util.base64Encode($input.body)", "eyJ9")) == {
      requestContext = {
        eventType = "MESSAGE", routeKey = "$context.routeKey", stage = "$context.stage", requestId = "$context.requestId"
        messageId = "$context.messageId", connectionId = "$context.connectionId", connectedAt = 1, requestTimeEpoch = 1
      }
      body            = "eyJ9"
      isBase64Encoded = true
    }
    error_message = aws_apigatewayv2_integration.message[0].request_templates["$default"]
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.message.maximum_retry_attempts == 0 && length(aws_lambda_function_event_invoke_config.message.destination_config) == 0
    error_message = "a message is run again or kept"
  }
}

run "while_a_token_replaces_another_both_are_good" {
  variables {
    origin_token_version = 2
  }

  assert {
    condition     = keys(aws_ssm_parameter.origin_token) == ["1", "2"] && nonsensitive(local.origin_token) == nonsensitive(aws_ssm_parameter.origin_token["2"].value)
    error_message = "CloudFront shows another token"
  }

  assert {
    condition     = nonsensitive(aws_lambda_function.this["query"].environment[0].variables.LMO_ORIGIN_TOKEN == join(",", [for version in ["2", "1"] : aws_ssm_parameter.origin_token[version].value]))
    error_message = "the token before is good no more"
  }
}

run "every_origin_but_the_bucket_sees_the_token_that_functions_want" {
  variables {
    origin_token = "0123456789abcdef0123456789abcdef,fedcba9876543210fedcba9876543210"
  }

  assert {
    condition = alltrue([for origin in aws_cloudfront_distribution.this.origin : origin.origin_id == "dashboard" ||
    try(one(origin.custom_header).name == "x-lmo-origin" && one(origin.custom_header).value == "0123456789abcdef0123456789abcdef", false)])
    error_message = "an origin is not shown the token"
  }

  assert {
    condition     = alltrue([for name, row in local.functions : (try(aws_lambda_function.this[name].environment[0].variables.LMO_ORIGIN_TOKEN, null) != null) == (length(row.paths) > 0 || row.sockets)])
    error_message = "a function that is called from outside doesn't want the token, or another does"
  }

  assert {
    condition     = nonsensitive(aws_lambda_function.this["query"].environment[0].variables.LMO_ORIGIN_TOKEN) == "0123456789abcdef0123456789abcdef,fedcba9876543210fedcba9876543210"
    error_message = "the token before is good no more"
  }
}
