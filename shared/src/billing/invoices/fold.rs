//! Long invoices: one is an item, and has room for so many lines.

use crate::{billing::Line, error::Result};

/// The most lines that are kept apart by the parts of a month: some 250 KB of an item's 400.
const MOST_LINES: usize = 1_000;

/// The lines, where there are too many with those of the same kind and text from different parts of the month as one. Sums
/// stay what they are, because each line was rounded before.
pub(super) fn folded(lines: Vec<Line>) -> Result<Vec<Line>> {
    if lines.len() <= MOST_LINES {
        return Ok(lines);
    }
    let mut whole: Vec<Line> = Vec::new();
    for line in lines {
        match whole.iter_mut().find(|one| one.kind == line.kind && one.text == line.text) {
            Some(one) => {
                one.quantity = one.quantity.zip(line.quantity).and_then(|(one, more)| one.checked_add(more));
                one.unit_price = one.unit_price.filter(|price| line.unit_price == Some(*price));
                one.exact = one.exact.plus(line.exact)?;
                one.amount = one.amount.plus(line.amount)?;
                (one.from, one.to) = (one.from.min(line.from), one.to.max(line.to));
            }
            None => whole.push(line),
        }
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        billing::{Amount, LineKind, TokenKind, sum},
        clock::Timestamp,
    };

    fn lines(parts: u64, models: u64) -> Vec<Line> {
        let line = |part: u64, model: u64| Line {
            kind: LineKind::Usage { model: format!("model-{model}"), tokens: TokenKind::Input },
            text: format!("model-{model}, input tokens"),
            quantity: Some(part + 1),
            unit_price: Some(Amount::units(1)),
            exact: Amount::units(7),
            amount: Amount::units(7),
            from: Timestamp(part),
            to: Timestamp(part + 1),
        };
        (0..parts).flat_map(|part| (0..models).map(move |model| line(part, model))).collect()
    }

    #[test]
    fn what_has_room_stays_as_it_is() {
        let all = lines(10, 100);
        assert_eq!(folded(all.clone()).unwrap(), all);
    }

    #[test]
    fn too_many_parts_of_a_month_are_folded_and_their_sum_stays() {
        let all = lines(11, 100);
        let folded = folded(all.clone()).unwrap();
        assert_eq!(folded.len(), 100);
        let total = |lines: &[Line]| sum(lines.iter().map(|line| line.amount)).unwrap();
        assert_eq!(total(&folded), total(&all));
        let first = &folded[0];
        assert_eq!((first.quantity, first.exact), (Some(66), Amount::units(77)));
        assert_eq!((first.from, first.to, first.unit_price), (Timestamp(0), Timestamp(11), Some(Amount::units(1))));
    }
}
