# The least that works: CloudFront's own name, no alarms that anybody hears, echo as the only model.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.25"
    }
  }
}

provider "aws" {
  region = "eu-central-1"
}

variable "mail_from" {
  description = "The address that mails are from, verified in Amazon SES."
  type        = string
}

variable "issuer" {
  description = "The output `url`, from the second apply on."
  type        = string
  default     = null
}

module "lmo" {
  source = "../.."

  packages  = "../../../../target/lambda"
  mail_from = var.mail_from
  issuer    = var.issuer
}

output "url" {
  description = "Where the platform is."
  value       = module.lmo.url
}
