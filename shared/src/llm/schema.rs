//! `OpenAPI` schemas of the types that have a variant for whatever LMO doesn't know. The derived ones would document
//! that variant as a value called `other`.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{AdditionalProperties, ObjectBuilder, Type},
    },
};

use super::{FinishReason, Part, Role};

impl ToSchema for Role {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Role")
    }
}

impl PartialSchema for Role {
    fn schema() -> RefOr<Schema> {
        word(
            "Who speaks: `system`, `developer`, `user`, `assistant`, `tool`, or a role that only the provider knows.",
            ["system", "developer", "user", "assistant", "tool"],
        )
    }
}

impl ToSchema for FinishReason {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("FinishReason")
    }
}

impl PartialSchema for FinishReason {
    fn schema() -> RefOr<Schema> {
        word(
            "Why a choice ended: `stop`, `length`, `tool_calls`, `content_filter`, or the provider's own word.",
            ["stop", "length", "tool_calls", "content_filter"],
        )
    }
}

impl ToSchema for Part {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Part")
    }
}

impl PartialSchema for Part {
    fn schema() -> RefOr<Schema> {
        let text = |description| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("One part of a message: a text, an image, or one that only the provider knows."))
            .property("type", text("`text`, `image_url`, or the provider's own."))
            .required("type")
            .property("text", text("The text, if `type` is `text`."))
            .property(
                "image_url",
                ObjectBuilder::new()
                    .schema_type(Type::Object)
                    .description(Some("The image, if `type` is `image_url`."))
                    .property("url", text("An address or a `data:` URL."))
                    .property("detail", text("How closely to look: `auto`, `low` or `high`."))
                    .required("url"),
            )
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .into()
    }
}

/// A text that is mostly one of `known`.
fn word<const N: usize>(description: &str, known: [&str; N]) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description)).examples(known).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_for_the_unknown_is_not_documented_as_a_value() {
        for schema in [Role::schema(), FinishReason::schema(), Part::schema()] {
            assert!(!serde_json::to_string(&schema).unwrap().contains("other"));
        }
    }
}
