//! The table of lines, over as many pages as it needs, and what is added up below it.

use std::rc::Rc;

use super::{
    head::days,
    sheet::{LEFT, Part, RIGHT, Role, Sheet, Style},
};
use crate::{
    billing::{Amount, Currency, Line, LineKind},
    clock::Period,
    error::Result,
};

/// Where the numbers end, and how wide they may be.
const QUANTITY: (f32, f32) = (372.0, 92.0);
const PRICE: (f32, f32) = (462.0, 86.0);
const AMOUNT: (f32, f32) = (RIGHT, 80.0);
const TEXT: f32 = 225.0;
const PAD: f32 = 2.5;
const LABEL: f32 = 300.0;

/// Writes the lines. Each page begins with the table's head, and with what those before it come to.
pub(super) fn table(sheet: &mut Sheet, lines: &[Line], month: Option<Period>, currency: Currency) -> Result<()> {
    let table = sheet.part(Role::Table, None);
    let row = sheet.part(Role::Row, table);
    let columns = ["Description", "Quantity", "Unit price", "Amount"].map(|_| sheet.part(Role::Column, row));
    columns_head(sheet, columns);
    let mut so_far = Amount::ZERO;
    for line in lines {
        write_line(sheet, table, (line, month), so_far, currency);
        so_far = so_far.plus(line.amount)?;
    }
    if lines.is_empty() {
        let row = sheet.part(Role::Row, table);
        let cells = [(); 4].map(|()| sheet.part(Role::Cell, row));
        for (cell, text) in cells.into_iter().zip(["Nothing was used in this period.", " ", " ", " "]) {
            sheet.left(text, LEFT, sheet.y, Style::TEXT, cell);
        }
        sheet.y += Style::TEXT.leading() + PAD;
    }
    Ok(())
}

fn columns_head(sheet: &mut Sheet, [text, quantity, price, amount]: [Part; 4]) {
    let y = sheet.y;
    sheet.left("Description", LEFT, y, Style::BOLD, text);
    sheet.right("Quantity", QUANTITY, y, Style::BOLD, quantity);
    sheet.right("Unit price", PRICE, y, Style::BOLD, price);
    sheet.right("Amount", AMOUNT, y, Style::BOLD, amount);
    sheet.y = y + Style::TEXT.leading() + PAD;
    sheet.rule(LEFT, sheet.y, 0.9, 0);
    sheet.y += PAD;
}

fn write_line(
    sheet: &mut Sheet,
    table: Part,
    (line, month): (&Line, Option<Period>),
    so_far: Amount,
    currency: Currency,
) {
    let row = sheet.part(Role::Row, table);
    let [text, quantity, price, amount] = [(); 4].map(|()| sheet.part(Role::Cell, row));
    let leading = Style::TEXT.leading();
    let mut lines: Vec<_> =
        sheet.lines(&line.text, Style::TEXT, TEXT).into_iter().map(|line| (line, Style::TEXT)).collect();
    let whole = month.is_some_and(|month| (line.from, line.to) == (month.start(), month.end()));
    if !whole {
        let period = sheet.lines(&days(line.from, line.to), Style::SMALL, TEXT);
        lines.extend(period.into_iter().map(|line| (line, Style::SMALL)));
    }
    // A line stays in one piece, unless it has more than a third of a page to say. What comes last is carried over.
    let foot = leading + 2.0 * PAD;
    let height = leading * f32::from(u8::try_from(lines.len()).unwrap_or(u8::MAX));
    if !sheet.fits(height.min(20.0 * leading) + foot) {
        turn(sheet, so_far, currency);
    }
    let y = sheet.y;
    // The numbers stand beside the first line, and are written behind the last one if it is on the same page.
    let numbers_behind = if sheet.fits(height + foot) { lines.len().max(1) } else { 1 };
    let or_blank = |text: Option<String>| text.unwrap_or_else(|| " ".to_owned());
    if lines.is_empty() {
        sheet.left(" ", LEFT, y, Style::TEXT, text);
        sheet.y += leading;
    }
    for number in 1..=lines.len().max(1) {
        if let Some((piece, style)) = lines.get(number - 1) {
            if !sheet.fits(leading + foot) {
                turn(sheet, so_far, currency);
            }
            sheet.put(Rc::clone(piece), LEFT, sheet.y, *style, text);
            sheet.y += style.leading();
        }
        if number == numbers_behind {
            sheet.right(&or_blank(line.quantity.map(grouped)), QUANTITY, y, Style::TEXT, quantity);
            sheet.right(&or_blank(unit_price(line, currency)), PRICE, y, Style::TEXT, price);
            sheet.right(&line.amount.text(currency), AMOUNT, y, Style::TEXT, amount);
        }
    }
    sheet.y += PAD - 1.0;
    sheet.rule(LEFT, sheet.y, 0.4, 215);
    sheet.y += PAD;
}

