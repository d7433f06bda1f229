//! What goes wrong, and when: by rules for the next requests that fit, or by chance from a seed.

use http::Method;
use serde::Deserialize;

use super::world::mixed;

/// What goes wrong with a request or with the webhooks that it causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The connection is cut before anything is done.
    Unreached,
    /// It is done, and the connection cut without an answer.
    Lost,
    /// It is done, and the connection cut in the middle of the answer.
    CutBody,
    /// 500, and nothing is done; asked again with the same key it is said again.
    Failed,
    /// 500, but it is done; asked again with the same key it is said again.
    FailedAfter,
    /// It is done after [`Rule::ms`], even if the client is gone by then.
    Slow,
    /// It is done at once, and answered after [`Rule::ms`].
    Late,
    /// 429, with `Retry-After` if the rule has one.
    RateLimited,
    /// 429 `lock_timeout`.
    Locked,
    /// Its webhooks have been delivered when it is answered.
    WebhookFirst,
    /// Each of its webhooks comes twice.
    WebhookDuplicated,
    /// Its webhooks come after [`Rule::ms`].
    WebhookDelayed,
    /// Its webhooks never come.
    WebhookDropped,
    /// Its webhooks come the last first.
    WebhookReversed,
    /// Each of its webhooks comes with a wrong signature first.
    WebhookForged,
    /// Each of its webhooks comes with a signature of ten minutes ago first.
    WebhookOld,
}

/// A fault of the next requests that fit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What goes wrong.
    pub fault: Fault,
    /// Only with this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only for this path, or all that begin so if it ends with `*`.
    #[serde(default)]
    pub path: Option<String>,
    /// After so many that fit.
    #[serde(default)]
    pub skip: u32,
    /// So many times.
    #[serde(default = "once")]
    pub times: u32,
    /// How long something takes that takes long.
    #[serde(default = "a_second")]
    pub ms: u64,
    /// Seconds that a refusal asks to wait.
    #[serde(default)]
    pub retry_after: Option<u64>,
}

impl Rule {
    /// A fault of the next request.
    #[must_use]
    pub fn next(fault: Fault) -> Self {
        Self { fault, method: None, path: None, skip: 0, times: once(), ms: a_second(), retry_after: None }
    }

    /// Only for this path, or all that begin so if it ends with `*`.
    #[must_use]
    pub fn at(self, method: &str, path: &str) -> Self {
        Self { method: Some(method.to_owned()), path: Some(path.to_owned()), ..self }
    }

    fn fits(&self, method: &Method, path: &str) -> bool {
        let is_there = self.path.as_deref().is_none_or(|wanted| match wanted.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => wanted == path,
        });
        is_there && self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method.as_str()))
    }
}

fn once() -> u32 {
    1
}

fn a_second() -> u64 {
    1_000
}

/// Faults by chance.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mix {
    /// The same seed has the same faults, request by request.
    pub seed: u64,
    /// How many of a hundred requests have one.
    pub percent: u64,
    /// Which; each is as likely as the others, so one may stand here twice.
    pub faults: Vec<Fault>,
    /// How long something takes that takes long.
    #[serde(default = "a_second")]
    pub ms: u64,
}

/// What is to go wrong from here on.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) rules: Vec<Rule>,
    pub(super) mix: Option<Mix>,
    drawn: u64,
}

impl Faults {
    /// What goes wrong with this request.
    pub(super) fn take(&mut self, method: &Method, path: &str) -> Option<Rule> {
        for rule in self.rules.iter_mut().filter(|rule| rule.times > 0 && rule.fits(method, path)) {
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.times -= 1;
            let taken = rule.clone();
            self.rules.retain(|rule| rule.times > 0);
            return Some(taken);
        }
        let mix = self.mix.as_ref()?;
        self.drawn += 1;
        let chance = mixed(mix.seed ^ mixed(self.drawn));
        let which = usize::try_from(mixed(chance)).unwrap_or_default().checked_rem(mix.faults.len())?;
        (chance % 100 < mix.percent).then(|| Rule { ms: mix.ms, ..Rule::next(mix.faults[which]) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_goes_wrong_as_often_as_it_says_and_where() {
        let mut faults = Faults::default();
        let rule = Rule { skip: 1, times: 2, ..Rule::next(Fault::Lost).at("post", "/v1/payment_intents*") };
        faults.rules.push(rule);
        let mut taken = |method, path| faults.take(&method, path).map(|rule| rule.fault);
        assert_eq!(taken(Method::GET, "/v1/payment_intents"), None);
        assert_eq!(taken(Method::POST, "/v1/customers"), None);
        assert_eq!(taken(Method::POST, "/v1/payment_intents"), None);
        assert_eq!(taken(Method::POST, "/v1/payment_intents/pi_1/confirm"), Some(Fault::Lost));
        assert_eq!(taken(Method::POST, "/v1/payment_intents"), Some(Fault::Lost));
        assert_eq!(taken(Method::POST, "/v1/payment_intents"), None);
    }

    #[test]
    fn a_seed_has_its_faults_again_and_about_as_many_as_asked_for() {
        let draw = |seed| {
            let mix = Mix { seed, percent: 20, faults: vec![Fault::Lost, Fault::Late], ms: 1 };
            let mut faults = Faults { mix: Some(mix), ..Faults::default() };
            (0..1_000).map(|_| faults.take(&Method::POST, "/v1").map(|rule| rule.fault)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        for fault in [Fault::Lost, Fault::Late] {
            assert!((60..140).contains(&draw(3).iter().filter(|drawn| **drawn == Some(fault)).count()));
        }
    }
}
