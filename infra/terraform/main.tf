# LMO in one AWS account and region. The table of functions below decides everything about a function: its package, its
# role, its routes, its schedules, its alarms. A new function is a new row.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.25"
    }
  }
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  suffix    = data.aws_partition.this.dns_suffix
  region    = data.aws_region.this.region

  table = {
    query = {
      memory = 512
      paths  = ["/api/mcp/query", "/api/mcp/embed", "/v1/embeddings", "/v1/models"]
      items  = local.answering
      calls  = ["publish", "secrets", "models"]
    }
    stream = {
      memory   = 512
      deadline = var.request_deadline_seconds
      paths    = ["/api/mcp/stream", "/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/v1/responses"]
      streams  = true
      items    = local.answering
      calls    = ["publish", "secrets", "models"]
    }
    websocket = {
      memory   = 512
      deadline = var.request_deadline_seconds
      sockets  = true
      items    = merge(local.answering, local.connections)
      calls    = ["publish", "secrets", "models", "sockets"]
    }
    tenant = {
      memory  = 256
      timeout = 120
      paths   = ["/api/tenant", "/api/tenant/{path+}", "/api/admin/{path+}", "/healthz", "/openapi.json"]
      schedules = {
        deliver = "rate(1 minute)"
      }
      items = local.managing
      calls = ["keys", "mail"]
    }
    auth = {
      memory = 1024 # a password takes 20 ms of a whole processor, and Lambda sells those by the megabyte
      paths  = ["/api/auth/{path+}", "/.well-known/jwks.json", "/.well-known/openid-configuration"]
      schedules = {
        rotate-keys = "rate(1 day)" # those that are 30 days old
      }
      items = local.identifying
      calls = ["keys", "rotation", "mail"]
    }
    billing = {
      memory  = 512
      timeout = 840 # a run works until shortly before, and goes on in the next invocation
      paths = concat(
        ["/api/billing/{path+}", "/webhooks/stripe", "/api/admin/billing/{path+}", "/api/admin/invoices", "/api/admin/reports/{path+}"],
        flatten([for area in ["coupons", "plans", "runs"] : ["/api/admin/${area}", "/api/admin/${area}/{path+}"]]),
      )
      schedules = {
        bill    = "rate(1 hour)"
        collect = "rate(5 minutes)"
        terms   = "rate(5 minutes)"
        letters = "rate(1 minute)"
        export  = "cron(30 1 * * ? *)"
      }
      items = local.charging
      calls = ["signing", "mail", "stripe", "runs", "export"]
    }
    aggregate = {
      memory  = 512
      timeout = 300
      events  = true
      schedules = {
        sweep     = "rate(1 minute)"
        reconcile = "rate(1 hour)"
        purge     = "rate(1 hour)"
      }
      items = local.counting
      calls = ["scan"]
    }
  }

  columns = {
    memory    = 256                                   # MB
    deadline  = min(27, var.request_deadline_seconds) # seconds that a request may take; the HTTP API waits for 30
    paths     = []                                    # paths of the API that it serves, all methods; {path+} is all below
    streams   = false                                 # behind a function URL that streams; else its paths are in the HTTP API
    sockets   = false                                 # behind the WebSocket API
    events    = false                                 # gets the usage events
    schedules = {}                                    # task => when
    items     = {}                                    # what it does in which partitions: iam.tf
    calls     = []                                    # what else it calls: iam.tf
  }

  # Seconds until Lambda ends it, unless a row says otherwise: settling comes on top of the deadline.
  functions = {
    for name, row in local.table : name => merge(local.columns, { timeout = try(row.deadline, local.columns.deadline) + 60 }, row)
  }

  table_name = coalesce(var.table_name, var.name)

  named = { for name, _ in local.table : name => "${var.name}-${name}" }

  # Known before anything is created, so that a plan shows every policy in full.
  arns = {
    functions = { for name, full in local.named : name => "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${full}" }
    logs      = { for name, full in local.named : name => "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${full}:*" }
    table     = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${local.table_name}"
    stream    = "arn:${local.partition}:kinesis:${local.region}:${local.account}:stream/${var.name}-usage"
    queues    = { for name in ["events", "runs"] : name => "arn:${local.partition}:sqs:${local.region}:${local.account}:${var.name}-failed-${name}" }
    # Secrets Manager adds a hyphen and six characters.
    secrets = { for name in concat(keys(var.secrets), local.own_secrets) : name => "arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:${var.name}/${name}-??????" }
  }
}
