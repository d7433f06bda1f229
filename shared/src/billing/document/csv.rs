//! An invoice as CSV (RFC 4180): its lines, and below them what is added up.

use crate::billing::{Amount, Invoice, Line};

const HEAD: &str = "number,period,kind,text,from,to,quantity,unit_price,amount,currency";

/// An invoice's lines, subtotal, tax, total, credit and what is due, one a line.
#[must_use]
pub fn csv(invoice: &Invoice) -> String {
    let mut csv = format!("{HEAD}\r\n");
    for line in &invoice.lines {
        row(&mut csv, invoice, &kind_of(line), line, line.amount);
    }
    let sums = [
        ("subtotal", "Subtotal".to_owned(), invoice.subtotal),
        ("tax", format!("{} {} %", invoice.tax.name, invoice.tax.rate), invoice.tax.amount),
        ("total", "Total".to_owned(), invoice.total),
        ("credit", "Paid from credit".to_owned(), invoice.from_credit.negated()),
        ("due", "Due".to_owned(), invoice.due),
    ];
    for (kind, text, amount) in sums {
        let cells = [kind.to_owned(), cell(text.trim()), String::new(), String::new(), String::new(), String::new()];
        push(&mut csv, invoice, &cells, amount);
    }
    csv
}

fn row(csv: &mut String, invoice: &Invoice, kind: &str, line: &Line, amount: Amount) {
    let cells = [
        kind.to_owned(),
        cell(&line.text),
        line.from.to_string(),
        line.to.to_string(),
        line.quantity.map(|quantity| quantity.to_string()).unwrap_or_default(),
        line.unit_price.map(|price| price.to_string()).unwrap_or_default(),
    ];
    push(csv, invoice, &cells, amount);
}

fn push(csv: &mut String, invoice: &Invoice, cells: &[String], amount: Amount) {
    let number = cell(invoice.number.as_deref().unwrap_or_default());
    let row = format!(
        "{number},{},{},{},{}",
        invoice.period,
        cells.join(","),
        amount.text(invoice.currency),
        invoice.currency
    );
    csv.push_str(&row);
    csv.push_str("\r\n");
}

fn kind_of(line: &Line) -> String {
    let kind = serde_json::to_value(&line.kind).ok();
    kind.and_then(|kind| kind.get("kind")?.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A text in quotes. One that a spreadsheet would take for a formula is made to be none (OWASP, "CSV Injection").
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if text.is_empty() { String::new() } else { format!("\"{guard}{}\"", text.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_text() {
        assert_eq!(cell("=1+1"), "\"'=1+1\"");
        assert_eq!(cell("a\"b,c"), "\"a\"\"b,c\"");
        assert_eq!(cell(""), "");
    }
}
