//! Bodies and queries in Stripe's form encoding: nested names are written `metadata[invoice]`, lists `types[0]`.

/// Names and values, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more value.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "numbers are copied")]
    pub fn with(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.0.push((name.into(), value.to_string()));
        self
    }

    /// With one more value, if there is one.
    #[must_use]
    pub fn maybe(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// With `metadata[name]` for each.
    #[must_use]
    pub fn metadata<'a>(self, pairs: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        pairs.into_iter().fold(self, |form, (name, value)| form.with(format!("metadata[{name}]"), value))
    }

    /// As it is sent.
    #[must_use]
    pub fn encoded(&self) -> String {
        // Texts can always be written.
        serde_urlencoded::to_string(&self.0).unwrap_or_default()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_names_and_what_must_be_escaped_are() {
        let form = Form::new().with("amount", 1_099).metadata([("invoice", "a&b = ü".to_owned())]);
        let form = form.with("payment_method_types[0]", "card").maybe("description", None::<&str>);
        assert_eq!(
            form.encoded(),
            "amount=1099&metadata%5Binvoice%5D=a%26b+%3D+%C3%BC&payment_method_types%5B0%5D=card"
        );
    }
}
