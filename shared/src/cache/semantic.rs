//! Similar questions: the vectors of questions that were answered, side by side only where everything but the last
//! question is the same: tenant, model, system prompt, tools, earlier turns and parameters.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Asked, CacheKey};
use crate::{
    clock::{Clock, Timestamp},
    error::Result,
    id::TenantId,
    llm::{Content, Part, Prompt, Role, catalogue::Model},
    store::Table,
};

/// How many of the latest questions of a group are compared: at 1,536 dimensions three pages of a query.
const COMPARED: i32 = 400;

/// The text of the last question and the prompt without it; `None` if the last message is not a user's text alone.
#[must_use]
pub fn question(prompt: &Prompt) -> Option<(String, Prompt)> {
    let last = prompt.messages.last().filter(|message| message.role == Role::User)?;
    let text = match last.content.as_ref()? {
        Content::Text(text) => text.clone(),
        Content::Parts(parts) if parts.iter().all(|part| matches!(part, Part::Text { .. })) => {
            last.content.as_ref()?.text()
        }
        Content::Parts(_) => return None,
    };
    let mut rest = prompt.clone();
    rest.messages.pop();
    rest.native = None;
    (!text.trim().is_empty()).then_some((text, rest))
}

/// The answered questions of all tenants, each through its own tenant's handle.
#[derive(Clone)]
pub struct Neighbours {
    table: Table,
    clock: Clock,
}

#[derive(Serialize, Deserialize)]
struct Point {
    /// Little-endian 32-bit floats, of length 1.
    vector: Bytes,
    /// Where the answer is kept.
    answer: CacheKey,
    at: Timestamp,
    /// In seconds since the epoch.
    expires_at: u64,
}

/// The questions that may be compared with one another.
#[derive(Debug, Clone)]
pub struct Group(CacheKey);

impl Group {
    /// The group of a prompt without its last question, for one model and one embedding model.
    #[must_use]
    pub fn of(embedder: &str, name: &str, model: &Model, rest: &Asked<'_>) -> Self {
        Self(CacheKey::of(&format!("{embedder}\n{name}"), model, rest))
    }
}

impl Neighbours {
    /// The questions in `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock) -> Self {
        Self { table, clock }
    }

    /// Where the answer to the most similar question is kept, if it is similar enough and not older than `max_age`.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn nearest(
        &self,
        tenant: TenantId,
        group: &Group,
        vector: &[f32],
        threshold: f64,
        max_age: Option<Duration>,
    ) -> Result<Option<CacheKey>> {
        let now = self.clock.now();
        let mut rows = self.table.tenant(tenant).neighbours(group.0.as_str()).all::<Point>().last(COMPARED);
        let points = rows.page().await?.unwrap_or_default();
        let usable =
            |point: &Point| point.expires_at > now.seconds() && max_age.is_none_or(|most| now.since(point.at) <= most);
        let near = points.into_iter().filter(usable).map(|point| (cosine(vector, &point.vector), point.answer));
        let best = near.max_by(|(a, _), (b, _)| a.total_cmp(b));
        Ok(best.filter(|(similarity, _)| *similarity >= threshold).map(|(_, answer)| answer))
    }

    /// Adds a question whose answer is kept.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn add(
        &self,
        tenant: TenantId,
        group: &Group,
        vector: &[f32],
        answer: &CacheKey,
        ttl: Duration,
    ) -> Result<()> {
        let at = self.clock.now();
        let vector = vector.iter().flat_map(|part| part.to_le_bytes()).collect();
        let point = Point { vector, answer: answer.clone(), at, expires_at: at.after(ttl).seconds() };
        let sort = format!("{:015}#{}", at.0, answer.as_str());
        self.table.tenant(tenant).neighbours(group.0.as_str()).put(&sort, &point).await
    }
}

/// The cosine of the angle between two vectors; 0 if one has no length, or another number of dimensions.
fn cosine(a: &[f32], b: &[u8]) -> f64 {
    if a.len() * 4 != b.len() {
        return 0.0;
    }
    let (mut dot, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, bytes) in a.iter().zip(b.as_chunks::<4>().0) {
        let (x, y) = (f64::from(*x), f64::from(f32::from_le_bytes(*bytes)));
        dot += x * y;
        aa += x * x;
        bb += y * y;
    }
    if aa == 0.0 || bb == 0.0 { 0.0 } else { dot / (aa.sqrt() * bb.sqrt()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::Message;

    fn bytes(vector: &[f32]) -> Vec<u8> {
        vector.iter().flat_map(|part| part.to_le_bytes()).collect()
    }

    #[test]
    fn the_cosine_is_that_of_the_angle() {
        assert!((cosine(&[1.0, 0.0], &bytes(&[3.0, 0.0])) - 1.0).abs() < 1e-9);
        assert!(cosine(&[1.0, 0.0], &bytes(&[0.0, 2.0])).abs() < 1e-9);
        assert!(cosine(&[0.0, 0.0], &bytes(&[0.0, 2.0])).abs() < 1e-9);
        assert!(cosine(&[1.0], &bytes(&[1.0, 2.0])).abs() < 1e-9);
    }

    #[test]
    fn only_a_users_text_is_a_question() {
        let user = Prompt::new(vec![Message::text(Role::System, "s"), Message::text(Role::User, "q")]);
        let (text, rest) = question(&user).unwrap();
        assert_eq!((text.as_str(), rest.messages.len()), ("q", 1));
        assert!(question(&Prompt::new(vec![Message::text(Role::Tool, "q")])).is_none());
        assert!(question(&Prompt::new(vec![Message::text(Role::User, " ")])).is_none());
    }
}
