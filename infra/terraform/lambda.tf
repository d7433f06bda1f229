# The functions. Everything points at the alias `live`, so a new version can be staged beside the one that serves.

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:Concurrency is reserved by var.tuning; a limit that nobody chose refuses paying tenants.
  #checkov:skip=CKV_AWS_116:What is invoked asynchronously has an on-failure destination: schedule.tf, stream.tf.
  #checkov:skip=CKV_AWS_117:Nothing is called that is in a VPC; one would cost a NAT gateway and time at each cold start.
  #checkov:skip=CKV_AWS_173:With var.kms_key_arn; without it AWS's own key encrypts them.
  #checkov:skip=CKV_AWS_272:Packages have checksums and come from the deployment's own pipeline: docs/deploy.md.
  for_each = local.functions

  function_name    = local.named[each.key]
  filename         = "${var.packages}/lmo-${each.key}/bootstrap.zip"
  source_code_hash = filebase64sha256("${var.packages}/lmo-${each.key}/bootstrap.zip")
  publish          = true

  role          = aws_iam_role.function[each.key].arn
  runtime       = "provided.al2023"
  handler       = "bootstrap"
  architectures = [var.architecture]
  layers        = var.layers
  memory_size   = coalesce(local.tuning[each.key].memory, each.value.memory)
  timeout       = each.value.timeout
  kms_key_arn   = var.kms_key_arn

  reserved_concurrent_executions = coalesce(local.tuning[each.key].reserved, -1)

  environment {
    variables = local.environments[each.key]
  }

  dynamic "capacity_provider_config" {
    for_each = compact([local.tuning[each.key].capacity_provider])
    content {
      lambda_managed_instances_capacity_provider_config {
        capacity_provider_arn = capacity_provider_config.value
      }
    }
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.function[each.key].name
  }

  tracing_config {
    mode = "Active"
  }

  depends_on = [aws_iam_role_policy.own, aws_iam_role_policy.lambda]
}

locals {
  tuning = {
    for name, _ in local.functions : name => merge({ memory = null, reserved = null, provisioned = null, capacity_provider = null }, try(var.tuning[name], {}))
  }

  environments = {
    for name, row in local.functions : name => {
      for variable, value in {
        LMO_TABLE                    = aws_dynamodb_table.this.name
        LMO_STREAM                   = aws_kinesis_stream.usage.name
        LMO_REQUEST_DEADLINE_SECONDS = row.deadline
        LMO_ISSUER                   = local.issuer
        LMO_SECRETS                  = var.name
        LMO_MAIL_FROM                = contains(row.calls, "mail") ? var.mail_from : null
        LMO_ORIGIN_TOKEN             = (length(row.paths) > 0 || row.sockets) && !var.sam ? join(",", compact([local.origin_token, local.origin_token_before])) : null
        LMO_EXPORT_BUCKET            = contains(row.calls, "export") ? try(aws_s3_bucket.export["usage"].id, null) : null
        LMO_WEBSOCKET_ENDPOINT       = row.sockets ? "https://${local.hosts.socket}/${local.socket_stage}" : null
        OTEL_EXPORTER_OTLP_ENDPOINT  = var.otlp_endpoint
        RUST_LOG                     = var.log_filter
      } : variable => value if value != null
    }
  }
}

resource "aws_lambda_alias" "live" {
  for_each = local.functions

  name             = "live"
  description      = "What serves"
  function_name    = aws_lambda_function.this[each.key].function_name
  function_version = local.live[each.key]

  # Lambda refuses weights where concurrency is provisioned: such a function stays until all requests go over.
  dynamic "routing_config" {
    for_each = (
      var.staged.weight > 0 && coalesce(local.tuning[each.key].provisioned, 0) == 0 && local.live[each.key] != aws_lambda_function.this[each.key].version
      ? [var.staged.weight] : []
    )
    content {
      additional_version_weights = { (aws_lambda_function.this[each.key].version) = routing_config.value }
    }
  }
}

locals {
  live = { for name, function in aws_lambda_function.this : name => lookup(var.staged.versions, name, function.version) }
}

resource "aws_lambda_provisioned_concurrency_config" "live" {
  for_each = { for name, tuned in local.tuning : name => tuned.provisioned if coalesce(tuned.provisioned, 0) > 0 }

  function_name                     = aws_lambda_function.this[each.key].function_name
  qualifier                         = aws_lambda_alias.live[each.key].name
  provisioned_concurrent_executions = each.value
}

# The provider lets everybody invoke a URL without authorization when it creates it (lambda:InvokeFunctionUrl, and from
# its version 6.28 on lambda:InvokeFunction by the URL, which AWS demands since October 2025).
resource "aws_lambda_function_url" "streaming" {
  #checkov:skip=CKV_AWS_258:Only requests with the origin token are served: edge.tf says why CloudFront can't sign.
  for_each = { for name, row in local.functions : name => row if row.streams }

  function_name      = aws_lambda_function.this[each.key].function_name
  qualifier          = aws_lambda_alias.live[each.key].name
  authorization_type = "NONE"
  invoke_mode        = "RESPONSE_STREAM"
}
