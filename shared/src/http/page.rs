//! Lists in pages: `limit`, and a cursor that says behind which item to go on. A cursor is a sort key in base64 with a
//! checksum: whoever makes one up sees no more than a list shows anyway, as it is read in the caller's own partition.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::{Error, Result};

/// The parameters of a list that has no others.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageParams {
    /// The most items, 1 to 100; 50 if absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl PageParams {
    /// The page of a list whose sort keys begin with `prefix`.
    ///
    /// # Errors
    /// `Invalid`, naming the parameter.
    pub fn page(&self, prefix: &str) -> Result<Page> {
        const MOST: u16 = 100;
        Page::of(self.limit, self.cursor.as_deref(), prefix, MOST)
    }
}

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The most items.
    pub limit: u16,
    /// The sort key to go on behind.
    pub after: Option<String>,
}

impl Page {
    /// From the parameters `limit`, which is 1 to `most` and 50 if absent, and `cursor`, whose sort key must begin with
    /// `prefix`.
    ///
    /// # Errors
    /// `Invalid`, naming the parameter.
    pub fn of(limit: Option<u16>, cursor: Option<&str>, prefix: &str, most: u16) -> Result<Self> {
        const USUAL: u16 = 50;
        let limit = limit.unwrap_or(USUAL.min(most));
        if !(1..=most).contains(&limit) {
            return Err(Error::invalid("limit", format!("limit must be from 1 to {most}")));
        }
        let known = |cursor| read(cursor).filter(|after| after.starts_with(prefix));
        let bad = || Error::invalid("cursor", "cursor must be a `next_cursor` of the same list");
        let after = cursor.map(|cursor| known(cursor).ok_or_else(bad)).transpose()?;
        Ok(Self { limit, after })
    }

    /// The cursor that goes on behind a sort key.
    #[must_use]
    pub fn cursor(after: &str) -> String {
        let mut bytes = after.as_bytes().to_vec();
        bytes.extend(crc32fast::hash(after.as_bytes()).to_be_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// The sort key in a cursor; `None` if it is none of ours.
#[must_use]
pub fn read(cursor: &str) -> Option<String> {
    const LONGEST: usize = 2_048;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor.get(..LONGEST.min(cursor.len()))?).ok()?;
    let (text, checksum) = bytes.split_last_chunk::<4>()?;
    (crc32fast::hash(text).to_be_bytes() == *checksum && !text.is_empty()).then_some(())?;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let cursor = Page::cursor("KEY#a");
        assert_eq!(Page::of(None, Some(&cursor), "KEY#", 100).unwrap().after.as_deref(), Some("KEY#a"));
        assert!(Page::of(None, Some(&cursor), "MEMBER#", 100).is_err());
        assert!(Page::of(Some(0), None, "KEY#", 100).is_err() && Page::of(Some(101), None, "KEY#", 100).is_err());
    }

    proptest! {
        #[test]
        fn a_cursor_reads_back(sort in "[ -~]{1,100}") {
            prop_assert_eq!(read(&Page::cursor(&sort)), Some(sort));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = read(&text);
        }
    }
}
