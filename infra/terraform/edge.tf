# CloudFront: one address for the HTTP API, the function URLs, the WebSocket API and the dashboard.
#
# Nobody may go around it. The bucket knows CloudFront by origin access control. A function URL could too, but then each
# client would have to send the SHA-256 of its body in x-amz-content-sha256, and the clients of OpenAI and Anthropic don't.
# So CloudFront shows a token that the functions want to see, which covers API Gateway as well.

# One for each version, the one before included: functions take both, because CloudFront needs minutes to spread a new
# one. Kept where no plan shows it.
resource "aws_ssm_parameter" "origin_token" {
  #checkov:skip=CKV_AWS_337:With var.kms_key_arn; without it AWS's own key encrypts it.
  for_each = toset(nonsensitive(var.origin_token == null) ? [for version in range(max(1, var.origin_token_version - 1), var.origin_token_version + 1) : tostring(version)] : [])

  name   = "/${var.name}/origin-token/${each.key}"
  type   = "SecureString"
  key_id = var.kms_key_arn
  value  = uuid() # 122 random bits, drawn once

  lifecycle {
    ignore_changes = [value]
  }
}

locals {
  origin_tokens       = var.origin_token != null ? split(",", var.origin_token) : [for version in [var.origin_token_version, var.origin_token_version - 1] : aws_ssm_parameter.origin_token[tostring(version)].value if version > 0]
  origin_token        = sensitive(local.origin_tokens[0])
  origin_token_before = sensitive(try(local.origin_tokens[1], null))

  # CloudFront's own name is known when the functions are there, which need it: so it is told them by var.issuer.
  issuer = coalesce(var.issuer, try("https://${var.domain.name}", null), "https://${var.name}.invalid")

  address = try(var.domain.name, aws_cloudfront_distribution.this.domain_name)

  # AWS's own policies, the same in every account.
  policies = {
    no_cache         = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" # CachingDisabled
    cache            = "658327ea-f89d-4fab-a63d-7e88639e58f6" # CachingOptimized
    all_but_host     = "b689b0a8-53d0-40ab-baf2-68738e2966ac" # AllViewerExceptHostHeader
    security_headers = "67f7725c-6f97-4210-82d7-5512b31e9d03" # SecurityHeadersPolicy
  }

  origins = merge(
    { api = try(var.api_domain.name, local.hosts.api), socket = local.hosts.socket },
    { for name, url in aws_lambda_function_url.streaming : name => "${url.url_id}.lambda-url.${local.region}.on.aws" },
  )

  # Each function describes itself alone at /openapi.json. The whole API's document is served where there is one beside the
  # packages.
  document = fileexists("${var.packages}/openapi.json") ? "${var.packages}/openapi.json" : null

  # pattern => origin, the first match counts. What is under /api and /v1 and nobody's is the HTTP API's to refuse.
  streamed = merge([for name, row in local.functions : { for path in row.paths : path => name } if row.streams]...)
  behaviours = concat(
    [for path, name in local.streamed : { pattern = replace(path, "/{[^}]+}/", "*"), origin = name }],
    [{ pattern = local.socket_path, origin = "socket" }],
    [for path in concat(["/api/*", "/v1/*"], [for path, _ in local.routes : path if !can(regex("^/(api|v1)/", path)) && !(path == "/openapi.json" && local.document != null)]) : { pattern = path, origin = "api" }],
  )
}

