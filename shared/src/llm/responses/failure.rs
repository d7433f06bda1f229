//! An error that stands where an answer should: the `error` event, or the `error` of a failed response.

use serde_json::Value;

use crate::llm::ProviderError;

/// Reads `{code, message, param, type}`, which the `error` event has in itself or, as some servers write it, in `error`.
pub(super) fn read(error: &Value) -> ProviderError {
    let error = error.get("error").filter(|inner| !inner.is_null()).unwrap_or(error);
    let field = |name| error.get(name).and_then(Value::as_str);
    let (code, kind) = (field("code"), field("type").filter(|kind| *kind != "error"));
    let says = |known: fn(&str) -> bool| [code, kind].into_iter().flatten().any(known);
    let message = field("message").or(error.as_str()).map_or_else(|| error.to_string(), str::to_owned);
    if says(|word| matches!(word, "rate_limit_exceeded" | "rate_limit_error" | "too_many_requests")) {
        return ProviderError::RateLimited { retry_after: None };
    }
    if says(|word| matches!(word, "server_is_overloaded" | "overloaded_error" | "slow_down" | "service_unavailable")) {
        return ProviderError::Unavailable { status: 503, retry_after: None };
    }
    if says(|word| matches!(word, "insufficient_quota" | "invalid_api_key" | "authentication_error")) {
        return ProviderError::Credentials;
    }
    if says(is_the_callers) {
        let [code, kind, param] = [code, kind, field("param")].map(|word| word.map(str::to_owned));
        return ProviderError::Rejected { status: 400, message, code, kind, param };
    }
    ProviderError::InStream { message }
}

/// Codes by which the request itself is refused (API reference, "The response object", `error.code`).
fn is_the_callers(code: &str) -> bool {
    matches!(
        code,
        "invalid_request_error"
            | "invalid_prompt"
            | "context_length_exceeded"
            | "bio_policy"
            | "data_residency_mismatch"
            | "unsupported_image_media_type"
            | "empty_image_file"
            | "failed_to_download_image"
    ) || code.starts_with("image_")
        || code.starts_with("invalid_image")
        || code == "invalid_base64_image"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_callers_fault_is_told_and_the_servers_inside_is_not() {
        let image = read(&json!({"code": "invalid_image", "message": "The image is broken."}));
        assert_eq!((image.code(), image.to_string().as_str()), ("provider_rejected", "The image is broken."));
        let inside = read(&json!({"type": "error", "code": "server_error", "message": "gpu-17 is gone"}));
        assert_eq!(inside, ProviderError::InStream { message: "gpu-17 is gone".to_owned() });
    }

    #[test]
    fn an_overload_and_a_rate_limit_can_be_tried_again() {
        for code in ["rate_limit_exceeded", "server_is_overloaded"] {
            assert!(read(&json!({"type": "error", "error": {"code": code, "message": ""}})).is_retryable());
        }
    }
}
