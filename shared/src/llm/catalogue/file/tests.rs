use super::*;

const GOOD: &str = r#"[providers.a]
kind = "openai"
base_url = "http://127.0.0.1:1/v1/"

[models."a/small"]
provider = "a"
context_window = 1000
price = { input = 0.15, output = 1 }

[aliases]
default = "a/small"
"#;

fn broken(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from));
    parse(&GOOD.replace(from, to), Timestamp(0)).unwrap_err().to_string()
}

#[test]
fn a_good_file_is_read() {
    let catalogue = parse(GOOD, Timestamp(0)).unwrap();
    let (name, model) = catalogue.model("default").unwrap();
    assert_eq!((name, model.upstream.as_str()), ("a/small", "a/small"));
    assert_eq!(model.price.output, PricePerMillion(1_000_000_000));
    assert_eq!(model.price.cached_input, model.price.input);
    assert_eq!(catalogue.providers["a"].endpoints[0].base_url, "http://127.0.0.1:1/v1");
}

#[test]
fn what_is_wrong_is_named_with_line_and_key() {
    assert_eq!(
        broken("provider = \"a\"", "provider = \"b\""),
        "line 6, key `models.a/small.provider`: there is no provider `b`"
    );
    assert!(
        broken("context_window = 1000", "context_window = \"x\"")
            .starts_with("line 7, key `models.\"a/small\".context_window`")
    );
    assert!(broken("input = 0.15", "input = -1").starts_with("line 8, key `models.a/small.price.input`"));
    assert!(broken("= \"a/small\"", "= \"a/large\"").starts_with("line 11, key `aliases.default`"));
    assert!(broken("kind = \"openai\"", "kind = \"smoke\"").starts_with("line 2, key `providers.a.kind`"));
    for address in ["http://", "https://bücher.example", "http://a b"] {
        let problem = broken("http://127.0.0.1:1/v1", address);
        assert!(problem.contains("`providers.a.base_url`: is no address"), "{problem}");
    }
    assert!(broken("[aliases]", "[aliases").starts_with("line 10"));
    assert!(broken("context_window", "contxt_window").contains("contxt_window"));
}
