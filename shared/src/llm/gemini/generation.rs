//! What changed with the third generation of Gemini: thinking is set in levels instead of tokens, and function calls
//! must come back signed (Gemini API, "Thinking" and "Thought signatures").

/// Whether a model is of the third generation or a later one. A name without a number (`gemini-flash-latest`) is
/// whatever is newest; Gemma and others are not Gemini.
pub(super) fn is_third(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let Some(version) = name.strip_prefix("gemini-") else { return false };
    let digits = version.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse::<u32>().map_or(digits.is_empty(), |major| major >= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generation_is_read_from_the_name() {
        for model in ["gemini-3-pro-preview", "gemini-3.8-flash", "models/gemini-10-pro", "gemini-flash-latest"] {
            assert!(is_third(model), "{model}");
        }
        for model in ["gemini-2.5-pro", "gemini-1.5-flash-8b", "gemma-3-27b-it", "tunedModels/mine-3", ""] {
            assert!(!is_third(model), "{model}");
        }
    }
}
