use super::*;
use crate::id::TenantId;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const DAY: Duration = Duration::from_hours(24);

fn new() -> NewKey {
    NewKey::make(TenantId::new(NOW), NOW)
}

fn key() -> (ApiKey, NewKey) {
    let new = new();
    (ApiKey::of(&new, "robot", BTreeSet::from([KeyScope::Query]), NOW), new)
}

fn opens(key: &ApiKey, new: &NewKey, at: Timestamp) -> bool {
    key.is_opened_by(&PresentedKey::parse(&new.text).unwrap(), at)
}

#[test]
fn the_secret_before_is_good_until_the_overlap_ends() {
    let (mut key, first) = key();
    let second = new();
    key.rotate(&second, DAY, NOW).unwrap();
    let last = Timestamp(NOW.after(DAY).0 - 1);
    assert!(opens(&key, &first, last) && opens(&key, &second, last));
    assert!(!opens(&key, &first, NOW.after(DAY)) && opens(&key, &second, NOW.after(DAY)));
}

#[test]
fn during_an_overlap_only_what_ends_it_rotates() {
    let (mut key, first) = key();
    let (second, third) = (new(), new());
    key.rotate(&second, DAY, NOW).unwrap();
    let before = key.clone();
    assert!(matches!(key.rotate(&third, DAY, NOW), Err(Error::Conflict(_))));
    assert_eq!(key, before);
    key.rotate(&third, Duration::ZERO, NOW).unwrap();
    assert!(opens(&key, &third, NOW) && !opens(&key, &second, NOW) && !opens(&key, &first, NOW));
    assert_eq!(key.previous, None);
}

#[test]
fn after_an_overlap_it_rotates_again() {
    let (mut key, first) = key();
    let (second, third) = (new(), new());
    key.rotate(&second, DAY, NOW).unwrap();
    let later = NOW.after(DAY);
    key.rotate(&third, DAY, later).unwrap();
    assert!(opens(&key, &third, later) && opens(&key, &second, later) && !opens(&key, &first, later));
}

#[test]
fn a_revoked_key_does_not_rotate() {
    let (mut key, _) = key();
    key.revoked_at = Some(NOW);
    assert!(matches!(key.rotate(&new(), Duration::ZERO, NOW), Err(Error::Conflict(_))));
}

#[test]
fn no_secret_and_no_hash_is_shown() {
    let (mut key, first) = key();
    key.rotate(&new(), DAY, NOW).unwrap();
    let shown = key.shown().to_string();
    assert!(!shown.contains(&first.secret_hash) && !shown.contains(&key.secret_hash), "{shown}");
    assert!(shown.contains("previous_until"));
}

#[test]
fn its_use_is_noted_once_an_hour() {
    let (mut key, _) = key();
    assert!(key.is_to_be_noted(NOW));
    key.last_used_at = Some(NOW);
    assert!(!key.is_to_be_noted(NOW.after(Duration::from_mins(59))));
    assert!(key.is_to_be_noted(NOW.after(Duration::from_hours(1))));
}

#[test]
fn an_address_that_is_not_known_is_in_no_list() {
    let (mut key, _) = key();
    assert!(key.may_call_from(None));
    key.allowed_addresses = AddressRange::parse("203.0.113.0/24").map(|range| vec![range]);
    assert!(key.may_call_from("203.0.113.5".parse().ok()));
    assert!(!key.may_call_from("198.51.100.5".parse().ok()) && !key.may_call_from(None));
}

#[test]
fn what_exceeds_a_key_is_named() {
    let list = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    let range = |text| AddressRange::parse(text).map(|range| vec![range]);
    let limits = |monthly_tokens| Limits { monthly_tokens, ..Limits::default() };
    let own = ApiKey {
        limits: limits(Some(100)),
        expires_at: Some(NOW),
        allowed_models: list(&["a", "b"]),
        allowed_tools: list(&["read_*", "search"]),
        allowed_addresses: range("10.0.0.0/8"),
        ..key().0
    };
    let with = |change: fn(&mut ApiKey)| {
        let mut other = own.clone();
        change(&mut other);
        own.exceeded_by(&other)
    };
    assert_eq!(with(|_| {}), None);
    assert_eq!(with(|key| key.limits.requests_per_minute = Some(1)), None);
    assert_eq!(with(|key| key.limits.monthly_tokens = Some(101)), Some("limits"));
    assert_eq!(with(|key| key.limits.monthly_tokens = None), Some("limits"));
    assert_eq!(with(|key| key.expires_at = None), Some("expires_at"));
    assert_eq!(with(|key| key.expires_at = Some(NOW.after(DAY))), Some("expires_at"));
    assert_eq!(with(|key| key.allowed_models = Some(Vec::new())), None);
    assert_eq!(with(|key| key.allowed_models = Some(vec!["c".to_owned()])), Some("allowed_models"));
    assert_eq!(with(|key| key.allowed_models = None), Some("allowed_models"));
    assert_eq!(with(|key| key.allowed_tools = Some(vec!["read_a".to_owned(), "read_b*".to_owned()])), None);
    assert_eq!(with(|key| key.allowed_tools = Some(vec!["re*".to_owned()])), Some("allowed_tools"));
    assert_eq!(with(|key| key.allowed_tools = Some(vec!["search*".to_owned()])), Some("allowed_tools"));
    let narrow = ApiKey { allowed_addresses: range("10.9.0.0/16"), ..own.clone() };
    assert_eq!(own.exceeded_by(&narrow), None);
    assert_eq!(narrow.exceeded_by(&own), Some("allowed_addresses"));
}

#[test]
fn a_key_without_bounds_bounds_nobody() {
    let (free, _) = key();
    let other = ApiKey { limits: Limits { monthly_tokens: Some(1), ..Limits::default() }, ..key().0 };
    assert_eq!(free.exceeded_by(&other), None);
    assert_eq!(other.exceeded_by(&free), Some("limits"));
}
