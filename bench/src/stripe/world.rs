//! Everything that the stand-in knows: objects by their ids, what its clock says, and what is still to be told.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::cards::Nature;
use super::problem::Problem;

/// The state of one account in test mode.
#[derive(Debug)]
pub(super) struct World {
    objects: HashMap<String, Value>,
    /// Ids in the order in which they were made, by kind.
    order: HashMap<String, Vec<String>>,
    /// What payment methods do, and whether they are set up for payments without their holder.
    pub(super) natures: HashMap<String, (Nature, bool)>,
    /// Payment methods that were detached.
    pub(super) spent: HashSet<String>,
    /// Events that nobody has begun to deliver.
    pub(super) untold: Vec<String>,
    /// Seconds that the clock is ahead.
    pub(super) ahead: i64,
    /// How long the search doesn't find what is new, in seconds.
    pub(super) search_lag: i64,
    /// The version that events are told in.
    pub(super) version: String,
    made: u64,
    salt: u64,
}

/// Who asked, for the events that come of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Cause {
    pub(super) request: Option<String>,
    pub(super) key: Option<String>,
}

impl World {
    pub(super) fn new(version: String) -> Self {
        let salt = u64::try_from(real_now().as_nanos() & u128::from(u64::MAX)).unwrap_or_default();
        Self {
            objects: HashMap::new(),
            order: HashMap::new(),
            natures: HashMap::new(),
            spent: HashSet::new(),
            untold: Vec::new(),
            ahead: 0,
            search_lag: 0,
            version,
            made: 0,
            salt,
        }
    }

    /// Seconds since the epoch, by the stand-in's clock.
    pub(super) fn now(&self) -> i64 {
        i64::try_from(real_now().as_secs()).unwrap_or(i64::MAX).saturating_add(self.ahead)
    }

    /// A new id, of 24 letters and digits after its prefix.
    pub(super) fn id(&mut self, prefix: &str) -> String {
        const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        self.made += 1;
        // The count makes it unique here, the salt among all stand-ins.
        let mut rest = u128::from(mixed(self.salt ^ self.made)) << 64 | u128::from(self.made);
        let mut text = String::new();
        for _ in 0..24 {
            text.push(char::from(LETTERS[usize::try_from(rest % 62).unwrap_or_default()]));
            rest /= 62;
        }
        format!("{prefix}_{text}")
    }

    pub(super) fn find(&self, id: &str) -> Option<&Value> {
        self.objects.get(id)
    }

    /// An object of a kind that a URL or a parameter names.
    pub(super) fn get(&self, kind: &str, id: &str, missing: impl Fn() -> Problem) -> Result<Value, Problem> {
        self.objects.get(id).filter(|object| object["object"] == kind).cloned().ok_or_else(missing)
    }

    /// An object, new or changed.
    pub(super) fn put(&mut self, object: &Value) {
        let (Some(id), Some(kind)) = (object["id"].as_str(), object["object"].as_str()) else { return };
        if self.objects.insert(id.to_owned(), object.clone()).is_none() {
            self.order.entry(kind.to_owned()).or_default().push(id.to_owned());
        }
    }

    /// All of a kind, the newest first.
    pub(super) fn all(&self, kind: &str) -> impl Iterator<Item = &Value> {
        let ids = self.order.get(kind).map(Vec::as_slice).unwrap_or_default();
        ids.iter().rev().filter_map(|id| self.objects.get(id)).filter(|object| object["deleted"] != true)
    }

    /// Has an event told.
    pub(super) fn tell(&mut self, kind: &str, object: &Value, cause: &Cause) {
        self.tell_change(kind, object, None, cause);
    }

    /// Has a change told, and what was different before.
    pub(super) fn tell_change(&mut self, kind: &str, object: &Value, before: Option<&Value>, cause: &Cause) {
        let id = self.id("evt");
        let mut data = json!({"object": object});
        if let Some(previous) = before.map(|before| difference(before, object)) {
            data["previous_attributes"] = Value::Object(previous);
        }
        let event = json!({
            "id": id, "object": "event", "api_version": self.version, "created": self.now(), "data": data,
            "livemode": false, "pending_webhooks": 1,
            "request": {"id": cause.request, "idempotency_key": cause.key}, "type": kind,
        });
        self.put(&event);
        self.untold.push(id);
    }
}

fn difference(before: &Value, after: &Value) -> Map<String, Value> {
    let fields = before.as_object().into_iter().flatten();
    fields
        .filter(|(name, value)| after[name.as_str()] != **value)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "the stand-in is somebody else's machine, with a clock of its own")]
fn real_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A number that looks like chance, the same for the same one (splitmix64).
pub(super) fn mixed(seed: u64) -> u64 {
    let mut x = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
