variable "name" {
  description = "What everything is called, and what its names begin with: the table, the functions, the secrets."
  type        = string
  default     = "lmo"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.name))
    error_message = "name must have 2 to 20 lower-case letters, digits and hyphens, begin with a letter and not end with a hyphen."
  }
}

variable "packages" {
  description = "Folder of the functions' packages, as `cargo xtask package` builds it: <packages>/lmo-<function>/bootstrap.zip. An openapi.json in it is served at /openapi.json."
  type        = string
}

variable "architecture" {
  description = "What the packages were built for: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "tuning" {
  description = "Per function: memory in MB, reserved and provisioned concurrency, and the capacity provider of Lambda Managed Instances to run it on; what is absent is the table's or none."
  type = map(object({
    memory            = optional(number)
    reserved          = optional(number)
    provisioned       = optional(number)
    capacity_provider = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.tuning), keys(local.table))) == 0
    error_message = "tuning has a function that doesn't exist; there are ${join(", ", keys(local.table))}."
  }

  validation {
    condition     = alltrue([for row in values(var.tuning) : row.memory == null ? true : row.memory >= 128 && row.memory <= 10240])
    error_message = "tuning: memory must be from 128 to 10240 MB."
  }

  validation {
    condition = alltrue(flatten([for row in values(var.tuning) : [
      for count in [row.reserved, row.provisioned] : count == null ? true : count >= 0 && floor(count) == count
    ]]))
    error_message = "tuning: reserved and provisioned must be whole numbers, not below 0."
  }

  validation {
    condition     = alltrue([for row in values(var.tuning) : row.reserved == null || row.provisioned == null ? true : row.provisioned <= row.reserved])
    error_message = "tuning: provisioned concurrency can't be more than what is reserved."
  }

  validation {
    condition = alltrue([for row in values(var.tuning) : row.capacity_provider == null ? true : (
      coalesce(row.memory, 0) >= 2048 && row.reserved == null && row.provisioned == null
    )])
    error_message = "tuning: with a capacity_provider a function needs 2048 MB or more, and its concurrency is the provider's to say."
  }
}

variable "staged" {
  description = "A staged deployment: versions at which `live` stays (function => version), and the share of requests that the newest version gets meanwhile."
  type = object({
    versions = optional(map(string), {})
    weight   = optional(number, 0)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.staged.weight >= 0 && var.staged.weight < 1
    error_message = "staged: weight must be at least 0 and below 1; to send all requests to the newest version, name no versions."
  }

  validation {
    condition     = length(setsubtract(keys(var.staged.versions), keys(local.table))) == 0
    error_message = "staged: versions has a function that doesn't exist; there are ${join(", ", keys(local.table))}."
  }

  validation {
    condition     = alltrue([for version in values(var.staged.versions) : can(regex("^[1-9][0-9]*$", version))])
    error_message = "staged: versions must be version numbers."
  }
}

variable "request_deadline_seconds" {
  description = "The most time that a request may take, 1 to 840 s. Lambda ends a function after 900 s, and settling comes on top. What goes through the HTTP API has 27 s at most."
  type        = number
  default     = 300

  validation {
    condition     = var.request_deadline_seconds >= 1 && var.request_deadline_seconds <= 840 && floor(var.request_deadline_seconds) == var.request_deadline_seconds
    error_message = "request_deadline_seconds must be a whole number from 1 to 840."
  }
}

variable "origin_timeout_seconds" {
  description = "How long CloudFront waits for the first and between two pieces of an answer, 1 to 180 s; above 60 it may take a higher quota (\"Response timeout per origin\")."
  type        = number
  default     = 60

  validation {
    condition     = var.origin_timeout_seconds >= 1 && var.origin_timeout_seconds <= 180
    error_message = "origin_timeout_seconds must be from 1 to 180."
  }
}

variable "mail_from" {
  description = "The address that mails are from. It, or its domain, must be an identity that Amazon SES has verified in the region: docs/deploy.md."
  type        = string

  validation {
    condition     = can(regex("^[^@[:space:]]+@[A-Za-z0-9.-]+$", var.mail_from))
    error_message = "mail_from must be an e-mail address."
  }
}

variable "issuer" {
  description = "The https URL that people and their programs reach the deployment at, which tokens and the links in mails name; that of `domain` if null. Without either, set it to the output `url` once that is known."
  type        = string
  default     = null

  validation {
    condition     = var.issuer == null ? true : can(regex("^https://[A-Za-z0-9.-]+(:[0-9]+)?$", var.issuer))
    error_message = "issuer must be an https URL without a path."
  }
}

variable "origin_token" {
  description = "What CloudFront shows the functions, so that nobody goes around it; drawn at random if null. While you change it, the new one, a comma, and the one before."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.origin_token == null ? true : can(regex("^[A-Za-z0-9_-]{32,128}(,[A-Za-z0-9_-]{32,128})?$", var.origin_token))
    error_message = "origin_token must have 32 to 128 letters, digits, hyphens and underscores; two such are separated by a comma."
  }
}

