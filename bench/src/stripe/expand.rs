//! `expand[]`: ids in an answer become the objects that they name (API reference, "Expanding responses").

use serde_json::Value;

use super::problem::Problem;
use super::world::World;

/// An answer with the objects at these paths in it.
pub(super) fn expanded(world: &World, mut answer: Value, paths: &[String]) -> Result<Value, Problem> {
    for path in paths {
        let steps: Vec<&str> = path.split('.').collect();
        if steps.len() > 4 {
            return Err(Problem::request("You cannot expand more than 4 levels of a property."));
        }
        expand(world, &mut answer, &steps)
            .ok_or_else(|| Problem::combination(&format!("This property cannot be expanded ({path})."), "expand"))?;
    }
    Ok(answer)
}

fn expand(world: &World, within: &mut Value, steps: &[&str]) -> Option<()> {
    let Some((step, rest)) = steps.split_first() else { return Some(()) };
    if let (Some(list), "data") = (within[*step].as_array_mut(), *step) {
        return list.iter_mut().try_for_each(|item| expand(world, item, rest));
    }
    let place = within.as_object_mut()?.get_mut(*step)?;
    match place {
        Value::Null => Some(()),
        Value::String(id) => {
            *place = world.find(id)?.clone();
            expand(world, place, rest)
        }
        // It is there whole: by an earlier path.
        Value::Object(_) if place.get("object").is_some() => expand(world, place, rest),
        Value::Object(_) if !rest.is_empty() => expand(world, place, rest),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
