# The usage export: the ledger, day by day, for whoever wants to analyse it. It has counts and ids, no content.

locals {
  exports = var.usage_export == null ? [] : ["usage"]
}

resource "aws_s3_bucket" "export" {
  #checkov:skip=CKV_AWS_18:What reads it is the operator's; CloudTrail can tell.
  #checkov:skip=CKV_AWS_144:It is a copy of the table, and can be made again.
  #checkov:skip=CKV_AWS_145:With var.kms_key_arn; without it AWS's own key encrypts it.
  #checkov:skip=CKV2_AWS_62:Nothing waits for its changes.
  for_each = toset(local.exports)

  bucket = "${var.name}-usage-${local.account}-${local.region}"
}

resource "aws_s3_bucket_server_side_encryption_configuration" "export" {
  for_each = toset(var.kms_key_arn == null ? [] : local.exports)

  bucket = aws_s3_bucket.export[each.key].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "export" {
  for_each = toset(local.exports)

  bucket                  = aws_s3_bucket.export[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "export" {
  for_each = toset(local.exports)

  bucket = aws_s3_bucket.export[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "export" {
  for_each = toset(local.exports)

  bucket = aws_s3_bucket.export[each.key].id

  rule {
    id     = "kept"
    status = "Enabled"

    filter {}

    dynamic "expiration" {
      for_each = compact([try(var.usage_export.days, null)])
      content {
        days = expiration.value
      }
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_policy" "export" {
  for_each = toset(local.exports)

  bucket = aws_s3_bucket.export[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.export[each.key].arn, "${aws_s3_bucket.export[each.key].arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.export]
}
