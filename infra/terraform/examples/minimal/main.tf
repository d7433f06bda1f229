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

module "lmo" {
  source = "../.."

  packages = "../../../../target/lambda"
}

output "url" {
  description = "Where the platform is."
  value       = module.lmo.url
}
