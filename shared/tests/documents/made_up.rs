//! Invoices for the goldens and the benchmark: made up, but adding up.

use lmo_shared::{
    billing::{
        Amount, Collection, CreditNote, CreditSettlement, Currency, Invoice, InvoiceStatus, Line, LineKind,
        PaymentStatus, Percent, Profile, Seller, TaxLine, TokenKind, sum,
    },
    clock::Timestamp,
    id::{CreditNoteId, InvoiceId, TenantId},
};

pub fn amount(text: &str) -> Amount {
    Amount::parse(text).expect("an amount")
}

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}

pub fn currency(code: &str) -> Currency {
    Currency::parse(code).expect("a currency")
}

pub fn seller() -> Seller {
    let lines = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect();
    Seller {
        name: "Lumen Models GmbH".to_owned(),
        address: lines(&["Torstraße 140", "10119 Berlin"]),
        country: "DE".to_owned(),
        tax_id: Some("DE301234567".to_owned()),
        email: Some("billing@lumen.example".to_owned()),
        bank: lines(&["Lumen Models GmbH", "IBAN DE02 1203 0000 0000 2020 51", "BIC BYLADEM1001"]),
        footer: Some(
            "Managing director: Ada Beispiel. Commercial register: Amtsgericht Berlin, HRB 123456.".to_owned(),
        ),
    }
}

pub fn buyer() -> Profile {
    Profile {
        name: "Acme Analytics S.à r.l.".to_owned(),
        address: vec!["12, rue de l'Église".to_owned(), "1234 Luxembourg".to_owned()],
        country: Some("LU".to_owned()),
        tax_id: Some("LU12345678".to_owned()),
        reference: Some("PO 4711 / cost centre 90".to_owned()),
        ..Profile::default()
    }
}

pub fn line(kind: LineKind, text: &str, amount: Amount) -> Line {
    let (from, to) = (at("2026-11-01"), at("2026-12-01"));
    Line { kind, text: text.to_owned(), quantity: None, unit_price: None, exact: amount, amount, from, to }
}

/// Tokens of a model, rated.
pub fn usage(model: &str, tokens: TokenKind, quantity: u64, price: &str, currency: Currency) -> Line {
    let price = amount(price);
    let exact = price.share(u128::from(quantity), 1_000_000).expect("no overflow");
    let kind = LineKind::Usage { model: model.to_owned(), tokens };
    Line {
        quantity: Some(quantity),
        unit_price: Some(price),
        exact,
        ..line(kind, &format!("{model}, {tokens}"), exact.rounded(currency))
    }
}

/// An invoice of these lines, with 19 % on top, finalised.
pub fn invoice(currency: Currency, lines: Vec<Line>) -> Invoice {
    let subtotal = sum(lines.iter().map(|line| line.amount)).expect("no overflow");
    let rate = Percent::parse("19").expect("a rate");
    let taxed = |amount| rate.of(amount).expect("no overflow").rounded(currency);
    let tax = taxed(subtotal);
    let each = sum(lines.iter().map(|line| taxed(line.amount))).expect("no overflow");
    let total = subtotal.plus(tax).expect("no overflow");
    Invoice {
        id: InvoiceId::parse("inv_01KC0000000000000000000000").expect("an id"),
        tenant: TenantId::parse("tnt_01KC0000000000000000000000").expect("an id"),
        period: "2026-11".to_owned(),
        number: Some("LMO-2026-000042".to_owned()),
        status: InvoiceStatus::Finalised,
        payment: PaymentStatus::Pending,
        currency,
        seller: seller(),
        buyer: buyer(),
        lines,
        subtotal,
        tax: TaxLine {
            name: "VAT".to_owned(),
            rate,
            amount: tax,
            per_line_difference: each.minus(tax).expect("no overflow"),
            note: None,
        },
        total,
        from_credit: Amount::ZERO,
        credit_used: Vec::new(),
        due: total,
        paid: Amount::ZERO,
        refunded: Amount::ZERO,
        credited: Amount::ZERO,
        credited_as_credit: Amount::ZERO,
        credited_subtotal: Amount::ZERO,
        late: Amount::ZERO,
        carried: Amount::ZERO,
        plans: vec!["team@2026-01-01T00:00:00Z".to_owned()],
        entries: 18_204,
        books: None,
        created_at: at("2026-12-01T01:00:00Z"),
        finalised_at: Some(at("2026-12-02T00:15:00Z")),
        due_at: Some(at("2026-12-16T00:15:00Z")),
        void_for: None,
        attempts: 0,
        collection: Collection::default(),
        version: 3,
    }
}

/// A fee, members, and a few models.
pub fn usual() -> Invoice {
    let eur = Currency::EUR;
    let base = Line { unit_price: Some(amount("49")), ..line(LineKind::Base, "Team", amount("49")) };
    let seats = Line {
        quantity: Some(7),
        unit_price: Some(amount("12.5")),
        ..line(LineKind::Seats, "Members", amount("87.5"))
    };
    let discount = line(LineKind::Discount, "Coupon WELCOME10: 10 %", amount("-21.67"));
    let lines = vec![
        base,
        seats,
        usage("claude-opus-4-1", TokenKind::Input, 1_234_567, "13.8", eur),
        usage("claude-opus-4-1", TokenKind::Output, 456_789, "69", eur),
        usage("claude-opus-4-1", TokenKind::CacheWrite1h, 98_765, "27.6", eur),
        usage("gpt-5-mini", TokenKind::CachedInput, 45_678_901, "0.023", eur),
        usage("gpt-5-mini", TokenKind::Input, 12_345_678, "0.23", eur),
        discount,
    ];
    let invoice = invoice(eur, lines);
    let due = invoice.total.minus(amount("25")).expect("no overflow");
    Invoice { from_credit: amount("25"), due, ..invoice }
}

/// So many lines of usage.
pub fn long(number: u64) -> Invoice {
    let eur = Currency::EUR;
    let lines = (0..number).map(|number| {
        let model = format!("model-{:03}", number / 2);
        let tokens = if number % 2 == 0 { TokenKind::Input } else { TokenKind::Output };
        usage(&model, tokens, 1_000_003 * (number + 1), "2.718281828", eur)
    });
    invoice(eur, lines.collect())
}

pub fn note() -> CreditNote {
    let invoice = usual();
    CreditNote {
        id: CreditNoteId::parse("crn_01KC0000000000000000000000").expect("an id"),
        tenant: invoice.tenant,
        number: "LMO-CN-2026-000003".to_owned(),
        invoice: invoice.id,
        invoice_number: "LMO-2026-000042".to_owned(),
        reason: "The service was down on 2026-11-12 from 10:00 to 14:00 UTC".to_owned(),
        currency: invoice.currency,
        seller: invoice.seller,
        buyer: invoice.buyer,
        subtotal: amount("50"),
        tax: TaxLine { amount: amount("9.5"), per_line_difference: Amount::ZERO, ..invoice.tax },
        total: amount("59.5"),
        settlement: CreditSettlement::Refund,
        created_at: at("2026-12-10T09:00:00Z"),
    }
}