resource "aws_cloudfront_distribution" "this" {
  #checkov:skip=CKV_AWS_68:By var.waf.
  #checkov:skip=CKV2_AWS_47:Managed rules read bodies, and prompts may speak of anything; LMO has no Java.
  #checkov:skip=CKV_AWS_86:Its logs have query strings, and GET /api/mcp/stream has its question there. API Gateway and functions log.
  #checkov:skip=CKV_AWS_174:With var.domain; CloudFront's own name has CloudFront's own certificate and TLS versions.
  #checkov:skip=CKV2_AWS_32:Every behaviour has AWS's SecurityHeadersPolicy; the check wants one of one's own.
  #checkov:skip=CKV2_AWS_42:By var.domain.
  #checkov:skip=CKV_AWS_310:The origins are regional; another region is another deployment.
  #checkov:skip=CKV_AWS_374:Whom an operator sells to is not LMO's to say.
  comment             = var.name
  enabled             = true
  is_ipv6_enabled     = true
  http_version        = "http2and3"
  price_class         = var.price_class
  aliases             = var.domain == null ? [] : [var.domain.name]
  web_acl_id          = one(aws_wafv2_web_acl.edge[*].arn)
  default_root_object = "index.html"

  dynamic "origin" {
    for_each = local.origins
    content {
      origin_id   = origin.key
      domain_name = origin.value

      custom_origin_config {
        http_port                = 80
        https_port               = 443
        origin_protocol_policy   = "https-only"
        origin_ssl_protocols     = ["TLSv1.2"]
        origin_read_timeout      = var.origin_timeout_seconds
        origin_keepalive_timeout = 60
      }

      custom_header {
        name  = "x-lmo-origin"
        value = local.origin_token
      }
    }
  }

  origin {
    origin_id                = "dashboard"
    domain_name              = aws_s3_bucket.dashboard.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.dashboard.id
  }

  default_cache_behavior {
    target_origin_id           = "dashboard"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = local.policies.cache
    response_headers_policy_id = local.policies.security_headers

    function_association {
      event_type   = "viewer-request"
      function_arn = aws_cloudfront_function.rewrite.arn
    }
  }

  dynamic "ordered_cache_behavior" {
    for_each = local.behaviours
    content {
      path_pattern               = ordered_cache_behavior.value.pattern
      target_origin_id           = ordered_cache_behavior.value.origin
      viewer_protocol_policy     = "https-only"
      allowed_methods            = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
      cached_methods             = ["GET", "HEAD"]
      compress                   = false # a compressor collects what should be forwarded as it comes
      cache_policy_id            = local.policies.no_cache
      origin_request_policy_id   = local.policies.all_but_host
      response_headers_policy_id = local.policies.security_headers

      function_association {
        event_type   = "viewer-request"
        function_arn = ordered_cache_behavior.value.origin == "socket" ? aws_cloudfront_function.rewrite.arn : aws_cloudfront_function.viewer.arn
      }
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = var.domain == null
    acm_certificate_arn            = try(var.domain.certificate_arn, null)
    ssl_support_method             = var.domain == null ? null : "sni-only"
    minimum_protocol_version       = var.domain == null ? null : "TLSv1.2_2021"
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }
}

resource "aws_cloudfront_function" "rewrite" {
  name    = "${var.name}-rewrite"
  comment = "The WebSocket API's path, and the dashboard's page for paths that are no files"
  runtime = "cloudfront-js-2.0"
  code    = templatefile("${path.module}/rewrite.js.tftpl", { socket_path = local.socket_path, socket_stage = local.socket_stage })
}

resource "aws_cloudfront_function" "viewer" {
  name    = "${var.name}-viewer"
  comment = "Tells functions whose request it is"
  runtime = "cloudfront-js-2.0"
  code    = file("${path.module}/viewer.js")
}

resource "aws_cloudfront_origin_access_control" "dashboard" {
  name                              = "${var.name}-dashboard"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_route53_record" "edge" {
  for_each = toset(try(var.domain.zone_id, null) == null ? [] : ["A", "AAAA"])

  zone_id = var.domain.zone_id
  name    = var.domain.name
  type    = each.key

  alias {
    name                   = aws_cloudfront_distribution.this.domain_name
    zone_id                = aws_cloudfront_distribution.this.hosted_zone_id
    evaluate_target_health = false
  }
}

resource "aws_s3_bucket" "dashboard" {
  #checkov:skip=CKV_AWS_18:Nobody but CloudFront reads it, and what is in it is public.
  #checkov:skip=CKV_AWS_144:It holds what the release pipeline can put there again.
  #checkov:skip=CKV_AWS_145:What is in it is public; AWS's own key encrypts it.
  #checkov:skip=CKV2_AWS_62:Nothing waits for its changes.
  bucket        = "${var.name}-dashboard-${local.account}-${local.region}"
  force_destroy = true # it holds what the release pipeline can put there again
}

resource "aws_s3_object" "document" {
  #checkov:skip=CKV_AWS_186:It is public.
  count = local.document == null ? 0 : 1

  bucket        = aws_s3_bucket.dashboard.id
  key           = "openapi.json"
  source        = local.document
  source_hash   = filemd5(local.document)
  content_type  = "application/json"
  cache_control = "max-age=60"
}

resource "aws_s3_bucket_public_access_block" "dashboard" {
  bucket                  = aws_s3_bucket.dashboard.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "dashboard" {
  bucket = aws_s3_bucket.dashboard.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "dashboard" {
  bucket = aws_s3_bucket.dashboard.id

  rule {
    id     = "old-releases"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_policy" "dashboard" {
  bucket = aws_s3_bucket.dashboard.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "CloudFront"
        Effect    = "Allow"
        Principal = { Service = "cloudfront.amazonaws.com" }
        Action    = "s3:GetObject"
        Resource  = "${aws_s3_bucket.dashboard.arn}/*"
        Condition = { StringEquals = { "AWS:SourceArn" = aws_cloudfront_distribution.this.arn } }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.dashboard.arn, "${aws_s3_bucket.dashboard.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.dashboard]
}

# CloudFront takes its firewall from us-east-1, wherever the rest is.

resource "aws_wafv2_web_acl" "edge" {
  #checkov:skip=CKV_AWS_175:Its rules are in rule_json.
  #checkov:skip=CKV2_AWS_31:Its logging is below; the check doesn't follow a count.
  #checkov:skip=CKV_AWS_192:It reads bodies, and prompts may speak of anything; LMO has no Java.
  count = var.waf == null ? 0 : 1

  region = "us-east-1"
  name   = var.name
  scope  = "CLOUDFRONT"

  default_action {
    allow {}
  }

  # As JSON: the provider has blocks for it, which take four times the lines.
  rule_json = jsonencode([
    for name, rate in var.waf.rates : {
      Name     = name
      Priority = index(keys(var.waf.rates), name)
      Action   = { Block = { CustomResponse = { ResponseCode = 429 } } }
      Statement = { RateBasedStatement = merge(
        { AggregateKeyType = "IP", Limit = rate.limit, EvaluationWindowSec = rate.window_seconds },
        rate.path == null ? {} : { ScopeDownStatement = { RegexMatchStatement = {
          RegexString         = "^${rate.path}"
          FieldToMatch        = { UriPath = {} }
          TextTransformations = [{ Priority = 0, Type = "NORMALIZE_PATH" }]
        } } },
      ) }
      # Samples have headers, and headers have keys.
      VisibilityConfig = { MetricName = "${var.name}-${name}", CloudWatchMetricsEnabled = true, SampledRequestsEnabled = false }
    }
  ])

  visibility_config {
    metric_name                = var.name
    cloudwatch_metrics_enabled = true
    sampled_requests_enabled   = false
  }
}

resource "aws_cloudwatch_log_group" "waf" {
  #checkov:skip=CKV_AWS_158:The key is the region's, and this is in us-east-1; headers and queries are redacted.
  #checkov:skip=CKV_AWS_338:By var.log_retention_days.
  count = var.waf == null ? 0 : 1

  region            = "us-east-1"
  name              = "aws-waf-logs-${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_wafv2_web_acl_logging_configuration" "edge" {
  count = var.waf == null ? 0 : 1

  region                  = "us-east-1"
  resource_arn            = aws_wafv2_web_acl.edge[0].arn
  log_destination_configs = [aws_cloudwatch_log_group.waf[0].arn]

  redacted_fields {
    query_string {}
  }

  dynamic "redacted_fields" {
    for_each = ["authorization", "x-api-key", "cookie", "sec-websocket-protocol"]
    content {
      single_header {
        name = redacted_fields.value
      }
    }
  }

  logging_filter {
    default_behavior = "DROP"

    filter {
      behavior    = "KEEP"
      requirement = "MEETS_ANY"

      condition {
        action_condition {
          action = "BLOCK"
        }
      }
    }
  }
}
