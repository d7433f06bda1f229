# What `cargo xtask contract` holds against the code: everything that a variable turns on is on, and is built, so that every
# value is known. What isn't said here is drawn at random and differs from all else, so that it shows what leads where.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }

  # The provider looks whether these are ARNs, where they are arguments of something else.
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/lmo" }
  }
  mock_resource "aws_lambda_alias" {
    defaults = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:lmo:live" }
  }
  mock_resource "aws_kinesis_stream" {
    defaults = { arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/lmo-usage" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-central-1:123456789012:lmo-failed" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:lmo" }
  }
  mock_resource "aws_cloudfront_function" {
    defaults = { arn = "arn:aws:cloudfront::123456789012:function/lmo-rewrite" }
  }
}

run "everything" {
  command = apply

  variables {
    secrets        = { openai = {} }
    bedrock_models = ["arn:aws:bedrock:eu-central-1::foundation-model/amazon.titan-embed-text-v2:0"]
    log_filter     = "info"
    otlp_endpoint  = "http://localhost:4318"
    usage_export   = { days = 400 }
  }

  assert {
    condition     = length(aws_lambda_function.this) > 0
    error_message = "there is no function"
  }
}
