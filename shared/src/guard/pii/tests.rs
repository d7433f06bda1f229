use crate::guard::tests::{guard, masked};
use serde_json::json;

fn mask(kind: &str, text: &str) -> String {
    masked(&guard(json!({"mask": [{"kind": kind}]})), text)
}

/// Each is found whole between other words, and at both ends of a text.
fn finds(kind: &str, examples: &[&str]) {
    let label = format!("[{}]", kind.to_uppercase());
    for example in examples {
        assert_eq!(mask(kind, example), label, "{example}");
        assert_eq!(mask(kind, &format!("see {example}, ok")), format!("see {label}, ok"), "{example}");
    }
}

fn leaves(kind: &str, examples: &[&str]) {
    for example in examples {
        assert_eq!(mask(kind, example), *example);
    }
}

#[test]
fn the_check_digit_of_a_card_must_be_right() {
    finds("credit_card", &["4111111111111111", "5555 5555 5555 4444", "3782-822463-10005", "6011000990139424"]);
    leaves("credit_card", &["4111111111111112", "5555 5555 5555 4443", "411111111111", "0000000000000000"]);
}

#[test]
fn digits_behind_a_card_are_not_part_of_it() {
    assert_eq!(mask("credit_card", "4111 1111 1111 1111 202"), "[CREDIT_CARD] 202");
    assert_eq!(mask("credit_card", "22 4111 1111 1111 1111"), "22 [CREDIT_CARD]");
    leaves("credit_card", &["41111111111111110000000000"]);
}

#[test]
fn the_check_digits_of_an_iban_must_be_right() {
    finds("iban", &["DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "gb82 west 1234 5698 7654 32"]);
    finds("iban", &["NO9386011117947", "MT84MALT011000012345MTLCAST001S"]);
    leaves("iban", &["DE88370400440532013000", "DE89 3704 0044", "AB12 hello there again"]);
}

#[test]
fn words_behind_an_iban_are_not_part_of_it() {
    assert_eq!(mask("iban", "DE89 3704 0044 0532 0130 00 is mine"), "[IBAN] is mine");
}

#[test]
fn an_email_address_ends_before_the_full_stop() {
    finds("email", &["bob@example.com", "a.b+c@sub.example.co.uk", "müller@bücher.de"]);
    assert_eq!(mask("email", "<bob@example.com>."), "<[EMAIL]>.");
    leaves("email", &["bob@", "@example.com", "bob@localhost", "3 @ 4.50"]);
}

#[test]
fn a_phone_number_has_a_country_code_or_separators() {
    finds("phone", &["+49 30 1234567", "+15551234567", "(555) 234-5678", "555-234-5678", "030/1234567"]);
    leaves("phone", &["5552345678", "2024-01-31", "x+1234567", "1,234,567.89"]);
}

#[test]
fn an_ip_address_is_one_that_parses() {
    finds("ip_address", &["192.168.0.1", "2001:db8::ff00:42:8329", "fe80::1:2:3", "::ffff:10.0.0.1"]);
    leaves("ip_address", &["256.1.1.1", "12:30:45", "std::net", "a::b", "aa:bb:cc:dd:ee:ff"]);
}

#[test]
fn a_social_security_number_is_one_that_is_given_out() {
    finds("ssn", &["123-45-6789", "123 45 6789"]);
    leaves("ssn", &["000-45-6789", "666-45-6789", "923-45-6789", "123-00-6789", "123-45-0000", "123-45 6789"]);
}

#[test]
fn an_address_on_the_web_ends_before_its_punctuation() {
    finds("url", &["https://example.com/a?b=c#d", "http://x.y", "www.example.com"]);
    assert_eq!(mask("url", "(see https://example.com/a)."), "(see [URL]).");
    leaves("url", &["example.com", "http//x"]);
}

#[test]
fn keys_of_well_known_services_are_found() {
    let token = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
    finds("api_key", &[&format!("sk-proj-{token}"), &format!("ghp_{token}"), "AKIAIOSFODNN7EXAMPLE"]);
    finds("api_key", &["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4"]);
    leaves("api_key", &["sk-short", "task-list-of-all-the-things-to-do", "AKIA"]);
}

#[test]
fn kinds_are_masked_in_their_own_order_before_patterns() {
    let guard = guard(json!({"mask": [{"name": "digits", "pattern": "[0-9]+"}, {"kind": "email"}, {"kind": "url"}]}));
    assert_eq!(masked(&guard, "https://x.y/?q=bob@example.com a1@b.cd 7"), "[URL] [EMAIL] [DIGITS]");
}
