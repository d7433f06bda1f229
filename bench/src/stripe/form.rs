//! Bodies and queries in Stripe's form encoding, as a tree: `a[b]=1` is an object, `a[]=1` and `a[0]=1` are lists, which
//! are objects with numbers as names until somebody takes them as what they are.

use serde_json::{Map, Value};

use super::problem::Problem;

/// The tree of a form.
pub(super) fn decode(text: &[u8]) -> Result<Map<String, Value>, Problem> {
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_bytes(text).map_err(|_| Problem::request("The form can't be decoded."))?;
    let mut root = Map::new();
    for (name, value) in pairs {
        let steps = steps(&name).ok_or_else(|| Problem::unknown_parameter(&name))?;
        insert(&mut root, &steps, value).ok_or_else(|| Problem::unknown_parameter(&name))?;
    }
    Ok(root)
}

/// `a[b][]` is `a`, `b` and nothing.
fn steps(name: &str) -> Option<Vec<&str>> {
    let Some((first, rest)) = name.split_once('[') else { return Some(vec![name]) };
    let inner = rest.strip_suffix(']')?;
    let mut steps = vec![first];
    steps.extend(inner.split("]["));
    Some(steps)
}

fn insert(into: &mut Map<String, Value>, steps: &[&str], value: String) -> Option<()> {
    let (first, rest) = steps.split_first()?;
    let name = if first.is_empty() { into.len().to_string() } else { (*first).to_owned() };
    if rest.is_empty() {
        into.insert(name, Value::String(value));
        return Some(());
    }
    let next = into.entry(name).or_insert_with(|| Value::Object(Map::new()));
    insert(next.as_object_mut()?, rest, value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nested_names_make_a_tree() {
        let form = "amount=5&metadata%5Binvoice%5D=inv+1&types[]=card&types[]=link&a[0][b]=%C3%BC&empty=";
        let tree = json!({
            "amount": "5", "metadata": {"invoice": "inv 1"}, "types": {"0": "card", "1": "link"}, "a": {"0": {"b": "ü"}},
            "empty": "",
        });
        assert_eq!(Value::Object(decode(form.as_bytes()).unwrap()), tree);
    }

    #[test]
    fn a_name_that_does_not_close_or_fit_is_refused() {
        for form in ["a[b=1", "a=1&a[b]=2"] {
            assert!(decode(form.as_bytes()).is_err(), "{form}");
        }
    }
}
