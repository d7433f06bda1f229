# A round refuses one bad value of each variable that has another one left.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "bad_values_are_refused_1" {
  command = plan

  variables {
    name                     = "Acme!"
    architecture             = "mips"
    request_deadline_seconds = 900
    origin_timeout_seconds   = 181
    origin_token             = "short"
    origin_token_version     = 0
    mail_from                = "nobody"
    issuer                   = "http://ai.example.com"
    throttle                 = { rate = 0 }
    domain                   = { name = "ai.example.com", certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1" }
    price_class              = "PriceClass_1"
    waf                      = { rates = { all = { limit = 5 } } }
    stream                   = { shards = 0 }
    events                   = { batch_size = 20000 }
    secrets                  = { "open/ai" = {} }
    bedrock_models           = ["arn:aws:bedrock:*::foundation-model/*"]
    kms_key_arn              = "alias/lmo"
    log_retention_days       = 31
    otlp_endpoint            = "localhost:4318"
    layers                   = ["1", "2", "3", "4", "5", "6"]
    monthly_budget_usd       = 100
  }

  expect_failures = [
    var.name,
    var.architecture,
    var.request_deadline_seconds,
    var.origin_timeout_seconds,
    var.origin_token,
    var.origin_token_version,
    var.mail_from,
    var.issuer,
    var.throttle,
    var.domain,
    var.price_class,
    var.waf,
    var.stream,
    var.events,
    var.secrets,
    var.bedrock_models,
    var.kms_key_arn,
    var.log_retention_days,
    var.otlp_endpoint,
    var.layers,
    var.monthly_budget_usd,
  ]
}

run "bad_values_are_refused_2" {
  command = plan

  variables {
    request_deadline_seconds = 0.5
    waf                      = { rates = { all = { limit = 100, window_seconds = 90 } } }
    stream                   = { retention_hours = 12 }
    events                   = { window_seconds = 1 }
    secrets                  = { openai = { rotation = { function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:rotate", days = 0 } } }
  }

  expect_failures = [
    var.request_deadline_seconds,
    var.waf,
    var.stream,
    var.events,
    var.secrets,
  ]
}

run "bad_values_are_refused_3" {
  command = plan

  variables {
    waf    = { rates = { all = { limit = 100, path = "api.*" } } }
    events = { parallelization = 11 }
  }

  expect_failures = [
    var.waf,
    var.events,
  ]
}

run "bad_values_are_refused_4" {
  command = plan

  variables {
    events = { retries = -1 }
  }

  expect_failures = [
    var.events,
  ]
}

run "bad_values_are_refused_5" {
  command = plan

  variables {
    events = { max_age_seconds = 30 }
  }

  expect_failures = [
    var.events,
  ]
}

run "bad_values_are_refused_beside_good_ones_1" {
  command = plan

  variables {
    tuning     = { mcp = { memory = 512 } }
    staged     = { weight = 1 }
    api_domain = { name = "ai.example.com", certificate_arn = "1" }
  }

  expect_failures = [
    var.tuning,
    var.staged,
    var.api_domain,
  ]
}

run "bad_values_are_refused_beside_good_ones_2" {
  command = plan

  variables {
    tuning = { query = { memory = 64 } }
    staged = { versions = { mcp = "1" } }
  }

  expect_failures = [
    var.tuning,
    var.staged,
  ]
}

run "bad_values_are_refused_beside_good_ones_3" {
  command = plan

  variables {
    tuning = { query = { reserved = -1 } }
    staged = { versions = { query = "$LATEST" } }
  }

  expect_failures = [
    var.tuning,
    var.staged,
  ]
}

run "bad_values_are_refused_beside_good_ones_4" {
  command = plan

  variables {
    tuning = { query = { reserved = 2, provisioned = 3 } }
  }

  expect_failures = [
    var.tuning,
  ]
}

run "a_capacity_provider_wants_memory" {
  command = plan

  variables {
    tuning = { query = { capacity_provider = "arn:aws:lambda:eu-central-1:123456789012:capacity-provider:lmo" } }
  }

  expect_failures = [var.tuning]
}

run "one_name_can_not_be_both_domains" {
  command = plan

  variables {
    domain     = { name = "ai.example.com", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1" }
    api_domain = { name = "ai.example.com", certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/2" }
  }

  expect_failures = [var.api_domain]
}
