# The first run builds all of it. Those that change nothing look at what it built.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "without_a_domain_cloudfronts_own_name_serves" {
  assert {
    condition     = output.url == "https://d111111abcdef8.cloudfront.net" && length(aws_cloudfront_distribution.this.aliases) == 0 && aws_cloudfront_distribution.this.viewer_certificate[0].cloudfront_default_certificate
    error_message = output.url
  }

  assert {
    condition     = length(aws_route53_record.edge) == 0 && length(aws_apigatewayv2_domain_name.http) == 0 && !aws_apigatewayv2_api.http.disable_execute_api_endpoint
    error_message = "a domain that nobody asked for"
  }

  assert {
    condition     = length(aws_wafv2_web_acl.edge) == 0 && aws_cloudfront_distribution.this.web_acl_id == null
    error_message = "a firewall that nobody asked for"
  }
}

run "the_bucket_is_cloudfronts_alone_and_tls_only" {
  command = plan

  assert {
    condition = [for statement in jsondecode(aws_s3_bucket_policy.dashboard.policy).Statement : statement.Condition] == [
      { StringEquals = { "AWS:SourceArn" = "arn:aws:cloudfront::123456789012:distribution/E1" } },
      { Bool = { "aws:SecureTransport" = "false" } },
    ]
    error_message = aws_s3_bucket_policy.dashboard.policy
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.dashboard.block_public_acls, aws_s3_bucket_public_access_block.dashboard.block_public_policy,
      aws_s3_bucket_public_access_block.dashboard.ignore_public_acls, aws_s3_bucket_public_access_block.dashboard.restrict_public_buckets,
    ])
    error_message = "the bucket may become public"
  }
}

run "with_domains_both_have_names_and_the_api_only_its_own" {
  variables {
    domain     = { name = "ai.example.com", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1", zone_id = "Z1" }
    api_domain = { name = "origin.ai.example.com", certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/2", zone_id = "Z1" }
  }

  assert {
    condition     = output.url == "https://ai.example.com" && aws_cloudfront_distribution.this.aliases == toset(["ai.example.com"]) && aws_cloudfront_distribution.this.viewer_certificate[0].minimum_protocol_version == "TLSv1.2_2021"
    error_message = output.url
  }

  assert {
    condition     = keys(aws_route53_record.edge) == ["A", "AAAA"] && keys(aws_route53_record.http) == ["A", "AAAA"]
    error_message = "records"
  }

  assert {
    condition     = aws_apigatewayv2_api.http.disable_execute_api_endpoint && { for origin in aws_cloudfront_distribution.this.origin : origin.origin_id => origin.domain_name }["api"] == "origin.ai.example.com"
    error_message = "the API is still reached by the name that AWS gave it"
  }
}

run "the_firewall_counts_by_address_and_is_where_cloudfront_looks_for_it" {
  variables {
    waf = { rates = { all = { limit = 2000 }, keys = { limit = 50, path = "/api/tenant/keys", window_seconds = 60 } } }
  }

  assert {
    condition     = aws_wafv2_web_acl.edge[0].region == "us-east-1" && aws_wafv2_web_acl.edge[0].scope == "CLOUDFRONT" && aws_cloudfront_distribution.this.web_acl_id == aws_wafv2_web_acl.edge[0].arn
    error_message = "CloudFront has no firewall"
  }

  assert {
    condition = { for rule in jsondecode(aws_wafv2_web_acl.edge[0].rule_json) : rule.Name => [rule.Statement.RateBasedStatement.Limit, try(rule.Statement.RateBasedStatement.ScopeDownStatement.RegexMatchStatement.RegexString, "")] } == {
      all  = [2000, ""]
      keys = [50, "^/api/tenant/keys"]
    }
    error_message = aws_wafv2_web_acl.edge[0].rule_json
  }

  assert {
    condition     = length(aws_wafv2_web_acl_logging_configuration.edge[0].redacted_fields) == 5
    error_message = "keys or questions are in the firewall's logs"
  }
}

run "a_secret_is_made_empty_and_rotated_if_a_function_does_it" {
  variables {
    secrets = { openai = {}, anthropic = { rotation = { function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:rotate", days = 30 } } }
  }

  assert {
    condition     = output.secrets == { openai = "lmo/openai", anthropic = "lmo/anthropic" }
    error_message = "secrets"
  }

  assert {
    condition     = keys(aws_secretsmanager_secret_rotation.provider) == ["anthropic"] && aws_secretsmanager_secret_rotation.provider["anthropic"].rotation_rules[0].automatically_after_days == 30
    error_message = "rotations: ${join(", ", keys(aws_secretsmanager_secret_rotation.provider))}"
  }
}
