use serde_json::{Value, json};

use super::{error_word, form, id_token::Claims};
use crate::clock::Timestamp;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn check(change: impl FnOnce(&mut Value)) -> Result<(), String> {
    let mut claims = json!({
        "iss": "https://id.example", "sub": "1", "aud": "lmo", "nonce": "n", "exp": 1_800_000_100, "iat": 1_799_999_990,
    });
    change(&mut claims);
    let claims: Claims = serde_json::from_value(claims).unwrap();
    claims.check("https://id.example", "lmo", "n", NOW).map_err(|error| error.to_string())
}

#[test]
fn clocks_may_be_a_minute_apart() {
    assert!(check(|_| ()).is_ok());
    assert!(check(|claims| claims["exp"] = json!(1_799_999_941)).is_ok());
    assert!(check(|claims| claims["exp"] = json!(1_799_999_940)).unwrap_err().contains("expired"));
    assert!(check(|claims| claims["iat"] = json!(1_800_000_060)).is_ok());
    assert!(check(|claims| claims["iat"] = json!(1_800_000_061)).unwrap_err().contains("future"));
}

#[test]
fn a_token_for_several_names_us_as_the_party_that_it_is_for() {
    assert!(check(|claims| claims["aud"] = json!(["lmo"])).is_ok());
    assert!(check(|claims| claims["aud"] = json!(["lmo", "other"])).is_err());
    assert!(check(|claims| (claims["aud"], claims["azp"]) = (json!(["lmo", "other"]), json!("lmo"))).is_ok());
    assert!(check(|claims| (claims["aud"], claims["azp"]) = (json!(["other"]), json!("lmo"))).is_err());
}

#[test]
fn what_a_token_does_not_say_is_not_assumed() {
    for claim in ["iss", "aud", "exp", "nonce"] {
        let without = check(|claims| drop(claims.as_object_mut().unwrap().remove(claim)));
        assert!(without.is_err(), "{claim}");
    }
}

#[test]
fn a_form_is_encoded_and_an_error_is_a_word() {
    assert_eq!(form(&[("a", "b&c=d +ü")].into()), "a=b%26c%3Dd+%2B%C3%BC");
    assert_eq!(error_word("access_denied<script>\r\n"), "access_deniedscript");
    assert_eq!(error_word(&"x".repeat(1000)).len(), 40);
}
