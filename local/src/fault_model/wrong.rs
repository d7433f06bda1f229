//! Aggregations that are wrong on purpose. The model has to find each of them, or it proves nothing about the right one.

use serde_json::Value;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// A total is replaced by whatever was counted last.
    Unconditional,
    /// A total made of as many entries is not put again, so that a crash behind it is never made good.
    Strict,
    /// What is new is added to the totals, instead of counting them again.
    AddsDifferences,
    /// A batch that could not be counted is reported as counted.
    Swallows,
    /// The sweep takes an hour for closed that can still get entries.
    ClosesEarly,
}

impl Wrong {
    pub const ALL: [Self; 5] =
        [Self::Unconditional, Self::Strict, Self::AddsDifferences, Self::Swallows, Self::ClosesEarly];

    /// What a put becomes on its way, if it is one of a total.
    pub fn rewrite(self, put: &Value) -> Option<Vec<u8>> {
        const RIGHT: &str = "attribute_not_exists(n) OR (n <= :n AND attribute_not_exists(closed))";
        let condition = match self {
            Self::Unconditional => "attribute_not_exists(n) OR n <= :n OR n > :n",
            Self::Strict => "attribute_not_exists(n) OR (n < :n AND attribute_not_exists(closed))",
            Self::AddsDifferences | Self::Swallows | Self::ClosesEarly => return None,
        };
        if !put["Item"]["pk"]["S"].as_str().is_some_and(|pk| pk.ends_with("#TOTALS")) {
            return None;
        }
        assert_eq!(put["ConditionExpression"], RIGHT, "the condition of totals has changed; change it here too");
        let mut put = put.clone();
        put["ConditionExpression"] = condition.into();
        Some(put.to_string().into_bytes())
    }
}