/// Goes on with the table on a new page.
fn turn(sheet: &mut Sheet, so_far: Amount, currency: Currency) {
    let style = Style { grey: 60, ..Style::TEXT };
    sheet.left("Carried over", LEFT, sheet.y, style, None);
    sheet.right(&so_far.text(currency), AMOUNT, sheet.y, style, None);
    sheet.break_page();
    columns_head(sheet, [None; 4]);
    sheet.left("Brought over", LEFT, sheet.y, style, None);
    sheet.right(&so_far.text(currency), AMOUNT, sheet.y, style, None);
    sheet.y += style.leading() + PAD - 1.0;
    sheet.rule(LEFT, sheet.y, 0.4, 215);
    sheet.y += PAD;
}

/// What one costs, or a million tokens.
fn unit_price(line: &Line, currency: Currency) -> Option<String> {
    let price = line.unit_price?;
    let per_million = match line.kind {
        LineKind::Usage { .. } | LineKind::Included => true,
        // By tiers a million tokens have a price, by packages each package.
        LineKind::Tiers => {
            line.quantity.is_some_and(|number| price.share(u128::from(number), 1).ok() != Some(line.exact))
        }
        LineKind::Base
        | LineKind::Seats
        | LineKind::Trial
        | LineKind::Cap
        | LineKind::Minimum
        | LineKind::Discount
        | LineKind::Adjustment => false,
    };
    Some(format!("{}{}", price.text(currency), if per_million { " / 1M" } else { "" }))
}

/// Writes what is added up: what each is called, its amount, and whether it stands out. It isn't torn apart.
pub(super) fn totals(sheet: &mut Sheet, rows: &[(String, String, bool)]) {
    let leading = Style::TEXT.leading() + 3.0;
    sheet.y += 6.0;
    sheet.room(leading * f32::from(u8::try_from(rows.len()).unwrap_or(u8::MAX)));
    let table = sheet.part(Role::Table, None);
    for (label, amount, stands_out) in rows {
        let row = sheet.part(Role::Row, table);
        let style = if *stands_out { Style { size: 10.0, ..Style::BOLD } } else { Style::TEXT };
        if *stands_out {
            sheet.rule(LABEL, sheet.y - 1.5, 0.9, 0);
            sheet.y += 2.0;
        }
        let (label_part, amount_part) = (sheet.part(Role::Head, row), sheet.part(Role::Cell, row));
        let room = if amount.is_empty() { RIGHT - LABEL } else { RIGHT - LABEL - 110.0 };
        let (line, fitted, _) = sheet.fitted(label, style, room);
        sheet.put(line, LABEL, sheet.y, fitted, label_part);
        let shown = if amount.is_empty() { " " } else { amount };
        sheet.right(shown, (RIGHT, 105.0), sheet.y, style, amount_part);
        sheet.y += leading;
    }
    sheet.y += 14.0;
}

/// With a comma before each three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
