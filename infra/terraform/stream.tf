# Usage events, and what counts them.

resource "aws_kinesis_stream" "usage" {
  #checkov:skip=CKV_AWS_185:With var.kms_key_arn; without it AWS's own key encrypts it.
  name             = "${var.name}-usage"
  retention_period = var.stream.retention_hours
  shard_count      = var.stream.shards
  encryption_type  = "KMS"
  kms_key_id       = coalesce(var.kms_key_arn, "alias/aws/kinesis")

  stream_mode_details {
    stream_mode = var.stream.shards == null ? "ON_DEMAND" : "PROVISIONED"
  }
}

resource "aws_lambda_event_source_mapping" "usage" {
  for_each = { for name, row in local.functions : name => row if row.events }

  event_source_arn  = aws_kinesis_stream.usage.arn
  function_name     = aws_lambda_alias.live[each.key].arn
  starting_position = "TRIM_HORIZON" # counting again is always safe, missing is not

  batch_size                         = var.events.batch_size
  maximum_batching_window_in_seconds = var.events.window_seconds
  parallelization_factor             = var.events.parallelization

  # A poison record is cut out of its batch and given up; all others are counted.
  function_response_types        = ["ReportBatchItemFailures"]
  bisect_batch_on_function_error = true
  maximum_retry_attempts         = var.events.retries
  maximum_record_age_in_seconds  = var.events.max_age_seconds

  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.failed["events"].arn
    }
  }
}

# What was given up: `events` are batches of the stream, `runs` are schedules that could not start or that failed.
resource "aws_sqs_queue" "failed" {
  for_each = local.arns.queues

  name                      = "${var.name}-failed-${each.key}"
  message_retention_seconds = 14 * 24 * 3600

  sqs_managed_sse_enabled = var.kms_key_arn == null ? true : null
  kms_master_key_id       = var.kms_key_arn
}
