//! What a provider may add one day: fields that no client knows.

use serde_json::{Value, json};

/// What clients read as they find it.
const OPAQUE: [&str; 4] = ["input", "args", "metadata", "tools"];

/// Adds a field to `value` and each object in it, but for those named in `unions`, which have exactly one field.
pub(super) fn mark(value: &mut Value, unions: &[&str]) {
    descend(value, unions, false);
}

fn descend(value: &mut Value, unions: &[&str], is_union: bool) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| descend(item, unions, is_union)),
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut().filter(|(key, _)| !OPAQUE.contains(&key.as_str())) {
                descend(value, unions, unions.contains(&key.as_str()));
            }
            if !is_union {
                fields.insert("x_later".into(), json!({ "then": [1, null, "two"] }));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
