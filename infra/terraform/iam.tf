# What each function may do. Items are named by the partition that they are in, so a role can't change what it only reads:
# no role can change an entry of the ledger. Nobody outside can call `aggregate`, so it is the one that removes tenants,
# for which it reads all of the table and deletes what is theirs.

locals {
  # As in shared/src/store/keys.rs.
  partitions = {
    tenant     = "TENANT#tnt_??????????????????????????"
    everything = "TENANT#tnt_*"
    audit      = "TENANT#tnt_*#AUDIT"
    webhooks   = "TENANT#tnt_*#WEBHOOKS"
    ledger     = "TENANT#tnt_*#LEDGER#*"
    totals     = "TENANT#tnt_*#TOTALS"
    invoices   = "TENANT#tnt_*#INVOICES"
    cache      = "TENANT#tnt_*#CACHE#*"
    near       = "TENANT#tnt_*#NEAR#*"
    session    = "TENANT#tnt_*#SESSION#*"
    catalogue  = "CATALOGUE"
    active     = "ACTIVE#*"
    connection = "CONN#*"
    user       = "USER#usr_*"
    email      = "EMAIL#*"
    address    = "ADDRESS#*"
    tenants    = "TENANTS"
    operators  = "OPERATORS"
    due        = "DUE"
    purge      = "PURGE"
    billing    = "BILLING"
    runs       = "RUNS"
    collect    = "COLLECT"
    letters    = "LETTERS"
    stripe     = "STRIPE"
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
    tenant    = ["BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]
    ledger    = ["Query"]
    totals    = ["Query"]
    audit     = ["GetItem", "PutItem", "Query"]
    webhooks  = ["BatchGetItem", "BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query"]
    session   = ["BatchWriteItem", "DeleteItem", "GetItem", "Query", "UpdateItem"]
    catalogue = ["GetItem", "Query"]
    tenants   = ["PutItem", "Query"]
    user      = ["BatchGetItem", "BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]
    email     = ["GetItem", "PutItem"]
    address   = ["GetItem", "PutItem"]
    due       = ["DeleteItem", "PutItem", "Query", "UpdateItem"]
    operators = ["GetItem", "PutItem", "Query"]
    active    = ["ConditionCheckItem", "GetItem"]
    # Who is made gets the plan for all; who is taken back may owe something.
    billing  = ["GetItem", "PutItem", "Query"]
    invoices = ["Query"]
  }
  identifying = {
    tenant   = ["BatchGetItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]
    audit    = ["PutItem"]
    tenants  = ["PutItem"]
    user     = ["BatchGetItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]
    email    = ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]
    address  = ["GetItem", "PutItem"]
    webhooks = ["PutItem"]
    due      = ["PutItem"]
    # Who registers gets the plan for all.
    billing   = ["GetItem", "PutItem", "Query"]
    catalogue = ["Query"]
  }
  charging = {
    tenant    = ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]
    invoices  = ["BatchGetItem", "GetItem", "PutItem", "Query"]
    ledger    = ["Query"]
    totals    = ["GetItem", "Query"]
    audit     = ["PutItem", "Query"]
    webhooks  = ["PutItem"]
    due       = ["PutItem"]
    catalogue = ["GetItem", "Query"]
    tenants   = ["PutItem", "Query"]
    operators = ["GetItem", "PutItem"]
    active    = ["GetItem", "Query"]
    user      = ["GetItem"]
    billing   = ["BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query"]
    runs      = ["GetItem", "PutItem", "Query", "UpdateItem"]
    collect   = ["BatchWriteItem", "DeleteItem", "PutItem", "Query", "UpdateItem"]
    letters   = ["BatchWriteItem", "Query", "UpdateItem"]
    stripe    = ["GetItem", "PutItem"]
  }
  counting = {
    tenant   = ["GetItem", "PutItem", "Query", "UpdateItem"]
    ledger   = ["GetItem", "PutItem", "Query"]
    totals   = ["GetItem", "PutItem", "Query"]
    active   = ["BatchWriteItem", "GetItem", "Query", "UpdateItem"]
    webhooks = ["PutItem"]
    due      = ["BatchWriteItem", "PutItem"]
    letters  = ["PutItem"]
    # Who owes a last invoice isn't removed yet.
    billing  = ["GetItem", "Query"]
    invoices = ["GetItem"]
    # Removing tenants, and what elsewhere is theirs.
    everything = ["BatchWriteItem"]
    tenants    = ["BatchWriteItem", "Query"]
    purge      = ["BatchWriteItem", "GetItem", "PutItem"]
    connection = ["BatchWriteItem"]
    user       = ["BatchWriteItem", "DeleteItem", "GetItem", "Query"]
    email      = ["BatchWriteItem", "DeleteItem", "Query"]
  }

  # The other calls; one without a resource is nobody's.
  calls = {
    publish = { actions = ["kinesis:PutRecords"], resources = [local.arns.stream] }
    secrets = { actions = ["secretsmanager:GetSecretValue"], resources = [for name, arn in local.arns.secrets : arn if name != "stripe"] }
    keys    = { actions = ["secretsmanager:GetSecretValue"], resources = [for name in local.own_keys : local.arns.secrets[name]] }
    # Who only checks who asks.
    signing = { actions = ["secretsmanager:GetSecretValue"], resources = [local.arns.secrets["signing-keys"]] }
    # Makes the first keys where nobody made the secret: here that is done below.
    rotation = {
      actions   = ["secretsmanager:CreateSecret", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"]
      resources = [local.arns.secrets["signing-keys"]]
    }
    mail = {
      actions    = ["ses:SendEmail"]
      resources  = [for identity in [var.mail_from, split("@", var.mail_from)[1]] : "arn:${local.partition}:ses:${local.region}:${local.account}:identity/${identity}"]
      conditions = { StringEquals = { "ses:FromAddress" = var.mail_from } }
    }
    stripe = { actions = ["secretsmanager:GetSecretValue"], resources = [local.arns.secrets["stripe"]] }
    # A billing run calls its own function for its parts, and to go on.
    runs   = { actions = ["lambda:InvokeFunction"], resources = ["${local.arns.functions["billing"]}:*"] }
    export = { actions = ["s3:PutObject"], resources = [for _ in local.exports : "arn:${local.partition}:s3:::${var.name}-usage-${local.account}-${local.region}/usage/*"] }
    # Removing tenants: their items can't be listed otherwise.
    scan   = { actions = ["dynamodb:Scan"], resources = [local.arns.table] }
    models = { actions = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"], resources = var.bedrock_models }
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
      { for call in row.calls : title(call) => merge({ conditions = {} }, local.calls[call]) if length(local.calls[call].resources) > 0 },
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
          conditions = { StringEquals = { "kms:ViaService" = [for service in concat(["dynamodb", "kinesis", "secretsmanager", "sqs"], contains(row.calls, "export") ? ["s3"] : []) : "${service}.${local.region}.${local.suffix}"] } }
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
