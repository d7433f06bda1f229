//! `data:` URLs (RFC 2397), in which images and documents come.

use base64::{Engine, prelude::BASE64_STANDARD};

/// Media type and base64 text of a `data:` URL; `None` if it isn't one, or not in base64.
pub(super) fn split(url: &str) -> Option<(&str, &str)> {
    let (kind, data) = url.strip_prefix("data:")?.split_once(',')?;
    let (media_type, parameters) = kind.split_once(';')?;
    parameters.split(';').any(|parameter| parameter.eq_ignore_ascii_case("base64")).then_some((media_type, data))
}

/// The text that base64 text stands for; `None` unless it is UTF-8.
pub(super) fn text(base64: &str) -> Option<String> {
    String::from_utf8(BASE64_STANDARD.decode(base64).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_with_parameters_is_read_and_one_without_base64_is_not() {
        assert_eq!(split("data:text/plain;charset=utf-8;base64,YQ=="), Some(("text/plain", "YQ==")));
        assert_eq!(split("data:text/plain,a"), None);
        assert_eq!(split("https://example.com/a,b;c"), None);
    }

    #[test]
    fn only_utf8_is_text() {
        assert_eq!(text("w7w="), Some("ü".to_owned()));
        assert_eq!(text("/w=="), None);
        assert_eq!(text("?"), None);
    }
}
