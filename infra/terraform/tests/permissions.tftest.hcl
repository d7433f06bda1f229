# The first run builds all of it. Those that change nothing look at what it built.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  secrets        = { openai = {} }
  bedrock_models = ["arn:aws:bedrock:eu-central-1::foundation-model/amazon.titan-embed-text-v2:0"]
  kms_key_arn    = "arn:aws:kms:eu-central-1:123456789012:key/1"
}

run "each_function_has_a_role_of_its_own" {
  assert {
    condition     = length(distinct(values(aws_iam_role.function)[*].name)) == length(aws_lambda_function.this)
    error_message = "roles: ${join(", ", values(aws_iam_role.function)[*].name)}"
  }

  assert {
    condition = alltrue([for role in values(aws_iam_role.function) : jsondecode(role.assume_role_policy).Statement == [
      { Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }
    ]])
    error_message = "somebody else can take a function's role"
  }
}

run "no_action_and_no_resource_is_a_wildcard" {
  command = plan

  assert {
    condition = alltrue(flatten([for policy in concat(values(aws_iam_role_policy.own), values(aws_iam_role_policy.lambda), [aws_iam_role_policy.scheduler]) : [
      for statement in jsondecode(policy.policy).Statement : [for action in statement.Action : !strcontains(action, "*")]
    ]]))
    error_message = "an action has a wildcard"
  }

  # X-Ray knows no resources.
  assert {
    condition = alltrue(flatten([for policy in concat(values(aws_iam_role_policy.own), values(aws_iam_role_policy.lambda), [aws_iam_role_policy.scheduler]) : [
      for statement in jsondecode(policy.policy).Statement : !contains(statement.Resource, "*") || statement.Action == ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    ]]))
    error_message = "a statement is about everything"
  }
}

run "items_are_named_by_their_partition" {
  command = plan

  assert {
    condition = alltrue(flatten([for policy in values(aws_iam_role_policy.own) : [
      for statement in jsondecode(policy.policy).Statement :
      length(try(statement.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"], [])) == 1 && statement.Resource == [local.arns.table]
      if startswith(statement.Sid, "Items")
    ]]))
    error_message = "a statement is about items of any partition"
  }

  assert {
    condition     = !anytrue(flatten([for permissions in values(output.permissions) : [for action in permissions : contains(["dynamodb:PartiQLSelect", "dynamodb:DeleteTable"], action)]]))
    error_message = "a role can delete the table"
  }
}

run "whoever_removes_tenants_is_called_by_nobody_outside" {
  command = plan

  assert {
    condition = (
      [for name, permissions in output.permissions : name if contains(permissions, "dynamodb:Scan")] == ["aggregate"]
      && [for name, row in local.functions : name if contains(keys(row.items), "everything")] == ["aggregate"]
      && !contains(values(output.routes), "aggregate")
    )
    error_message = "a function that clients reach can read or delete all of the table"
  }
}

run "the_ledger_is_only_ever_added_to" {
  command = plan

  assert {
    condition = length(setsubtract(flatten([for policy in values(aws_iam_role_policy.own) : [
      for statement in jsondecode(policy.policy).Statement : statement.Action if statement.Sid == "ItemsLedger"
    ]]), ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"])) == 0
    error_message = "a role can change or delete entries of the ledger"
  }

  assert {
    condition     = [for name, row in local.functions : name if contains(keys(row.items), "totals") && contains(try(row.items.totals, []), "PutItem")] == ["aggregate"]
    error_message = "somebody but aggregate writes totals"
  }
}

run "a_function_that_asks_no_model_can_read_no_providers_key" {
  command = plan

  assert {
    condition = alltrue([for name in ["auth", "tenant", "billing", "aggregate"] : length(setintersection(output.permissions[name], [
      "bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream", "kinesis:PutRecords", "execute-api:ManageConnections",
    ])) == 0])
    error_message = "tenant: ${join(", ", output.permissions.tenant)}; aggregate: ${join(", ", output.permissions.aggregate)}"
  }

  assert {
    condition = alltrue([for name in ["auth", "tenant"] : { for statement in jsondecode(aws_iam_role_policy.own[name].policy).Statement : statement.Sid => statement.Resource if statement.Sid == "Keys" } == {
      Keys = [for secret in ["sealing-key", "signing-keys"] : "arn:aws:secretsmanager:eu-central-1:123456789012:secret:lmo/${secret}-??????"]
    }])
    error_message = aws_iam_role_policy.own["tenant"].policy
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.own["billing"].policy).Statement : statement.Resource if statement.Sid == "Signing"] == [["arn:aws:secretsmanager:eu-central-1:123456789012:secret:lmo/signing-keys-??????"]]
    error_message = aws_iam_role_policy.own["billing"].policy
  }

  assert {
    condition     = [for name, permissions in output.permissions : name if contains(permissions, "secretsmanager:PutSecretValue")] == ["auth"]
    error_message = "somebody but auth changes keys"
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.own["aggregate"].policy, "secretsmanager")
    error_message = aws_iam_role_policy.own["aggregate"].policy
  }

  assert {
    condition     = [for name, permissions in output.permissions : name if contains(permissions, "execute-api:ManageConnections")] == ["websocket"]
    error_message = "somebody but websocket posts to connections"
  }
}

run "only_billing_moves_money_and_goes_on_by_itself" {
  command = plan

  assert {
    condition = alltrue([
      for name, _ in local.functions : strcontains(aws_iam_role_policy.own[name].policy, "secret:lmo/stripe-??????") == (name == "billing")
    ])
    error_message = "Stripe's keys are not billing's alone"
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.own["billing"].policy).Statement : statement.Sid => statement.Resource if contains(["Runs", "Export"], statement.Sid) } == {
      Runs = ["arn:aws:lambda:eu-central-1:123456789012:function:lmo-billing:*"]
    }
    error_message = aws_iam_role_policy.own["billing"].policy
  }

  assert {
    condition     = [for name, permissions in output.permissions : name if contains(permissions, "lambda:InvokeFunction")] == ["billing"]
    error_message = "somebody but billing calls functions"
  }
}

