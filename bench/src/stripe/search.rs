//! The search (docs.stripe.com/search): `status:'succeeded' AND metadata['invoice']:'inv_1'`. It doesn't find what was made
//! within the last [`World::search_lag`] seconds, as Stripe's doesn't.

use serde_json::{Value, json};

use super::list::limit;
use super::params::Params;
use super::problem::Problem;
use super::world::World;

/// `-field~"value"`.
struct Clause {
    negated: bool,
    path: Vec<String>,
    relation: &'static str,
    /// Without its quotes; `null` asks for what isn't there.
    value: String,
}

/// What of a kind a query finds.
pub(super) fn search(world: &World, mut params: Params, kind: &str, url: &str) -> Result<Value, Problem> {
    let query = params.needed("query")?;
    let page = params.text("page")?;
    let limit = limit(&mut params)?;
    params.finish()?;
    let (clauses, any) = parse(&query)
        .ok_or_else(|| Problem::combination(&format!("We were unable to parse your search query: {query}"), "query"))?;
    let start = match page {
        None => 0,
        Some(page) => page.parse().map_err(|_| Problem::combination("Invalid page", "page"))?,
    };
    let known = world.now() - world.search_lag;
    let fits = |object: &&Value| {
        let mut each = clauses.iter().map(|clause| clause.fits(object));
        let is_indexed = world.search_lag == 0 || object["created"].as_i64().is_some_and(|at| at <= known);
        is_indexed && if any { each.any(|fits| fits) } else { each.all(|fits| fits) }
    };
    let all: Vec<&Value> = world.all(kind).filter(fits).collect();
    let end = all.len().min(start + limit);
    let has_more = end < all.len();
    Ok(json!({
        "object": "search_result", "data": all.get(start..end).unwrap_or_default(), "has_more": has_more,
        "next_page": has_more.then(|| end.to_string()), "url": url,
    }))
}

impl Clause {
    fn fits(&self, object: &Value) -> bool {
        let found = self.path.iter().fold(object, |value, step| &value[step.as_str()]);
        let number = || found.as_i64().zip(self.value.parse::<i64>().ok());
        let fits = match (self.relation, found) {
            (":", Value::Null) => self.value == "null",
            (":", Value::String(text)) => *text == self.value,
            ("~", Value::String(text)) => text.contains(&self.value),
            (":", _) => number().is_some_and(|(is, wanted)| is == wanted),
            (">", _) => number().is_some_and(|(is, wanted)| is > wanted),
            ("<", _) => number().is_some_and(|(is, wanted)| is < wanted),
            (">=", _) => number().is_some_and(|(is, wanted)| is >= wanted),
            ("<=", _) => number().is_some_and(|(is, wanted)| is <= wanted),
            _ => false,
        };
        fits != self.negated
    }
}

/// The clauses, and whether any of them is enough.
fn parse(query: &str) -> Option<(Vec<Clause>, bool)> {
    let (mut clauses, mut words) = (Vec::new(), Vec::new());
    let mut rest = query.trim();
    while !rest.is_empty() {
        let (clause, after) = clause(rest)?;
        clauses.push(clause);
        rest = after.trim_start();
        for word in ["AND ", "OR "] {
            if let Some(after) = rest.strip_prefix(word) {
                words.push(word);
                rest = after.trim_start();
                break;
            }
        }
    }
    // Stripe doesn't let one query have both.
    let (and, or) = (words.contains(&"AND "), words.contains(&"OR "));
    let is_whole = words.len() + 1 == clauses.len();
    (is_whole && !(and && or)).then_some((clauses, or))
}

fn clause(text: &str) -> Option<(Clause, &str)> {
    let (negated, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let end = text.find([':', '~', '>', '<'])?;
    let (field, rest) = text.split_at(end);
    let relation = [">=", "<=", ":", "~", ">", "<"].into_iter().find(|relation| rest.starts_with(relation))?;
    let rest = &rest[relation.len()..];
    let path = field.split(['[', '.']).map(|step| step.trim_end_matches(']').trim_matches(['\'', '"']).to_owned());
    let path: Vec<_> = path.collect();
    if path.iter().any(String::is_empty) {
        return None;
    }
    let (value, rest) = value(rest)?;
    Some((Clause { negated, path, relation, value }, rest))
}

/// A quoted text, in which a backslash keeps a quote, or a bare word.
fn value(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next()?;
    if !['\'', '"'].contains(&quote) {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    }
    let (mut value, mut escaped) = (String::new(), false);
    for (at, character) in text.char_indices().skip(1) {
        match character {
            '\\' if !escaped => escaped = true,
            end if end == quote && !escaped => return Some((value, &text[at + 1..])),
            other => {
                value.push(other);
                escaped = false;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_finds_what_it_says() {
        let intent =
            json!({"status": "succeeded", "amount": 500, "metadata": {"invoice": "it's \"1\""}, "customer": null});
        let finds = |query: &str| {
            let (clauses, any) = parse(query).unwrap();
            let mut each = clauses.iter().map(|clause| clause.fits(&intent));
            if any { each.any(|fits| fits) } else { each.all(|fits| fits) }
        };
        assert!(finds(r#"metadata['invoice']:'it\'s "1"' AND status:'succeeded'"#));
        assert!(finds(r#"metadata["invoice"]:"it's \"1\"""#) && finds("amount>=500") && finds("customer:null"));
        assert!(finds("amount>600 OR status~\"succ\"") && finds("-status:'canceled'"));
        assert!(!finds("amount>500") && !finds("-amount:500") && !finds("metadata['run']:'1'"));
    }

    #[test]
    fn what_is_no_query_is_refused() {
        for query in ["", "status", "status:'open", "a:1 AND b:2 OR c:3", "status:'a' AND ", ":'x'"] {
            assert!(parse(query).is_none(), "{query}");
        }
    }
}
