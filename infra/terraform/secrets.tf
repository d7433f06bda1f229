# The deployment's own keys: those that sign tokens, the key that seals what nobody may read in the table, and those to
# Stripe. Terraform makes them empty; `lmo init` fills the first two, `lmo billing stripe` the third, and the schedule of
# `auth` changes those that sign.

locals {
  own_keys    = ["sealing-key", "signing-keys"]
  own_secrets = concat(local.own_keys, ["stripe"])
}

resource "aws_secretsmanager_secret" "own" {
  #checkov:skip=CKV_AWS_149:With var.kms_key_arn; without it AWS's own key encrypts them.
  #checkov:skip=CKV2_AWS_57:The function `auth` rotates the signing keys, on a schedule of its own.
  for_each = toset(local.own_secrets)

  name                    = "${var.name}/${each.key}"
  description             = "LMO's own ${each.key}"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = 30
}

# The providers' keys: models.toml names them as { secret = "<name>/<key>" }. Terraform makes the secrets and never sees
# what is in them: `aws secretsmanager put-secret-value` puts it in.

resource "aws_secretsmanager_secret" "provider" {
  #checkov:skip=CKV_AWS_149:With var.kms_key_arn; without it AWS's own key encrypts them.
  #checkov:skip=CKV2_AWS_57:By var.secrets: no vendor of models lets AWS rotate its keys, so the operator brings the function.
  for_each = var.secrets

  name                    = "${var.name}/${each.key}"
  description             = each.value.description
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = 30
}

resource "aws_secretsmanager_secret_rotation" "provider" {
  #checkov:skip=CKV_AWS_304:By var.secrets, 90 days unless said otherwise.
  for_each = { for name, secret in var.secrets : name => secret.rotation if secret.rotation != null }

  secret_id           = aws_secretsmanager_secret.provider[each.key].id
  rotation_lambda_arn = each.value.function_arn
  rotate_immediately  = false # it is empty until somebody fills it

  rotation_rules {
    automatically_after_days = each.value.days
  }
}