run "the_usage_export_is_written_where_nobody_else_looks" {
  command = plan

  variables {
    usage_export = {}
  }

  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.own["billing"].policy).Statement : statement.Resource if statement.Sid == "Export"] == [
      ["arn:aws:s3:::lmo-usage-123456789012-eu-central-1/usage/*"]
    ]
    error_message = aws_iam_role_policy.own["billing"].policy
  }

  assert {
    condition     = aws_s3_bucket.export["usage"].bucket == "lmo-usage-123456789012-eu-central-1" && aws_s3_bucket_public_access_block.export["usage"].restrict_public_buckets
    error_message = "the bucket has another name, or is open"
  }
}

run "secrets_models_and_connections_are_named" {
  command = plan

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.own["websocket"].policy).Statement : statement.Sid => statement.Resource if !startswith(statement.Sid, "Items") } == {
      Publish = ["arn:aws:kinesis:eu-central-1:123456789012:stream/lmo-usage"]
      Secrets = [for name in ["openai", "sealing-key", "signing-keys"] : "arn:aws:secretsmanager:eu-central-1:123456789012:secret:lmo/${name}-??????"]
      Models  = ["arn:aws:bedrock:eu-central-1::foundation-model/amazon.titan-embed-text-v2:0"]
      Sockets = ["arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/ws/*/@connections/*"]
    }
    error_message = aws_iam_role_policy.own["websocket"].policy
  }
}

run "mail_is_sent_from_one_address" {
  command = plan

  assert {
    condition = alltrue([for name in ["auth", "billing", "tenant"] : [for statement in jsondecode(aws_iam_role_policy.own[name].policy).Statement : [statement.Resource, statement.Condition] if statement.Sid == "Mail"] == [[
      [for identity in [var.mail_from, split("@", var.mail_from)[1]] : "arn:aws:ses:eu-central-1:123456789012:identity/${identity}"],
      { StringEquals = { "ses:FromAddress" = var.mail_from } },
    ]]])
    error_message = aws_iam_role_policy.own["auth"].policy
  }
}

run "the_scheduler_runs_what_has_a_schedule_and_nothing_else" {
  command = plan

  assert {
    condition     = jsondecode(aws_iam_role_policy.scheduler.policy).Statement[0].Resource == [for name in ["aggregate", "auth", "billing", "tenant"] : "arn:aws:lambda:eu-central-1:123456789012:function:lmo-${name}:live"]
    error_message = aws_iam_role_policy.scheduler.policy
  }
}

run "only_this_api_may_call_a_function" {
  command = plan

  assert {
    condition     = alltrue([for permission in concat(values(aws_lambda_permission.http), [aws_lambda_permission.socket]) : permission.qualifier == "live" && startswith(permission.source_arn, "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/")])
    error_message = "a permission is for more than this deployment's API"
  }
}

run "without_secrets_and_models_nobody_may_read_or_call_any" {
  variables {
    secrets        = {}
    bedrock_models = []
    kms_key_arn    = null
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.own["query"].policy, "lmo/openai") && !strcontains(aws_iam_role_policy.own["query"].policy, "bedrock")
    error_message = aws_iam_role_policy.own["query"].policy
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.lambda["query"].policy, "kms:")
    error_message = aws_iam_role_policy.lambda["query"].policy
  }
}
