# What the mocked provider says where a test wants to know it.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
}

mock_data "aws_region" {
  defaults = { region = "eu-central-1" }
}

mock_resource "aws_apigatewayv2_api" {
  defaults = { id = "a1b2c3d4e5", execution_arn = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5" }
}

mock_resource "aws_lambda_function_url" {
  defaults = { url_id = "abcdefghijklmnop" }
}

mock_resource "aws_lambda_function" {
  defaults = { version = "7" }
}

mock_resource "aws_cloudfront_distribution" {
  defaults = { domain_name = "d111111abcdef8.cloudfront.net", arn = "arn:aws:cloudfront::123456789012:distribution/E1" }
}
