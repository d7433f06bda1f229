//! `plans.toml`: what an operator writes, with its line in every complaint.

use serde::Deserialize;

use super::Plan;
use crate::{clock::Timestamp, error::Error, llm::catalogue::Broken};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    plans: Vec<Plan>,
}

/// The plans of a `plans.toml`, in its order. Those that don't say from when they hold do so from `now` on.
///
/// # Errors
/// The first thing that is wrong, with its line and key.
pub fn plans_from_toml(text: &str, now: Timestamp) -> Result<Vec<Plan>, Broken> {
    let File { mut plans } = toml::from_str(text).map_err(|error| Broken::toml(text, &error))?;
    for (place, plan) in plans.iter_mut().enumerate() {
        if plan.effective == Timestamp::default() {
            plan.effective = now;
        }
        plan.check().map_err(|error| broken(text, place, error))?;
    }
    for (place, plan) in plans.iter().enumerate() {
        if plans.iter().take(place).any(|other| (&other.name, other.effective) == (&plan.name, plan.effective)) {
            return Err(broken(text, place, Error::invalid("name", "there is another version of the same time")));
        }
    }
    Ok(plans)
}

fn broken(text: &str, place: usize, error: Error) -> Broken {
    let (param, problem) = match error {
        Error::Invalid { param, detail } => (Some(param), detail),
        other => (None, other.to_string()),
    };
    let line = line_of(text, place, param.as_deref().unwrap_or_default());
    Broken { line, key: param.map(|param| format!("plans[{place}].{param}")), problem }
}

/// The line that sets the field `param` of a plan, as far as it has one of its own: else that of the rule that it is in, or of
/// the plan.
fn line_of(text: &str, place: usize, param: &str) -> usize {
    let lines = || text.lines().map(str::trim).enumerate();
    let first = lines().filter(|(_, line)| *line == "[[plans]]").nth(place).map_or(0, |(number, _)| number);
    let within = || lines().skip(first + 1).take_while(|(_, line)| *line != "[[plans]]");
    let sets = |line: &str, key: &str| line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='));
    let field = param.rsplit('.').find(|part| !part.is_empty()).unwrap_or_default();
    let field = field.split('[').next().unwrap_or_default();
    let rule = param.strip_prefix("prices[").and_then(|rest| rest.split(']').next()?.parse().ok());
    let from = match rule {
        Some(rule) => within().filter(|(_, line)| *line == "[[plans.prices]]").nth(rule).map(|(number, _)| number),
        None => Some(first),
    };
    let Some(from) = from else { return first + 1 };
    let ends = |line: &str| rule.is_some() && line == "[[plans.prices]]";
    let mut rest = within().filter(|(number, _)| *number > from).take_while(|(_, line)| !ends(line));
    rest.find(|(_, line)| sets(line, field)).map_or(from, |(number, _)| number) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn complaint(text: &str) -> String {
        plans_from_toml(text, NOW).unwrap_err().to_string()
    }

    #[test]
    fn the_example_is_good() {
        let plans = plans_from_toml(include_str!("../../../plans.toml"), NOW).unwrap();
        let names: Vec<_> = plans.iter().map(|plan| plan.name.as_str()).collect();
        assert_eq!(names, ["free", "team", "enterprise", "prepaid"]);
        let catalogue = crate::llm::catalogue::Catalogue::from_toml(include_str!("../../../models.toml"), NOW).unwrap();
        for plan in plans {
            plan.capped(&catalogue).unwrap();
        }
    }

    #[test]
    fn a_time_is_text_or_a_date() {
        let text =
            |effective: &str| format!("[[plans]]\nname = \"a\"\ntitle = \"A\"\ncurrency = \"EUR\"\n{effective}\n");
        let of = |effective: &str| plans_from_toml(&text(effective), NOW).unwrap()[0].effective;
        assert_eq!(of(""), NOW);
        for same in ["2025-12-01", "2025-12-01T00:00:00Z", "2025-12-01T01:00:00+01:00"] {
            assert_eq!(of(&format!("effective = \"{same}\"")), Timestamp(1_764_547_200_000), "{same}");
        }
        for bad in ["\"soon\"", "1764547200000"] {
            assert!(
                complaint(&text(&format!("effective = {bad}"))).starts_with("line 5, key `plans.effective`: "),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_complaint_has_line_and_key() {
        let good = "[[plans]]\nname = \"a\"\ntitle = \"A\"\ncurrency = \"EUR\"\n";
        for (text, wanted) in [
            (format!("{good}base_fee = \"-1\""), "line 5, key `plans[0].base_fee`: must be from 0 to 1,000,000,000"),
            (
                format!("{good}\n{good}usd = \"0\"\n"),
                "line 10, key `plans[1].usd`: must be above 0 and at most 1,000,000",
            ),
            (format!("{good}{good}"), "line 6, key `plans[1].name`: there is another version of the same time"),
            (
                format!(
                    "{good}[[plans.prices]]\nmodels = [\"a\"]\nmarkup = \"1\"\n[[plans.prices]]\nmodels = [\"*\"]\n\
                     package = {{ tokens = 0, price = \"1\" }}\n"
                ),
                "line 8, key `plans[0].prices[1].package.tokens`: must be at least 1",
            ),
            (
                format!("{good}[[plans.prices]]\nmodels = [\"**\"]\nmarkup = \"1\"\n"),
                "line 6, key `plans[0].prices[0].models[0]`: must be a model's name, or the beginning of one with * behind it",
            ),
        ] {
            assert_eq!(complaint(&text), wanted);
        }
    }

    #[test]
    fn what_toml_itself_refuses_has_a_line_too() {
        for (text, line) in [
            ("[[plans]]\nname = \"a\"\ntitel = \"A\"\n", "line 3"),
            ("[[plans]]\nname = \"a\"\ntitle = \"A\"\ncurrency = \"EURO\"\n", "line 4"),
            ("[[plans]]\nname = \"a\"\ntitle = \"A\"\ncurrency = \"EUR\"\nbase_fee = 49.0\n", "line 5"),
            ("[[plan]]\n", "line 1"),
        ] {
            let said = complaint(text);
            assert!(said.starts_with(line), "{said}");
        }
    }

    #[test]
    fn a_rule_has_one_charge() {
        let text = "[[plans]]\nname = \"a\"\ntitle = \"A\"\ncurrency = \"EUR\"\n[[plans.prices]]\nmodels = [\"*\"]\n";
        for charges in ["", "markup = \"1\"\npackage = { tokens = 1, price = \"1\" }\n", "mark_up = \"1\"\n"] {
            assert!(plans_from_toml(&format!("{text}{charges}"), NOW).is_err(), "{charges}");
        }
        assert!(plans_from_toml(&format!("{text}markup = \"1\"\n"), NOW).is_ok());
    }
}