variable "origin_token_version" {
  description = "Add one to draw a new random token; the one before stays good until the next time."
  type        = number
  default     = 1

  validation {
    condition     = var.origin_token_version >= 1 && floor(var.origin_token_version) == var.origin_token_version
    error_message = "origin_token_version must be a whole number, 1 or more."
  }
}

variable "throttle" {
  description = "Most requests per second, and at once, of the HTTP API and of the WebSocket API, all tenants together."
  type = object({
    rate  = optional(number, 2000)
    burst = optional(number, 1000)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.throttle.rate > 0 && var.throttle.burst > 0
    error_message = "throttle: rate and burst must be above 0."
  }
}

variable "domain" {
  description = "The name of the whole: its certificate is in us-east-1; with a zone_id the records are made in that Route 53 zone."
  type = object({
    name            = string
    certificate_arn = string
    zone_id         = optional(string)
  })
  default = null

  validation {
    condition     = var.domain == null ? true : can(regex("^arn:[a-z-]+:acm:us-east-1:", var.domain.certificate_arn))
    error_message = "domain: CloudFront takes its certificate from us-east-1 (arn:aws:acm:us-east-1:...)."
  }
}

variable "api_domain" {
  description = "A name of its own for the HTTP API behind CloudFront, which closes the one that AWS gave it: its certificate is in the deployment's region. Without a zone_id the record is yours to make."
  type = object({
    name            = string
    certificate_arn = string
    zone_id         = optional(string)
  })
  default = null

  validation {
    condition     = var.api_domain == null ? true : can(regex("^arn:[a-z-]+:acm:", var.api_domain.certificate_arn))
    error_message = "api_domain: certificate_arn must be that of an ACM certificate."
  }

  validation {
    condition     = try(var.api_domain.name, "") != try(var.domain.name, null)
    error_message = "api_domain must differ from domain: one is CloudFront's, one is what is behind it."
  }
}

variable "price_class" {
  description = "From where CloudFront serves: PriceClass_100, PriceClass_200 or PriceClass_All."
  type        = string
  default     = "PriceClass_100"

  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.price_class)
    error_message = "price_class must be PriceClass_100, PriceClass_200 or PriceClass_All."
  }
}

variable "waf" {
  description = "Rate rules at the edge, by IP address: requests in a window, of all paths or of those that begin with `path`. Null is no firewall."
  type = object({
    rates = optional(map(object({
      limit          = number
      window_seconds = optional(number, 300)
      path           = optional(string)
    })), { all = { limit = 10000 } })
  })
  default = null

  validation {
    condition     = var.waf == null ? true : alltrue([for rate in values(var.waf.rates) : rate.limit >= 10 && contains([60, 120, 300, 600], rate.window_seconds)])
    error_message = "waf: a limit must be 10 or more, and a window 60, 120, 300 or 600 seconds."
  }

  validation {
    condition     = var.waf == null ? true : alltrue([for rate in values(var.waf.rates) : rate.path == null ? true : can(regex("^/[A-Za-z0-9/_-]*$", rate.path))])
    error_message = "waf: a path must begin with / and consist of letters, digits, slashes, hyphens and underscores."
  }
}

