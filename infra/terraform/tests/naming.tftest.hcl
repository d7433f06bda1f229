mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name = "acme"
}

run "everything_has_the_name_of_the_deployment" {
  assert {
    condition     = aws_dynamodb_table.this.name == "acme" && aws_kinesis_stream.usage.name == "acme-usage"
    error_message = "table and stream: ${aws_dynamodb_table.this.name}, ${aws_kinesis_stream.usage.name}"
  }

  assert {
    condition     = alltrue([for name, function in aws_lambda_function.this : function.function_name == "acme-${name}"])
    error_message = "functions: ${join(", ", values(aws_lambda_function.this)[*].function_name)}"
  }

  assert {
    condition     = alltrue([for name, group in aws_cloudwatch_log_group.function : group.name == "/aws/lambda/acme-${name}"])
    error_message = "log groups: ${join(", ", values(aws_cloudwatch_log_group.function)[*].name)}"
  }

  assert {
    condition     = aws_s3_bucket.dashboard.bucket == "acme-dashboard-123456789012-eu-central-1"
    error_message = "the bucket's name must be its own in all of AWS: ${aws_s3_bucket.dashboard.bucket}"
  }
}

run "arns_that_are_known_before_are_those_of_what_is_made" {
  assert {
    condition     = alltrue([for name, queue in aws_sqs_queue.failed : local.arns.queues[name] == "arn:aws:sqs:eu-central-1:123456789012:${queue.name}"])
    error_message = "queues"
  }

  assert {
    condition     = local.arns.table == "arn:aws:dynamodb:eu-central-1:123456789012:table/${aws_dynamodb_table.this.name}"
    error_message = local.arns.table
  }

  assert {
    condition     = local.arns.stream == "arn:aws:kinesis:eu-central-1:123456789012:stream/${aws_kinesis_stream.usage.name}"
    error_message = local.arns.stream
  }

  assert {
    condition     = alltrue([for name, function in aws_lambda_function.this : local.arns.functions[name] == "arn:aws:lambda:eu-central-1:123456789012:function:${function.function_name}"])
    error_message = "functions"
  }
}

run "functions_are_built_as_lambda_wants_them" {
  assert {
    condition     = alltrue([for function in values(aws_lambda_function.this) : function.runtime == "provided.al2023" && function.handler == "bootstrap" && function.architectures == tolist(["arm64"])])
    error_message = "runtime, handler or architecture"
  }

  assert {
    condition     = alltrue([for name, function in aws_lambda_function.this : endswith(function.filename, "/lmo-${name}/bootstrap.zip") && function.publish])
    error_message = "packages"
  }

  assert {
    condition     = alltrue([for alias in values(aws_lambda_alias.live) : alias.name == "live" && alias.function_version == "7" && length(alias.routing_config) == 0])
    error_message = "live is not at the newest version"
  }

  assert {
    condition     = alltrue([for name, row in local.functions : aws_lambda_function.this[name].timeout > row.deadline])
    error_message = "a function ends before its requests may"
  }
}

run "a_staged_version_gets_its_share_and_no_more" {
  variables {
    staged = { versions = { query = "6" }, weight = 0.1 }
  }

  assert {
    condition     = aws_lambda_alias.live["query"].function_version == "6" && one(aws_lambda_alias.live["query"].routing_config).additional_version_weights == tomap({ "7" = 0.1 })
    error_message = "query is not staged"
  }

  assert {
    condition     = aws_lambda_alias.live["stream"].function_version == "7" && length(aws_lambda_alias.live["stream"].routing_config) == 0
    error_message = "stream is staged, and nobody asked for it"
  }
}

run "concurrency_is_what_was_asked_for" {
  variables {
    tuning = { stream = { memory = 1024, reserved = 50, provisioned = 5 } }
  }

  assert {
    condition     = aws_lambda_function.this["stream"].memory_size == 1024 && aws_lambda_function.this["stream"].reserved_concurrent_executions == 50
    error_message = "stream"
  }

  assert {
    condition     = aws_lambda_function.this["query"].reserved_concurrent_executions == -1
    error_message = "query is limited, and nobody asked for it"
  }

  assert {
    condition     = keys(aws_lambda_provisioned_concurrency_config.live) == ["stream"] && aws_lambda_provisioned_concurrency_config.live["stream"].qualifier == "live"
    error_message = "provisioned: ${join(", ", keys(aws_lambda_provisioned_concurrency_config.live))}"
  }
}

run "a_function_runs_on_the_instances_that_were_asked_for" {
  variables {
    tuning = { stream = { memory = 2048, capacity_provider = "arn:aws:lambda:eu-central-1:123456789012:capacity-provider:lmo" } }
  }

  assert {
    condition     = aws_lambda_function.this["stream"].capacity_provider_config[0].lambda_managed_instances_capacity_provider_config[0].capacity_provider_arn == var.tuning.stream.capacity_provider
    error_message = "stream runs elsewhere"
  }

  assert {
    condition     = length(aws_lambda_function.this["query"].capacity_provider_config) == 0
    error_message = "query runs on instances, and nobody asked for it"
  }
}
