//! Changes of a part: JSON Merge Patch (RFC 7396).

use std::marker::PhantomData;

use axum::extract::{FromRequest, Request};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::{Body, Failure, parse_value};
use crate::error::{Error, Result};

/// What is to change of a `T`: fields that are absent stay, and those that are `null` take their default.
pub struct Patch<T> {
    change: Map<String, Value>,
    of: PhantomData<fn() -> T>,
}

impl<T> Patch<T> {
    /// Whether a field is to change.
    #[must_use]
    pub fn names(&self, field: &str) -> bool {
        self.change.contains_key(field)
    }
}

impl<T: Serialize + DeserializeOwned> Patch<T> {
    /// What `current` becomes.
    ///
    /// # Errors
    /// `Invalid`, naming the field.
    pub fn apply(&self, current: &T) -> Result<T> {
        let mut value = serde_json::to_value(current).map_err(Error::internal)?;
        merge(&mut value, &self.change);
        parse_value(value)
    }
}

/// RFC 7396, section 2.
fn merge(target: &mut Value, change: &Map<String, Value>) {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (name, value) in change {
        match value {
            Value::Null => drop(fields.shift_remove(name)),
            Value::Object(change) => merge(fields.entry(name.as_str()).or_insert(Value::Null), change),
            value => drop(fields.insert(name.clone(), value.clone())),
        }
    }
}

impl<S: Send + Sync, T> FromRequest<S> for Patch<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let Body(change) = Body::from_request(request, state).await?;
        Ok(Self { change, of: PhantomData })
    }
}

/// The schema of a `T` of which nothing is required.
impl<T: ToSchema> PartialSchema for Patch<T> {
    fn schema() -> RefOr<Schema> {
        let mut schema = T::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.required.clear();
        }
        schema
    }
}

impl<T: ToSchema> ToSchema for Patch<T> {
    fn name() -> std::borrow::Cow<'static, str> {
        format!("{}Patch", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        T::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merged(mut target: Value, change: &Value) -> Value {
        merge(&mut target, change.as_object().expect("an object"));
        target
    }

    /// RFC 7396, appendix A, as far as the patch is an object.
    #[test]
    fn it_merges_as_the_standard_has_it() {
        for (target, change, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            assert_eq!(merged(target.clone(), &change), result, "{target} and {change}");
        }
    }
}