variable "stream" {
  description = "The Kinesis stream: on demand without `shards`; one shard takes 1,000 events/s. How long it keeps events, 24 to 8760 hours."
  type = object({
    shards          = optional(number)
    retention_hours = optional(number, 168)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.stream.shards == null ? true : var.stream.shards >= 1 && floor(var.stream.shards) == var.stream.shards
    error_message = "stream: shards must be a whole number, 1 or more."
  }

  validation {
    condition     = var.stream.retention_hours >= 24 && var.stream.retention_hours <= 8760
    error_message = "stream: retention_hours must be from 24 to 8760."
  }
}

variable "events" {
  description = "How usage events come to their function. Small batches and short windows count the same ten seconds again and again: see BENCHMARKS.md."
  type = object({
    batch_size      = optional(number, 5000)
    window_seconds  = optional(number, 10)
    parallelization = optional(number, 1)
    retries         = optional(number, 5)
    max_age_seconds = optional(number, 86400)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.events.batch_size >= 1 && var.events.batch_size <= 10000
    error_message = "events: batch_size must be from 1 to 10000."
  }

  validation {
    condition     = var.events.window_seconds >= 10 && var.events.window_seconds <= 300
    error_message = "events: window_seconds must be from 10 to 300: a total is counted in buckets of ten seconds."
  }

  validation {
    condition     = var.events.parallelization >= 1 && var.events.parallelization <= 10
    error_message = "events: parallelization must be from 1 to 10."
  }

  validation {
    condition     = var.events.retries >= 1 && var.events.retries <= 10000
    error_message = "events: retries must be from 1 to 10000; without an end a poison record stops its shard."
  }

  validation {
    condition     = var.events.max_age_seconds >= 60 && var.events.max_age_seconds <= 604800
    error_message = "events: max_age_seconds must be from 60 to 604800."
  }
}

variable "secrets" {
  description = "Secrets for the providers' keys; `openai` is what models.toml calls { secret = \"<name>/openai\" }. A rotation is done by a function of yours."
  type = map(object({
    description = optional(string, "API key of a model provider")
    rotation = optional(object({
      function_arn = string
      days         = optional(number, 90)
    }))
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.secrets) : can(regex("^[a-zA-Z0-9_.-]+$", name))])
    error_message = "secrets: names must consist of letters, digits, hyphens, underscores and dots."
  }

  validation {
    condition     = length(setintersection(keys(var.secrets), local.own_secrets)) == 0
    error_message = "secrets: ${join(", ", local.own_secrets)} are the deployment's own."
  }

  validation {
    condition     = alltrue([for secret in values(var.secrets) : secret.rotation == null ? true : secret.rotation.days >= 1 && secret.rotation.days <= 1000])
    error_message = "secrets: a rotation's days must be from 1 to 1000."
  }
}

variable "usage_export" {
  description = "Writes the ledger to a bucket of its own every night, as gzip JSON Lines: docs/billing.md. Files are kept for so many days, for ever if null."
  type = object({
    days = optional(number)
  })
  default = null

  validation {
    condition     = try(var.usage_export.days, null) == null ? true : var.usage_export.days >= 1 && floor(var.usage_export.days) == var.usage_export.days
    error_message = "usage_export: days must be a whole number, 1 or more."
  }
}

variable "bedrock_models" {
  description = "ARNs of the Bedrock models and inference profiles that may be called with the functions' roles."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.bedrock_models : can(regex("^arn:[a-z-]+:bedrock:[a-z0-9-]*:[0-9]*:[a-z-]+/[^*]+$", arn))])
    error_message = "bedrock_models must be ARNs of models or inference profiles by their names, without wildcards."
  }
}

variable "kms_key_arn" {
  description = "A key of yours for table, stream, queues, secrets, logs, schedules and environments; its policy must let CloudWatch Logs use it. AWS's own keys if null."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be a key's ARN (arn:aws:kms:<region>:<account>:key/...), not an alias."
  }
}

variable "table_name" {
  description = "The table's name, if it isn't `name`: that of one restored from a backup (docs/deploy.md)."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether the table refuses to be deleted. Turn it off and apply before you tear down."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of CloudWatch's: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 and so on."
  }
}

variable "log_filter" {
  description = "What the functions log, as RUST_LOG; their own default if null."
  type        = string
  default     = null
}

variable "otlp_endpoint" {
  description = "Where the functions send their spans (OpenTelemetry, OTLP), such as http://localhost:4318 with a collector among the layers; none are sent if null. X-Ray has Lambda's own segments either way."
  type        = string
  default     = null

  validation {
    condition     = var.otlp_endpoint == null ? true : can(regex("^https?://", var.otlp_endpoint))
    error_message = "otlp_endpoint must begin with http:// or https://."
  }
}

variable "layers" {
  description = "ARNs of layers for all functions, such as AWS's OpenTelemetry collector for the architecture."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.layers) <= 5
    error_message = "layers: Lambda takes five at most."
  }
}

variable "alarm_topic_arn" {
  description = "The SNS topic that alarms and the budget go to; alarms that nobody hears if null."
  type        = string
  default     = null
}

variable "alarms" {
  description = "When alarms ring: p99 of the HTTP API and of streams, to their last byte, in ms, the age of the oldest usage event in seconds, and server errors in five minutes."
  type = object({
    latency_p99_ms       = optional(number, 25000)
    stream_p99_ms        = optional(number, 120000)
    iterator_age_seconds = optional(number, 300)
    server_errors        = optional(number, 5)
  })
  default  = {}
  nullable = false
}

variable "monthly_budget_usd" {
  description = "What the account may cost in a month; the topic is told at 80 % and when the forecast exceeds it. No budget if null."
  type        = number
  default     = null

  validation {
    condition     = var.monthly_budget_usd == null ? true : var.monthly_budget_usd > 0 && var.alarm_topic_arn != null
    error_message = "monthly_budget_usd must be above 0, and needs alarm_topic_arn: a budget that nobody hears is none."
  }
}

variable "sam" {
  description = "For `sam` on a laptop alone, which can't follow routes that a table is made into: leaves the routes of both APIs out, and functions want no origin token."
  type        = bool
  default     = false
}
