//! The requests of a run: several tenants, keys, models and versions of the prices, and what has become of each.

use lmo_shared::{
    clock::{Clock, Timestamp},
    id::{KeyId, RequestId, TenantId},
    llm::Usage,
    money::{NanoUsd, Tokens},
    quota::{Account, Hold, Limits},
    usage::{self, Entry, Outcome},
};
use rand::{Rng, rngs::StdRng};
use ulid::Ulid;

use super::process::Request;

/// What is known of a request that was sent.
struct Sent {
    process: usize,
    id: RequestId,
    held: bool,
    dead: bool,
    published: bool,
}

/// All of them.
pub struct Requests {
    /// How many are still to be sent.
    pub left: u32,
    pub tenants: [TenantId; 2],
    keys: [KeyId; 3],
    sent: Vec<Sent>,
}

impl Requests {
    pub fn new(rng: &mut StdRng, start: Timestamp) -> Self {
        let tenants = std::array::from_fn(|_| TenantId::from_ulid(id(rng, start)));
        let keys = std::array::from_fn(|_| KeyId::from_ulid(id(rng, start)));
        Self { left: rng.random_range(8..32), tenants, keys, sent: Vec::new() }
    }

    /// The next request, to be sent by a process now.
    pub fn next(&mut self, rng: &mut StdRng, clock: &Clock, process: usize) -> Request {
        self.left -= 1;
        let now = clock.now();
        let id = RequestId::from_ulid(id(rng, now));
        self.sent.push(Sent { process, id, held: false, dead: false, published: false });
        let key = rng.random_range(0..3);
        let limited = Limits { requests_per_minute: Some(1_000_000), ..Limits::default() };
        let account = Account {
            tenant: self.tenants[rng.random_range(0..2)],
            limits: Limits::default(),
            shards: 1 + u8::from(rng.random_bool(0.2)),
            key: self.keys[key],
            key_limits: if key == 0 { limited } else { Limits::default() },
        };
        let model = ["openai/large", "lmo/echo"][rng.random_range(0..2)].to_owned();
        let prices = ["2035-01", "2035-02"][rng.random_range(0..2)].to_owned();
        let byok = rng.random_bool(0.3);
        let charged = |nano_usd| if byok { NanoUsd::ZERO } else { NanoUsd(nano_usd) };
        let (input, output) = (rng.random_range(1..1000), rng.random_range(1..1000));
        let hold = Hold {
            input: Tokens(input),
            output: Tokens(output),
            cost: charged(3 * (input + output)),
            deadline: now.after(std::time::Duration::from_secs(rng.random_range(30..960))),
            key: account.key,
            model: model.clone(),
            prices: prices.clone(),
            byok,
        };
        let usage = Usage {
            input_tokens: Tokens(rng.random_range(0..=input)),
            output_tokens: Tokens(rng.random_range(0..=output)),
            ..Usage::default()
        };
        let outcome = [Outcome::Answered, Outcome::Failed, Outcome::Left][rng.random_range(0..3)];
        let entry = Entry {
            key: account.key,
            model,
            prices,
            usage,
            nano_usd: charged(2 * (usage.input_tokens.0 + usage.output_tokens.0)),
            byok,
            estimated: rng.random_bool(0.1),
            unbilled: Tokens::ZERO,
            outcome,
            attempts: 1,
            failed_attempts: Vec::new(),
            first_ms: None,
            total_ms: 5,
            expires_at: usage::expires_at(id),
        };
        Request { id, account, hold, entry, twice: rng.random_bool(0.1) }
    }

    /// A request is held.
    pub fn held(&mut self, id: RequestId) {
        self.of(id, |sent| sent.held = true);
    }

    /// A request has come to its end.
    pub fn ended(&mut self, id: RequestId, published: bool) {
        self.of(id, |sent| (sent.dead, sent.published) = (true, published));
    }

    /// Whatever a process worked on, it doesn't any more.
    pub fn died(&mut self, process: usize) {
        self.sent.iter_mut().filter(|sent| sent.process == process).for_each(|sent| sent.dead = true);
    }

    /// The start of the oldest that still waits for its hold.
    pub fn waits_since(&self) -> Option<Timestamp> {
        self.sent.iter().filter(|sent| !sent.held && !sent.dead).map(|sent| sent.id.made_at()).min()
    }

    /// Whether the stream is known to have its event.
    pub fn is_published(&self, id: RequestId) -> bool {
        self.sent.iter().any(|sent| sent.id == id && sent.published)
    }

    fn of(&mut self, id: RequestId, note: impl FnOnce(&mut Sent)) {
        if let Some(sent) = self.sent.iter_mut().find(|sent| sent.id == id) {
            note(sent);
        }
    }
}

/// An id of its time, from the seed.
fn id(rng: &mut StdRng, at: Timestamp) -> Ulid {
    Ulid::from_parts(at.0, rng.random::<u128>() >> 48)
}
