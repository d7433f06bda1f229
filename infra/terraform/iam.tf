# What each function may do. Items are named by the partition that they are in, so a role can neither scan the table nor
# change what it only reads: no role at all can change or delete an entry of the ledger.

locals {
  # As in shared/src/store/keys.rs.
  partitions = {
    tenant     = "TENANT#tnt_??????????????????????????"
    ledger     = "TENANT#tnt_*#LEDGER#*"
    totals     = "TENANT#tnt_*#TOTALS"
    audit      = "TENANT#tnt_*#AUDIT"
    cache      = "TENANT#tnt_*#CACHE#*"
    near       = "TENANT#tnt_*#NEAR#*"
    session    = "TENANT#tnt_*#SESSION#*"
    catalogue  = "CATALOGUE"
    active     = "ACTIVE#*"
    tenants    = "TENANTS"
    connection = "CONN#*"
  }

  # A transaction is allowed to whoever may do all of its parts.
  answering = {
    tenant    = ["BatchGetItem", "GetItem", "PutItem", "Query", "UpdateItem"]
    ledger    = ["GetItem", "PutItem"]
    cache     = ["BatchGetItem", "GetItem", "PutItem"]
    near      = ["PutItem", "Query"]
    session   = ["DeleteItem", "PutItem", "Query", "UpdateItem"]
    catalogue = ["Query"]
    active    = ["PutItem"]
  }
  connections = {
    connection = ["DeleteItem", "GetItem", "PutItem"]
  }
  managing = {
    tenant    = ["BatchGetItem", "BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]
    tenants   = ["PutItem"]
    audit     = ["PutItem", "Query"]
    totals    = ["Query"]
    session   = ["BatchWriteItem", "DeleteItem", "GetItem", "Query", "UpdateItem"]
    catalogue = ["GetItem", "Query"]
  }
  counting = {
    tenant = ["Query", "UpdateItem"]
    ledger = ["GetItem", "PutItem", "Query"]
    totals = ["GetItem", "PutItem", "Query"]
    active = ["PutItem", "Query"]
  }

  # The other calls; one without a resource is nobody's.
  calls = {
    publish = { actions = ["kinesis:PutRecords"], resources = [local.arns.stream] }
    secrets = { actions = ["secretsmanager:GetSecretValue"], resources = local.arns.secrets }
    models  = { actions = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"], resources = var.bedrock_models }
    sockets = {
      actions   = ["execute-api:ManageConnections"]
      resources = ["arn:${local.partition}:execute-api:${local.region}:${local.account}:${aws_apigatewayv2_api.socket.id}/${local.socket_stage}/*/@connections/*"]
    }
  }

  # What the function's own code asks for, by the name of its statement.
  own = {
    for name, row in local.functions : name => merge(
      { for partition, actions in row.items : "Items${title(partition)}" => {
        actions   = [for action in actions : "dynamodb:${action}"]
        resources = [local.arns.table]
        # The second because "for all" is true of none.
        conditions = {
          "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = [local.partitions[partition]] }
          Null                      = { "dynamodb:LeadingKeys" = ["false"] }
        }
      } },
      { for call in row.calls : title(call) => merge(local.calls[call], { conditions = {} }) if length(local.calls[call].resources) > 0 },
    )
  }

  # What Lambda asks for on the function's behalf.
  lambdas = {
    for name, row in local.functions : name => {
      for sid, statement in {
        Logs = { actions = ["logs:CreateLogStream", "logs:PutLogEvents"], resources = [local.arns.logs[name]], conditions = {} }
        # X-Ray knows no resources.
        Traces = { actions = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], resources = ["*"], conditions = {} }
        Events = {
          actions    = ["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
          resources  = row.events ? [local.arns.stream] : []
          conditions = {}
        }
        Failures = {
          actions    = ["sqs:SendMessage"]
          resources  = concat(row.events ? [local.arns.queues.events] : [], length(row.schedules) > 0 ? [local.arns.queues.runs] : [])
          conditions = {}
        }
        Key = {
          actions    = ["kms:Decrypt", "kms:GenerateDataKey"]
          resources  = var.kms_key_arn == null ? [] : [var.kms_key_arn]
          conditions = { StringEquals = { "kms:ViaService" = [for service in ["dynamodb", "kinesis", "secretsmanager", "sqs"] : "${service}.${local.region}.${local.suffix}"] } }
        }
      } : sid => statement if length(statement.resources) > 0
    }
  }
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name               = local.named[each.key]
  assume_role_policy = local.trusts.lambda
}

resource "aws_iam_role_policy" "own" {
  for_each = local.functions

  name   = "own"
  role   = aws_iam_role.function[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements.own[each.key] })
}

resource "aws_iam_role_policy" "lambda" {
  for_each = local.functions

  name   = "lambda"
  role   = aws_iam_role.function[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements.lambda[each.key] })
}

locals {
  trusts = {
    for service in ["lambda", "scheduler"] : service => jsonencode({
      Version = "2012-10-17"
      Statement = [merge(
        { Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "${service}.amazonaws.com" } },
        # Of another account's schedules nobody would know. Lambda sends no such key.
        service == "scheduler" ? { Condition = { StringEquals = { "aws:SourceAccount" = local.account } } } : {},
      )]
    })
  }

  statements = {
    for kind, functions in { own = local.own, lambda = local.lambdas } : kind => {
      for name, statements in functions : name => [
        for sid, statement in statements : merge(
          { Sid = sid, Effect = "Allow", Action = statement.actions, Resource = statement.resources },
          length(statement.conditions) > 0 ? { Condition = statement.conditions } : {},
        )
      ]
    }
  }
}
