# A deployment to earn money with: its own domain, providers' keys, a firewall, alarms to a topic, a budget, functions that
# are warm. Nothing is in a VPC, because nothing that it calls is.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.25"
    }
  }

  # The state has the origin token in it: keep it encrypted, and let few read it.
  # backend "s3" {
  #   bucket       = "<yours>"
  #   key          = "lmo"
  #   region       = "eu-central-1"
  #   encrypt      = true
  #   use_lockfile = true
  # }
}

variable "region" {
  description = "Where everything but CloudFront and its firewall is."
  type        = string
  default     = "eu-central-1"
}

variable "domain" {
  description = "The platform's name, in the zone `zone_id`."
  type        = string
}

variable "zone_id" {
  description = "The Route 53 zone of the domain."
  type        = string
}

variable "alarm_email" {
  description = "Who hears of alarms and of the budget."
  type        = string
}

variable "mail_from" {
  description = "The address that mails are from; SES has verified it or its domain."
  type        = string
}

variable "packages" {
  description = "Folder of the functions' packages."
  type        = string
  default     = "../../../../target/lambda"
}

variable "staged" {
  description = "A staged deployment, as the module has it."
  type = object({
    versions = optional(map(string), {})
    weight   = optional(number, 0)
  })
  default = {}
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { application = "lmo" }
  }
}

module "lmo" {
  source = "../.."

  name     = "lmo"
  packages = var.packages
  staged   = var.staged

  mail_from = var.mail_from

  domain     = { name = var.domain, certificate_arn = aws_acm_certificate_validation.edge.certificate_arn, zone_id = var.zone_id }
  api_domain = { name = "origin.${var.domain}", certificate_arn = aws_acm_certificate_validation.api.certificate_arn, zone_id = var.zone_id }

  waf = {
    rates = {
      all  = { limit = 10000 }
      keys = { limit = 100, path = "/api/tenant" }
      auth = { limit = 100, path = "/api/auth" }
    }
  }

  secrets = {
    openai    = { description = "OpenAI's API key" }
    anthropic = { description = "Anthropic's API key" }
  }
  bedrock_models = ["arn:aws:bedrock:${var.region}::foundation-model/amazon.titan-embed-text-v2:0"]

  tuning = {
    query  = { provisioned = 2 }
    stream = { provisioned = 5, reserved = 500 }
  }

  kms_key_arn            = aws_kms_key.lmo.arn
  log_retention_days     = 365
  origin_timeout_seconds = 60

  alarm_topic_arn    = aws_sns_topic.alarms.arn
  monthly_budget_usd = 1000
}

# Certificates: CloudFront's in us-east-1, the HTTP API's where it is.

resource "aws_acm_certificate" "edge" {
  region            = "us-east-1"
  domain_name       = var.domain
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_acm_certificate" "api" {
  domain_name       = "origin.${var.domain}"
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "proof" {
  for_each = { edge = aws_acm_certificate.edge, api = aws_acm_certificate.api }

  zone_id = var.zone_id
  name    = one(each.value.domain_validation_options).resource_record_name
  type    = one(each.value.domain_validation_options).resource_record_type
  records = [one(each.value.domain_validation_options).resource_record_value]
  ttl     = 300
}

resource "aws_acm_certificate_validation" "edge" {
  region                  = "us-east-1"
  certificate_arn         = aws_acm_certificate.edge.arn
  validation_record_fqdns = [aws_route53_record.proof["edge"].fqdn]
}

resource "aws_acm_certificate_validation" "api" {
  certificate_arn         = aws_acm_certificate.api.arn
  validation_record_fqdns = [aws_route53_record.proof["api"].fqdn]
}

# Alarms.

resource "aws_sns_topic" "alarms" {
  name              = "lmo-alarms"
  kms_master_key_id = aws_kms_key.lmo.id
}

resource "aws_sns_topic_subscription" "alarms" {
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"] }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.alarms.arn
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
    }]
  })
}

# One key for everything. The account's administrators manage it; roles use it as their policies say; services that write
# on nobody's behalf are named here.

data "aws_caller_identity" "this" {}

resource "aws_kms_key" "lmo" {
  description         = "LMO: table, stream, queues, secrets, logs, alarms"
  enable_key_rotation = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.this.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*" # in a key's own policy: this key
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:${var.region}:${data.aws_caller_identity.this.account_id}:log-group:*" } }
      },
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"] }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
      },
    ]
  })
}

output "url" {
  description = "Where the platform is."
  value       = module.lmo.url
}

output "live" {
  description = "The version of each function that serves."
  value       = module.lmo.live
}

output "versions" {
  description = "The newest version of each function."
  value       = module.lmo.versions
}

output "alarms" {
  description = "Names of the alarms."
  value       = module.lmo.alarms
}
