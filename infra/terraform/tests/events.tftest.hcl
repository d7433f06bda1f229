# The first run builds all of it. Those that change nothing look at what it built.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "usage_events_are_counted_in_batches_and_poison_is_put_aside" {
  assert {
    condition     = keys(aws_lambda_event_source_mapping.usage) == ["aggregate"]
    error_message = "mappings: ${join(", ", keys(aws_lambda_event_source_mapping.usage))}"
  }

  assert {
    condition = alltrue([for mapping in values(aws_lambda_event_source_mapping.usage) :
      mapping.function_response_types == toset(["ReportBatchItemFailures"]) && mapping.bisect_batch_on_function_error && mapping.starting_position == "TRIM_HORIZON"
      && mapping.maximum_batching_window_in_seconds >= 10 && mapping.maximum_retry_attempts > 0 && mapping.batch_size == 5000
    ])
    error_message = "the mapping"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.usage["aggregate"].destination_config[0].on_failure[0].destination_arn == aws_sqs_queue.failed["events"].arn
    error_message = "what fails goes nowhere"
  }
}

run "a_stream_is_on_demand_or_has_the_shards_that_were_asked_for" {
  command = plan

  assert {
    condition     = aws_kinesis_stream.usage.stream_mode_details[0].stream_mode == "ON_DEMAND" && aws_kinesis_stream.usage.encryption_type == "KMS"
    error_message = "not on demand, or in the clear"
  }
}

run "each_schedule_gives_its_task_and_loses_no_failure" {
  command = plan

  assert {
    condition = { for name, schedule in aws_scheduler_schedule.task : name => schedule.schedule_expression } == {
      aggregate-sweep  = "rate(1 minute)", aggregate-reconcile = "rate(1 hour)", aggregate-purge = "rate(1 hour)"
      tenant-deliver   = "rate(1 minute)"
      auth-rotate-keys = "rate(1 day)"
      billing-bill     = "rate(1 hour)", billing-collect = "rate(5 minutes)", billing-terms = "rate(5 minutes)", billing-letters = "rate(1 minute)"
      billing-export   = "cron(30 1 * * ? *)"
    }
    error_message = "schedules"
  }

  assert {
    condition     = alltrue([for name, schedule in aws_scheduler_schedule.task : jsondecode(schedule.target[0].input) == { task = local.schedules[name].task }])
    error_message = "a schedule gives another task"
  }

  assert {
    condition = alltrue([for schedule in values(aws_scheduler_schedule.task) :
    length(schedule.target[0].retry_policy) == 1 && schedule.target[0].dead_letter_config[0].arn == aws_sqs_queue.failed["runs"].arn])
    error_message = "a schedule that can't start is lost"
  }

  assert {
    condition = alltrue([for name in toset(values(local.schedules)[*].function) :
    aws_lambda_function_event_invoke_config.scheduled[name].destination_config[0].on_failure[0].destination == aws_sqs_queue.failed["runs"].arn])
    error_message = "a run that fails is lost"
  }
}

run "the_table_is_kept" {
  command = plan

  assert {
    condition = (aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST" && aws_dynamodb_table.this.point_in_time_recovery[0].enabled
      && aws_dynamodb_table.this.ttl[0].attribute_name == "expires_at" && aws_dynamodb_table.this.deletion_protection_enabled
    && aws_dynamodb_table.this.hash_key == "pk" && aws_dynamodb_table.this.range_key == "sk")
    error_message = "the table"
  }
}

run "shards" {
  variables {
    stream = { shards = 4, retention_hours = 24 }
  }

  assert {
    condition     = aws_kinesis_stream.usage.stream_mode_details[0].stream_mode == "PROVISIONED" && aws_kinesis_stream.usage.shard_count == 4
    error_message = "not four shards"
  }
}
