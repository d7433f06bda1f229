//! The text of a template: what is said, and `{{name}}` where a variable stands.

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// It says what it is.
    Text(&'a str),
    /// It stands for the variable of that name.
    Variable(&'a str),
}

/// The parts of a text in their order. Spaces around a variable's name mean nothing.
///
/// # Errors
/// Where there is a `{{` without a variable's name and `}}` behind it.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, usize> {
    let (mut pieces, mut left) = (Vec::new(), text);
    while let Some((before, behind)) = left.split_once("{{") {
        let at = text.len() - left.len() + before.len();
        let (name, rest) = behind.split_once("}}").ok_or(at)?;
        let name = name.trim_matches(' ');
        if !is_name(name) {
            return Err(at);
        }
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Variable(name));
        left = rest;
    }
    if !left.is_empty() {
        pieces.push(Piece::Text(left));
    }
    Ok(pieces)
}

fn is_name(name: &str) -> bool {
    const LONGEST: usize = 64;
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(good)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_and_variables_alternate() {
        let found = pieces("a {{b}}{{ c_1 }} d}}").unwrap();
        let expected = [Piece::Text("a "), Piece::Variable("b"), Piece::Variable("c_1"), Piece::Text(" d}}")];
        assert_eq!(found, expected);
        assert_eq!(pieces(""), Ok(Vec::new()));
    }

    #[test]
    fn two_braces_without_a_name_are_found() {
        for (text, at) in [("ä{{", 2), ("{{}}", 0), ("{{a}} {{b", 6), ("{{{a}}}", 0), ("{{a b}}", 0), ("{{a\n}}", 0)] {
            assert_eq!(pieces(text), Err(at), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_has_no_braces_is_one_piece(text in ".*") {
            let found = pieces(&text);
            prop_assume!(!text.contains("{{") && !text.is_empty());
            prop_assert_eq!(found, Ok(vec![Piece::Text(text.as_str())]));
        }
    }
}
