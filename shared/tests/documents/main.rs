//! Invoices and credit notes as documents: what they say, as goldens, and what they are made of.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod made_up;
mod paper;

use lmo_shared::billing::{
    Amount, Currency, Invoice, InvoiceStatus, LineKind, PaymentStatus, Percent, TaxLine, TokenKind,
    document::{CreditNoteView, InvoiceView, csv, pdf, pdf_of_note},
};
use made_up::{amount, at, currency, invoice, line, long, note, usage, usual};
use paper::Paper;

/// The golden of an invoice: what its PDF says, and its JSON.
fn golden(name: &str, invoice: &Invoice) -> Paper {
    let paper = Paper::of(name, &pdf(invoice).unwrap());
    insta::assert_snapshot!(format!("{name}.pdf"), paper.text());
    insta::assert_json_snapshot!(format!("{name}.json"), InvoiceView::from(invoice));
    paper
}

#[test]
fn a_usual_invoice_says_all_that_it_must() {
    let paper = golden("usual", &usual());
    assert_eq!(paper.pages(), 1);
    insta::assert_snapshot!("usual.csv", csv(&usual()));
}

#[test]
fn a_long_invoice_carries_its_sum_over_from_page_to_page() {
    let paper = golden("long", &long(60));
    assert!(paper.pages() > 1);
    let text = paper.text();
    let pages_of_lines = text.matches("Description").count();
    assert!(pages_of_lines > 1);
    for label in ["Carried over", "Brought over"] {
        assert_eq!(text.matches(label).count(), pages_of_lines - 1);
    }
}

#[test]
fn two_thousand_lines_are_all_there() {
    let paper = Paper::of("longest", &pdf(&long(2_000)).unwrap());
    let text = paper.text();
    for model in 0..1_000 {
        assert!(text.contains(&format!("model-{model:03}, output tokens")), "{model}");
    }
    assert!(text.contains(&format!("Page 1 of {}", paper.pages())));
}

#[test]
fn yen_have_no_decimals_and_dinars_three() {
    let yen = currency("JPY");
    golden("yen", &invoice(yen, vec![usage("gpt-5", TokenKind::Input, 7_654_321, "187.5", yen)]));
    let dinar = currency("KWD");
    golden("dinar", &invoice(dinar, vec![usage("gpt-5", TokenKind::Input, 7_654_321, "0.3845", dinar)]));
}

#[test]
fn reverse_charge_says_who_owes_the_tax() {
    let invoice = usual();
    let note = "Reverse charge: the recipient is liable for the tax (Article 196 of Directive 2006/112/EC).".to_owned();
    let tax = TaxLine { name: "VAT".to_owned(), rate: Percent::ZERO, note: Some(note), ..TaxLine::default() };
    let due = invoice.subtotal.minus(invoice.from_credit).unwrap();
    golden("reverse-charge", &Invoice { tax, total: invoice.subtotal, due, ..invoice });
}

#[test]
fn what_is_left_of_an_adjustment_is_carried() {
    let eur = Currency::EUR;
    let usage = usage("gpt-5", TokenKind::Output, 4_000_000, "9.2", eur);
    let adjustment = line(LineKind::Adjustment, "Correction of 2026-10", usage.amount.negated());
    let mut part = line(LineKind::Base, "Team", Amount::ZERO);
    (part.from, part.to) = (at("2026-11-01"), at("2026-11-12T10:30:00Z"));
    let invoice = invoice(eur, vec![part, usage, adjustment]);
    let payment = PaymentStatus::Paid;
    golden("carried", &Invoice { carried: amount("-13.2"), payment, ..invoice });
}

#[test]
fn names_of_other_scripts_are_written_in_them() {
    for (name, buyer) in [
        ("greek", "Ελληνική Εταιρεία Πληροφορικής Α.Ε."),
        ("cyrillic", "ООО «Звёздный путь» — Київ"),
        ("vietnamese", "Công ty Trách nhiệm Hữu hạn Trí Tuệ Việt"),
        ("japanese", "株式会社データ分析研究所"),
        ("chinese", "上海智能科技有限公司 / 臺灣資訊股份有限公司"),
        ("korean", "주식회사 한국데이터"),
        ("hebrew", "חברת הנתונים בע\"מ (Data 2000)"),
        ("arabic", "شركة تحليل البيانات 2026"),
        ("devanagari", "भारतीय सूचना प्रौद्योगिकी"),
        ("thai", "บริษัท ข้อมูลไทย จำกัด"),
    ] {
        let mut invoice = usual();
        invoice.buyer.name = buyer.to_owned();
        let paper = Paper::of(name, &pdf(&invoice).unwrap());
        paper.check();
        let text = paper.text();
        let (_, behind) = text.split_once("Billed to").unwrap();
        let (said, _) = behind.split_once("12, rue").unwrap();
        // The reader knows nothing of joined letters and of directions, so it has their order its own way.
        for letter in buyer.chars() {
            assert!(said.contains(letter), "{letter} of {buyer} isn't in {said}");
        }
    }
}

#[test]
fn no_text_is_too_odd_for_an_invoice() {
    let odd = [
        "",
        " ",
        "\u{1f600}\u{1f468}\u{200d}\u{1f469} \u{10ffff}\u{e000}\u{fffe}\u{feff}\0\u{7}",
        "\u{202e}evil\u{202c} \u{301}\u{301}",
        "ᠮᠣᠩᠭᠣᠯ ကခဂ ᚠᚢᚦ",
        "a\tb\r\nc\u{2028}d",
        &"Donaudampfschifffahrtselektrizitäten".repeat(40),
        &"株式会社".repeat(200),
        "क्षि\u{200d} بِسْمِ שָׁלוֹם",
    ];
    for text in odd {
        let mut invoice = usual();
        invoice.buyer.name = text.to_owned();
        invoice.buyer.address = vec![text.to_owned(); 2];
        invoice.seller.footer = Some(text.to_owned());
        invoice.lines.push(line(LineKind::Adjustment, text, Amount::ZERO));
        Paper::of("odd", &pdf(&invoice).unwrap()).check();
    }
}

#[test]
fn a_draft_and_a_void_invoice_are_marked() {
    let draft = Invoice {
        number: None,
        status: InvoiceStatus::Draft,
        payment: PaymentStatus::None,
        finalised_at: None,
        due_at: None,
        ..usual()
    };
    assert!(golden("draft", &draft).text().contains("DRAFT"));
    let why = Some("the address was wrong".to_owned());
    let void = Invoice { status: InvoiceStatus::Void, payment: PaymentStatus::None, void_for: why, ..usual() };
    assert!(golden("void", &void).text().contains("VOID"));
}

#[test]
fn a_credit_note_says_what_it_takes_back() {
    let paper = Paper::of("credit-note", &pdf_of_note(&note()).unwrap());
    paper.check();
    insta::assert_snapshot!("credit-note.pdf", paper.text());
    insta::assert_json_snapshot!("credit-note.json", CreditNoteView::from(&note()));
}

#[test]
fn the_same_invoice_is_the_same_bytes_and_small() {
    let first = pdf(&usual()).unwrap();
    assert_eq!(first, pdf(&usual()).unwrap());
    assert!(first.len() < 100_000, "{} bytes", first.len());
    let paper = Paper::of("usual", &first);
    paper.check();
    assert_eq!(paper.created(), "D:20261202001500Z");
}
