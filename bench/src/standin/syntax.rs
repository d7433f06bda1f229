//! The parts of a directive: `name`, `name=value`, and values that are JSON objects, numbers and times.

use std::time::Duration;

use serde::de::IgnoredAny;

use super::directives::{Failure, ToolCall};

/// The names of a directive with their values.
pub(super) type Pairs<'a> = [(&'a str, Option<&'a str>)];

/// The first pair of `text`, and what follows it.
pub(super) fn pair(text: &str) -> Option<((&str, Option<&str>), &str)> {
    let (key, rest) = text.split_at(text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?);
    if key.is_empty() {
        return None;
    }
    let Some(value) = rest.strip_prefix('=') else {
        return Some(((key, None), rest));
    };
    let length = if value.starts_with('{') {
        let mut json = serde_json::Deserializer::from_str(value).into_iter::<IgnoredAny>();
        json.next()?.ok()?;
        json.byte_offset()
    } else {
        let closing = value.find("]]")?;
        value.find(char::is_whitespace).map_or(closing, |space| space.min(closing))
    };
    let (value, rest) = value.split_at(length);
    Some(((key, Some(value)), rest))
}

pub(super) fn failure(status: &str, pairs: &Pairs<'_>) -> Result<Failure, String> {
    let mut failure = Failure { status: number(status)?, retry_after: None, times: None, id: None, code: None };
    if !(400..600).contains(&failure.status) {
        return Err(format!("{status} is not the status of an error"));
    }
    for pair in pairs {
        match *pair {
            ("retry_after", Some(value)) => failure.retry_after = Some(value.to_owned()),
            ("times", Some(value)) => failure.times = Some(number(value)?),
            ("id", Some(value)) => failure.id = Some(value.to_owned()),
            ("code", Some(value)) => failure.code = Some(value.to_owned()),
            (name, _) => {
                return Err(format!("the directive `fail` takes no `{name}` of this form"));
            }
        }
    }
    Ok(failure)
}

pub(super) fn error_code(pairs: &Pairs<'_>) -> Result<Option<String>, String> {
    match *pairs {
        [] => Ok(None),
        [("code", Some(code))] => Ok(Some(code.to_owned())),
        _ => Err("the directive `error_in_stream` takes nothing but `code=x`".into()),
    }
}

pub(super) fn tool_call(name: &str, pairs: &Pairs<'_>) -> Result<ToolCall, String> {
    let arguments = match *pairs {
        [] => "{}",
        [("args", Some(arguments))] => arguments,
        _ => return Err("the directive `tool` takes nothing but `args={…}`".into()),
    };
    Ok(ToolCall { name: name.to_owned(), arguments: arguments.to_owned() })
}

pub(super) fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number that fits here"))
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let count = number(&text[..text.len() - unit.len()])?;
    match unit {
        "us" => Ok(Duration::from_micros(count)),
        "ms" | "" => Ok(Duration::from_millis(count)),
        "s" => Ok(Duration::from_secs(count)),
        _ => Err(format!("`{unit}` is not a unit of time; us, ms and s are")),
    }
}
