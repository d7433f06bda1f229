//! What a query finds, page by page.

use std::marker::PhantomData;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use serde::de::DeserializeOwned;

use super::{failure, parse};
use crate::error::Result;

/// The pages of a query.
pub struct Rows<T> {
    query: Option<QueryFluentBuilder>,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Rows<T> {
    pub(super) fn new(query: QueryFluentBuilder) -> Self {
        Self { query: Some(query), of: PhantomData }
    }

    /// Only these attributes; names with `#` are not replaced.
    #[must_use]
    pub fn only(mut self, attributes: &str) -> Self {
        self.query = self.query.map(|query| query.projection_expression(attributes));
        self
    }

    /// At most `limit` items a page, so that a long reading lets others in between.
    #[must_use]
    pub fn in_pages_of(mut self, limit: i32) -> Self {
        self.query = self.query.map(|query| query.limit(limit));
        self
    }

    /// Backwards, at most `limit` a page.
    #[must_use]
    pub fn last(mut self, limit: i32) -> Self {
        self.query = self.query.map(|query| query.scan_index_forward(false).limit(limit));
        self
    }

    /// The next page, of up to 1 MB; `None` after the last. A page may be empty.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached, `Internal` if an item is not a `T`.
    pub async fn page(&mut self) -> Result<Option<Vec<T>>> {
        let Some(query) = self.query.take() else { return Ok(None) };
        let found = query.clone().send().await.map_err(failure)?;
        self.query = found.last_evaluated_key.map(|key| query.set_exclusive_start_key(Some(key)));
        found.items.unwrap_or_default().into_iter().map(parse).collect::<Result<_>>().map(Some)
    }

    /// All pages at once, where they are known to be few.
    ///
    /// # Errors
    /// As [`Rows::page`].
    pub async fn collect(mut self) -> Result<Vec<T>> {
        let mut all = Vec::new();
        while let Some(page) = self.page().await? {
            all.extend(page);
        }
        Ok(all)
    }
}
