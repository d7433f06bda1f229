//! Watches the totals as they are written: none may ever go back.

use std::collections::BTreeMap;

use serde_json::Value;

/// What the last write of each total said.
#[derive(Default)]
pub struct Watch {
    seen: BTreeMap<String, Said>,
    /// The first that went back.
    pub went_back: Option<String>,
    /// How many writes of totals there were.
    pub writes: u64,
}

#[derive(Debug, Clone, Copy)]
struct Said {
    entries: u64,
    tokens: u64,
}

impl Watch {
    /// A `PutItem` succeeded.
    pub fn put(&mut self, request: &Value) {
        let item = &request["Item"];
        let text = |name: &str| item[name]["S"].as_str().unwrap_or_default();
        if !text("pk").ends_with("#TOTALS") {
            return;
        }
        self.writes += 1;
        let said = Said {
            entries: item["n"]["N"].as_str().and_then(|n| n.parse().ok()).unwrap_or_default(),
            tokens: tokens(text("rows")),
        };
        let key = format!("{} {}", text("pk"), text("sk"));
        if let Some(before) = self.seen.insert(key.clone(), said)
            && (said.entries < before.entries || said.tokens < before.tokens)
        {
            self.went_back.get_or_insert(format!("{key} went back from {before:?} to {said:?}"));
        }
    }
}

/// All tokens of a total's rows.
fn tokens(rows: &str) -> u64 {
    let rows: Vec<(Value, Value)> = serde_json::from_str(rows).unwrap_or_default();
    let kinds = ["input_tokens", "output_tokens"];
    rows.iter().flat_map(|(_, row)| kinds.map(|kind| row["usage"][kind].as_u64().unwrap_or_default())).sum()
}
