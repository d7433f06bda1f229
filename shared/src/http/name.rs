//! Names that people give.

use crate::error::Error;

/// A name of at least `fewest` and at most 100 characters, without spaces around it; none of them ends a line or is
/// otherwise not to be seen.
///
/// # Errors
/// `Invalid`, naming `param`.
pub fn name(param: &str, fewest: usize, text: &str) -> Result<String, Error> {
    const MOST: usize = 100;
    let text = text.trim();
    let good = (fewest..=MOST).contains(&text.chars().take(MOST + 1).count()) && !text.chars().any(char::is_control);
    let detail = || format!("{param} must have {fewest} to {MOST} characters and no control characters");
    good.then(|| text.to_owned()).ok_or_else(|| Error::invalid(param, detail()))
}
