//! The top of the first page: who sells, who buys, and what the document is.

use super::sheet::{LEFT, RIGHT, Role, Sheet, Style};
use crate::{
    billing::{Profile, Seller},
    clock::Timestamp,
};

const FACTS: f32 = 320.0;
const VALUES: f32 = 420.0;
const BLOCK: f32 = 250.0;
const DAY: u64 = 24 * 60 * 60 * 1000;

/// What stands there.
pub(super) struct Head<'a> {
    pub title: String,
    pub seller: &'a Seller,
    pub buyer: &'a Profile,
    pub buyer_label: &'a str,
    /// What is said about the document, each with its label.
    pub facts: [Option<(&'a str, String)>; 6],
}

/// Writes it, and leaves room below it.
pub(super) fn head(sheet: &mut Sheet, head: &Head<'_>) {
    let top = sheet.y;
    let title = sheet.part(Role::Title, None);
    sheet.left(&head.title, FACTS, top, Style { size: 22.0, ..Style::BOLD }, title);
    let seller = head.seller;
    let mut lines = seller.address.clone();
    lines.push(seller.country.clone());
    lines.extend(seller.tax_id.iter().map(|id| format!("Tax id: {id}")));
    lines.extend(seller.email.clone());
    let below_seller = party(sheet, "", (&seller.name, &lines), top);
    let below_facts = facts(sheet, &head.facts, top + 40.0);
    let buyer = head.buyer;
    let mut lines = buyer.address.clone();
    lines.extend(buyer.country.clone());
    lines.extend(buyer.tax_id.iter().map(|id| format!("Tax id: {id}")));
    lines.extend(buyer.email.iter().map(ToString::to_string));
    let below_buyer = party(sheet, head.buyer_label, (&buyer.name, &lines), below_seller + 18.0);
    sheet.y = below_buyer.max(below_facts) + 22.0;
}

/// A party's name and address; gives where it ends.
fn party(sheet: &mut Sheet, label: &str, (name, lines): (&str, &[String]), mut y: f32) -> f32 {
    let part = sheet.part(Role::Paragraph, None);
    y = sheet.block(label, (LEFT, BLOCK), y, Style::SMALL, part);
    y = sheet.block(name, (LEFT, BLOCK), y, Style { size: 11.0, ..Style::BOLD }, part) + 1.0;
    for line in lines {
        let part = sheet.part(Role::Paragraph, None);
        y = sheet.block(line, (LEFT, BLOCK), y, Style::TEXT, part);
    }
    y
}

fn facts(sheet: &mut Sheet, facts: &[Option<(&str, String)>], mut y: f32) -> f32 {
    for (label, value) in facts.iter().flatten() {
        let part = sheet.part(Role::Paragraph, None);
        sheet.left(label, FACTS, y, Style { grey: 90, ..Style::TEXT }, part);
        y = sheet.block(value, (VALUES, RIGHT - VALUES), y, Style::TEXT, part);
    }
    y
}

/// The day, as in `2026-11-30`.
pub(super) fn date(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// From one instant until before another: in days if both are the first of theirs.
pub(super) fn days(from: Timestamp, to: Timestamp) -> String {
    if from.0.is_multiple_of(DAY) && to.0.is_multiple_of(DAY) && from < to {
        return format!("{} to {}", date(from), date(Timestamp(to.0 - DAY)));
    }
    let second = |at: Timestamp| at.to_string().chars().take(19).collect::<String>().replace('T', " ");
    format!("{} until {} UTC", second(from), second(to))
}
