//! Lists, the newest first, by cursors (API reference, "Pagination").

use serde_json::{Value, json};

use super::params::Params;
use super::problem::Problem;
use super::world::World;

/// What is on one page.
struct Page {
    limit: usize,
    after: Option<String>,
    before: Option<String>,
    created: Vec<(&'static str, i64)>,
}

/// A list of a kind whose fields are what the parameters of the same names say.
pub(super) fn by(
    world: &World,
    mut params: Params,
    kind: &str,
    filters: &[&'static str],
    url: &str,
) -> Result<Value, Problem> {
    let mut wanted = Vec::new();
    for name in filters {
        wanted.extend(params.text(name)?.map(|value| (*name, value)));
    }
    let fits = |object: &Value| wanted.iter().all(|(name, value)| object[*name] == value.as_str());
    of(world, params, kind, url, fits)
}

/// Events, of some types or all.
pub(super) fn events(world: &World, mut params: Params) -> Result<Value, Problem> {
    let mut kinds = params.list("types")?.unwrap_or_default();
    kinds.extend(params.text("type")?);
    let fits = |event: &Value| {
        kinds.is_empty() || kinds.iter().any(|kind| event["type"].as_str().is_some_and(|is| matches(kind, is)))
    };
    of(world, params, "event", "/v1/events", fits)
}

/// `payment_intent.*` is all types that begin so.
fn matches(wanted: &str, kind: &str) -> bool {
    wanted.strip_suffix('*').map_or(wanted == kind, |start| kind.starts_with(start))
}

/// A page of all that fits.
pub(super) fn of(
    world: &World,
    mut params: Params,
    kind: &str,
    url: &str,
    fits: impl Fn(&Value) -> bool,
) -> Result<Value, Problem> {
    let page = page(&mut params)?;
    params.finish()?;
    let in_time = |object: &Value| {
        let created = object["created"].as_i64().unwrap_or_default();
        page.created.iter().all(|(relation, at)| match *relation {
            "gt" => created > *at,
            "gte" => created >= *at,
            "lt" => created < *at,
            "lte" => created <= *at,
            _ => created == *at,
        })
    };
    let all: Vec<&Value> = world.all(kind).filter(|object| fits(object) && in_time(object)).collect();
    let place = |id: &String, param: &str| {
        let found = all.iter().position(|object| object["id"] == id.as_str());
        found.ok_or_else(|| Problem::reference(kind, id, param))
    };
    let (from, to) = match (&page.after, &page.before) {
        (Some(after), _) => {
            let from = place(after, "starting_after")? + 1;
            (from, all.len().min(from + page.limit))
        }
        (None, Some(before)) => {
            let to = place(before, "ending_before")?;
            (to.saturating_sub(page.limit), to)
        }
        (None, None) => (0, all.len().min(page.limit)),
    };
    let has_more = if page.before.is_some() && page.after.is_none() { from > 0 } else { to < all.len() };
    Ok(json!({"object": "list", "data": &all[from..to], "has_more": has_more, "url": url}))
}

fn page(params: &mut Params) -> Result<Page, Problem> {
    let limit = limit(params)?;
    let (after, before) = (params.text("starting_after")?, params.text("ending_before")?);
    if after.is_some() && before.is_some() {
        return Err(Problem::combination("You can't use starting_after and ending_before together.", "starting_after"));
    }
    let mut created = Vec::new();
    if let Ok(Some(mut range)) = params.object("created") {
        for relation in ["gt", "gte", "lt", "lte"] {
            created.extend(range.integer(relation)?.map(|at| (relation, at)));
        }
        range.finish()?;
    }
    Ok(Page { limit, after, before, created })
}

/// How many at once.
pub(super) fn limit(params: &mut Params) -> Result<usize, Problem> {
    match params.integer("limit")? {
        None => Ok(10),
        Some(limit @ 1..=100) => Ok(usize::try_from(limit).unwrap_or(100)),
        Some(_) => Err(Problem::parameter(
            "parameter_invalid_integer",
            "This value must be greater than or equal to 1 and less than or equal to 100 (it is the limit).",
            "limit",
        )),
    }
}
