//! Invoices and credit notes as pages that a bookkeeper accepts. The same invoice is always the same bytes.

mod font;
mod head;
mod sheet;
mod sums;
mod table;
mod text;
mod write;

use self::{
    head::{Head, date, days},
    sheet::{Sheet, Style},
    sums::sums,
    table::table,
    write::{About, write},
};
use crate::{
    billing::{Amount, CreditNote, CreditSettlement, Invoice, InvoiceStatus, PaymentStatus},
    error::Result,
};

/// An invoice as PDF (PDF/A-2a, PDF/UA-1).
///
/// # Errors
/// `Internal` if its amounts overflow.
pub fn pdf(invoice: &Invoice) -> Result<Vec<u8>> {
    let stamp = match invoice.status {
        InvoiceStatus::Generating | InvoiceStatus::Draft => Some("DRAFT"),
        InvoiceStatus::Void => Some("VOID"),
        InvoiceStatus::Finalised => None,
    };
    let currency = invoice.currency;
    let mut sheet = Sheet::new();
    head::head(
        &mut sheet,
        &Head {
            title: stamp.map_or_else(|| "Invoice".to_owned(), |stamp| format!("Invoice ({})", stamp.to_lowercase())),
            seller: &invoice.seller,
            buyer: &invoice.buyer,
            buyer_label: "Billed to",
            facts: [
                Some(("Invoice number", invoice.number.clone().unwrap_or_else(|| "none yet".to_owned()))),
                Some(("Date", invoice.finalised_at.map_or_else(|| "none yet".to_owned(), date))),
                invoice.month().map(|month| ("Period of service", days(month.start(), month.end()))),
                invoice.due_at.map(|at| ("Payable by", date(at))),
                Some(("Currency", currency.to_string())),
                invoice.buyer.reference.clone().map(|reference| ("Your reference", reference)),
            ],
        },
    );
    table(&mut sheet, &invoice.lines, invoice.month(), currency)?;
    let tax = &invoice.tax;
    let mut rows = sums(invoice.subtotal, tax, invoice.total, currency);
    if invoice.from_credit != Amount::ZERO {
        let credit = invoice.from_credit.negated().text(currency);
        rows.push(("Paid from prepaid credit".to_owned(), credit, false));
    }
    rows.push((format!("Amount due in {currency}"), invoice.due.text(currency), true));
    table::totals(&mut sheet, &rows);
    for note in notes(invoice)? {
        sheet.paragraph(&note, Style::TEXT);
    }
    bank(&mut sheet, invoice)?;
    write(
        sheet,
        &About {
            title: match &invoice.number {
                Some(number) => format!("Invoice {number}, {}", invoice.seller.name),
                None => format!("Draft of an invoice for {}, {}", invoice.period, invoice.seller.name),
            },
            author: &invoice.seller.name,
            date: invoice.finalised_at.unwrap_or(invoice.created_at),
            id: invoice.id.to_string(),
            stamp,
            foot: invoice.seller.footer.as_deref(),
        },
    )
}

/// A credit note as PDF (PDF/A-2a, PDF/UA-1).
///
/// # Errors
/// `Internal` if its amounts overflow.
pub fn pdf_of_note(note: &CreditNote) -> Result<Vec<u8>> {
    let currency = note.currency;
    let mut sheet = Sheet::new();
    head::head(
        &mut sheet,
        &Head {
            title: "Credit note".to_owned(),
            seller: &note.seller,
            buyer: &note.buyer,
            buyer_label: "Credited to",
            facts: [
                Some(("Credit note number", note.number.clone())),
                Some(("Date", date(note.created_at))),
                Some(("Takes back invoice", note.invoice_number.clone())),
                Some(("Currency", currency.to_string())),
                note.buyer.reference.clone().map(|reference| ("Your reference", reference)),
                None,
            ],
        },
    );
    sheet.paragraph(&format!("Credit on invoice {}: {}", note.invoice_number, note.reason), Style::TEXT);
    sheet.y += 8.0;
    table::totals(&mut sheet, &sums(note.subtotal, &note.tax, note.total, currency));
    if let Some(said) = &note.tax.note {
        sheet.paragraph(said, Style::TEXT);
    }
    sheet.paragraph(
        match note.settlement {
            CreditSettlement::Due => "Less of the invoice is due by this total.",
            CreditSettlement::Credit => "The total becomes prepaid credit, which pays later invoices.",
            CreditSettlement::Refund => "The total is paid back the way that it was paid.",
        },
        Style::TEXT,
    );
    write(
        sheet,
        &About {
            title: format!("Credit note {}, {}", note.number, note.seller.name),
            author: &note.seller.name,
            date: note.created_at,
            id: note.id.to_string(),
            stamp: None,
            foot: note.seller.footer.as_deref(),
        },
    )
}

