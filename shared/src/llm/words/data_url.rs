//! Data that a URL itself holds (RFC 2397): images, documents and sound come to LMO like this.

/// A `data:` URL whose data is in base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::llm) struct DataUrl<'a> {
    /// The media type, without parameters, as it was written.
    pub(in crate::llm) media_type: &'a str,
    /// The data, still in base64.
    pub(in crate::llm) base64: &'a str,
}

impl<'a> DataUrl<'a> {
    /// Reads a URL; `None` if it is another one, or its data is not in base64.
    pub(in crate::llm) fn parse(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_at_checked(5)?;
        let (head, data) = rest.split_once(',')?;
        let (head, encoding) = head.rsplit_once(';')?;
        let is_base64 = scheme.eq_ignore_ascii_case("data:") && encoding.eq_ignore_ascii_case("base64");
        let media_type = head.split(';').next().unwrap_or_default();
        is_base64.then_some(Self { media_type, base64: data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_is_read_without_its_parameters() {
        let plain = DataUrl { media_type: "text/plain", base64: "SGk=" };
        assert_eq!(DataUrl::parse("data:text/plain;charset=utf-8;base64,SGk="), Some(plain));
        assert_eq!(DataUrl::parse("DATA:text/plain;BASE64,SGk="), Some(plain));
        assert_eq!(DataUrl::parse("data:;base64,SGk="), Some(DataUrl { media_type: "", base64: "SGk=" }));
    }

    #[test]
    fn anything_else_is_none() {
        for url in
            ["", "data", "data:", "data:image/png,abc", "https://a/b;base64,c", "data:image/png;base64", "dätä:;"]
        {
            assert_eq!(DataUrl::parse(url), None, "{url}");
        }
    }
}
