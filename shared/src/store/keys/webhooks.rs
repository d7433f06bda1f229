//! Webhooks, what they are told, and when.

use crate::{
    clock::Timestamp,
    id::{MessageId, TenantId, WebhookId},
};

/// What all webhooks begin with.
pub const WEBHOOK_PREFIX: &str = "WEBHOOK#";

/// A webhook.
#[must_use]
pub fn webhook(id: WebhookId) -> String {
    format!("{WEBHOOK_PREFIX}{id}")
}

/// What webhooks are told.
#[must_use]
pub fn event(id: MessageId) -> String {
    format!("EVENT#{id}")
}

/// What all deliveries to a webhook begin with.
#[must_use]
pub fn deliveries(id: WebhookId) -> String {
    format!("DELIVERY#{id}#")
}

/// A delivery to a webhook.
#[must_use]
pub fn delivery(id: WebhookId, message: MessageId) -> String {
    format!("DELIVERY#{id}#{message}")
}

/// Since when a webhook has failed.
#[must_use]
pub fn health(id: WebhookId) -> String {
    format!("HEALTH#{id}")
}

/// What is to be done at a time: tell a webhook, or, without one, find out which are to be told. Padded, so that text
/// order is time order.
#[must_use]
pub fn due(at: Timestamp, tenant: TenantId, message: MessageId, webhook: Option<WebhookId>) -> String {
    let webhook = webhook.map(|id| format!("#{id}")).unwrap_or_default();
    format!("{:015}#{tenant}#{message}{webhook}", at.0)
}

/// Between which sort keys everything lies that is due after `from` and not after `to`.
#[must_use]
pub fn due_between(from: Timestamp, to: Timestamp) -> (String, String) {
    (format!("{:015}~", from.0), format!("{:015}~", to.0))
}

/// What a sort key of the queue says; `None` if it is none.
#[must_use]
pub fn parse_due(sort: &str) -> Option<(Timestamp, TenantId, MessageId, Option<WebhookId>)> {
    let mut parts = sort.split('#');
    let (at, tenant, message) = (parts.next()?, parts.next()?, parts.next()?);
    let webhook = match parts.next() {
        Some(id) => Some(WebhookId::parse(id)?),
        None => None,
    };
    Some((Timestamp(at.parse().ok()?), TenantId::parse(tenant)?, MessageId::parse(message)?, webhook))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_reads_back_and_lies_between_its_times() {
        let (at, tenant, message) = (Timestamp(50), TenantId::new(Timestamp(1)), MessageId::new(Timestamp(2)));
        for webhook in [None, Some(WebhookId::new(Timestamp(3)))] {
            let sort = due(at, tenant, message, webhook);
            assert_eq!(parse_due(&sort), Some((at, tenant, message, webhook)));
            for (from, to, inside) in [(49, 50, true), (0, 1_000, true), (50, 60, false), (0, 49, false)] {
                let (first, last) = due_between(Timestamp(from), Timestamp(to));
                assert_eq!((first..=last).contains(&sort), inside, "{from} {to}");
            }
        }
        assert_eq!(parse_due("5"), None);
    }
}