/// What is to be said below the amounts.
fn notes(invoice: &Invoice) -> Result<Vec<String>> {
    let currency = invoice.currency;
    let mut notes: Vec<String> = invoice.tax.note.iter().cloned().collect();
    notes.extend(payment(invoice)?);
    for (label, amount) in
        [("Paid", invoice.paid), ("Paid back", invoice.refunded), ("Taken back by credit notes", invoice.credited)]
    {
        if amount != Amount::ZERO {
            notes.push(format!("{label}: {} {currency}.", amount.text(currency)));
        }
    }
    if invoice.carried != Amount::ZERO {
        let carried = invoice.carried.text(currency);
        notes.push(format!("Balance carried to the next invoice: {carried} {currency} before tax."));
    }
    let plans: Vec<String> = invoice.plans.iter().map(|plan| version(plan)).collect();
    if !plans.is_empty() {
        notes.push(format!("Plan: {}. Requests: {}.", plans.join("; "), table::grouped(invoice.entries)));
    }
    Ok(notes)
}

/// A version of a plan, of its `name@effective`.
fn version(plan: &str) -> String {
    match plan.split_once('@') {
        Some((name, effective)) => format!("{name}, version of {}", effective.chars().take(10).collect::<String>()),
        None => plan.to_owned(),
    }
}

/// What became of its payment.
fn payment(invoice: &Invoice) -> Result<Option<String>> {
    let said = match (invoice.status, invoice.payment) {
        (InvoiceStatus::Generating | InvoiceStatus::Draft, _) => {
            "This is a draft. It can still change, and nothing is to be paid."
        }
        (InvoiceStatus::Void, _) => {
            let why = invoice.void_for.as_deref().unwrap_or("no reason given");
            return Ok(Some(format!("This invoice is void, and counts for nothing: {why}.")));
        }
        (InvoiceStatus::Finalised, PaymentStatus::Pending) => return to_pay(invoice).map(Some),
        (InvoiceStatus::Finalised, PaymentStatus::ActionRequired) => {
            "Payment status: waits for the buyer to confirm the payment."
        }
        (InvoiceStatus::Finalised, PaymentStatus::Failed) => "Payment status: the last payment failed.",
        (InvoiceStatus::Finalised, PaymentStatus::Paid) => "Payment status: paid.",
        (InvoiceStatus::Finalised, PaymentStatus::Uncollectible) => "Payment status: not paid, and given up.",
        (InvoiceStatus::Finalised, PaymentStatus::None) => return Ok(None),
    };
    Ok(Some(said.to_owned()))
}

fn to_pay(invoice: &Invoice) -> Result<String> {
    let currency = invoice.currency;
    let by = invoice.due_at.map(|at| format!(" by {}", date(at))).unwrap_or_default();
    Ok(format!("Payment status: {} {currency} to be paid{by}.", invoice.open()?.text(currency)))
}

/// Where to pay, as long as there is something to pay.
fn bank(sheet: &mut Sheet, invoice: &Invoice) -> Result<()> {
    let payable = invoice.status == InvoiceStatus::Finalised && invoice.open()? > Amount::ZERO;
    let Some(number) = invoice.number.as_deref().filter(|_| payable && !invoice.seller.bank.is_empty()) else {
        return Ok(());
    };
    sheet.y += 6.0;
    sheet.room(Style::TEXT.leading() * 4.0);
    sheet.paragraph("By bank transfer to", Style::BOLD);
    for line in &invoice.seller.bank {
        sheet.paragraph(line, Style::TEXT);
    }
    sheet.paragraph(&format!("Reference: {number}"), Style::TEXT);
    Ok(())
}
