# Tasks on a schedule: each row's `schedules`, given to the function as {"task": ...}.

locals {
  schedules = merge([
    for name, row in local.functions : { for task, when in row.schedules : "${name}-${task}" => { function = name, task = task, when = when } }
  ]...)
  scheduled = { for name, row in local.functions : name => row if length(row.schedules) > 0 }
}

resource "aws_scheduler_schedule_group" "this" {
  name = var.name
}

resource "aws_scheduler_schedule" "task" {
  #checkov:skip=CKV_AWS_297:The input is a task's name; with var.kms_key_arn it is encrypted all the same.
  for_each = local.schedules

  name                = each.key
  group_name          = aws_scheduler_schedule_group.this.name
  schedule_expression = each.value.when
  kms_key_arn         = var.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_alias.live[each.value.function].arn
    role_arn = aws_iam_role.scheduler.arn
    input    = jsonencode({ task = each.value.task })

    # An invocation that Lambda refuses. By the next one it is no longer worth it.
    retry_policy {
      maximum_event_age_in_seconds = 300
      maximum_retry_attempts       = 3
    }

    dead_letter_config {
      arn = aws_sqs_queue.failed["runs"].arn
    }
  }
}

# A run that was begun and failed is Lambda's to repeat: the scheduler doesn't wait for it.
resource "aws_lambda_function_event_invoke_config" "scheduled" {
  for_each = local.scheduled

  function_name                = aws_lambda_function.this[each.key].function_name
  qualifier                    = aws_lambda_alias.live[each.key].name
  maximum_event_age_in_seconds = 300
  maximum_retry_attempts       = 1

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failed["runs"].arn
    }
  }
}

resource "aws_iam_role" "scheduler" {
  name               = "${var.name}-scheduler"
  assume_role_policy = local.trusts.scheduler
}

resource "aws_iam_role_policy" "scheduler" {
  name = "run"
  role = aws_iam_role.scheduler.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        { Sid = "Run", Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = [for name, _ in local.scheduled : "${local.arns.functions[name]}:live"] },
        { Sid = "Failures", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = [local.arns.queues.runs] },
      ],
      var.kms_key_arn == null ? [] : [
        { Sid = "Key", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [var.kms_key_arn] },
      ],
    )
  })
}
