//! All items of the table, whosever they are: for the removal of tenants alone, which has a role of its own.

use std::{collections::HashMap, fmt::Write as _, time::Duration};

use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, WriteRequest};
use serde::{Deserialize, Serialize};

use super::{
    Table, failure,
    keys::{self, PK, SK},
    text,
};
use crate::{
    error::{Error, Result},
    id::TenantId,
};

/// The key of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pk: String,
    sk: String,
}

/// All items.
#[derive(Debug, Clone)]
pub struct Everything {
    table: Table,
}

impl Table {
    /// All items of the table, which only the removal of tenants may have.
    #[must_use]
    pub fn everything(&self) -> Everything {
        Everything { table: self.clone() }
    }
}

impl Everything {
    /// A page of a scan, of up to 1 MB of whatever there is: the keys of the items in it that are of these tenants, and
    /// behind which key to go on. The table is in `of` segments, of which this is number `segment`.
    ///
    /// An item is a tenant's if it is in its partitions, if its sort key names the tenant and is no other tenant's (who
    /// name sessions as they like), or if it says so: connections and sign-ins do. Their entries in the list of tenants are
    /// none of them, and neither are invoices and what is to be collected of these: they outlive the tenant.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn page(
        &self,
        tenants: &[TenantId],
        segment: i32,
        of: i32,
        after: Option<&Key>,
    ) -> Result<(Vec<Key>, Option<Key>)> {
        let mut request = self.table.client().scan().table_name(self.table.name());
        request = request.segment(segment).total_segments(of).projection_expression("#pk, #sk");
        let names = [("#pk", PK), ("#sk", SK), ("#tenant", "tenant"), ("#by", "by")];
        for (short, name) in names {
            request = request.expression_attribute_names(short, name);
        }
        let (mut conditions, mut kept) = (Vec::new(), String::new());
        for (index, tenant) in tenants.iter().enumerate() {
            conditions.push(format!(
                "begins_with(#pk, :p{index}) OR NOT begins_with(#pk, :any) AND contains(#sk, :t{index}) OR #tenant = :t{index} OR #by.#tenant = :t{index}"
            ));
            request = request.expression_attribute_values(format!(":p{index}"), text(&keys::tenant(*tenant)));
            request = request.expression_attribute_values(format!(":t{index}"), text(&tenant.to_string()));
            request = request.expression_attribute_values(format!(":i{index}"), text(&keys::invoices(*tenant)));
            let _ = write!(kept, " AND #pk <> :i{index}");
        }
        request = request.expression_attribute_values(":list", text(keys::TENANTS));
        request = request.expression_attribute_values(":any", text(keys::ANY_TENANT));
        // These lists end by themselves what they have of tenants that are gone.
        request = request.expression_attribute_values(":collect", text(keys::COLLECT));
        request = request.expression_attribute_values(":billing", text(keys::BILLING));
        request = request.expression_attribute_values(":letters", text(keys::LETTERS));
        let lists = "#pk <> :list AND #pk <> :collect AND #pk <> :billing AND #pk <> :letters";
        let condition = format!("{lists}{kept} AND ({})", conditions.join(" OR "));
        request = request.filter_expression(condition);
        let found = request.set_exclusive_start_key(after.map(Key::item)).send().await.map_err(failure)?;
        let keys = found.items.unwrap_or_default().iter().map(Key::of).collect::<Result<_>>()?;
        Ok((keys, found.last_evaluated_key.as_ref().map(Key::of).transpose()?))
    }

    /// Deletes items; what is not there is no error.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached or leaves items undeleted; then some are deleted and some are not.
    pub async fn delete(&self, keys: &[Key]) -> Result<()> {
        const MOST_IN_ONE_CALL: usize = 25;
        const PAUSES: [u64; 8] = [0, 10, 25, 50, 100, 200, 400, 800];
        // Of one partition each: a role allows partitions by their kind, and a call only if one of its statements allows it all.
        for keys in keys.chunk_by(|one, next| one.pk == next.pk).flat_map(|same| same.chunks(MOST_IN_ONE_CALL)) {
            let mut left = keys.iter().map(Key::deletion).collect::<Result<Vec<_>>>()?;
            for pause in PAUSES {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                let request = self.table.client().batch_write_item().request_items(self.table.name(), left);
                let sent = request.send().await.map_err(failure)?;
                left = sent.unprocessed_items.unwrap_or_default().remove(self.table.name()).unwrap_or_default();
                if left.is_empty() {
                    break;
                }
            }
            if !left.is_empty() {
                return Err(Error::Unavailable("items were left undeleted".into()));
            }
        }
        Ok(())
    }
}

impl Key {
    fn of(item: &HashMap<String, AttributeValue>) -> Result<Self> {
        let part = |name| item.get(name).and_then(|value| value.as_s().ok()).cloned();
        let key = part(PK).zip(part(SK)).map(|(pk, sk)| Self { pk, sk });
        key.ok_or_else(|| Error::internal("an item has no key"))
    }

    fn item(&self) -> HashMap<String, AttributeValue> {
        HashMap::from([(PK.to_owned(), text(&self.pk)), (SK.to_owned(), text(&self.sk))])
    }

    fn deletion(&self) -> Result<WriteRequest> {
        let delete = DeleteRequest::builder().set_key(Some(self.item())).build().map_err(Error::internal)?;
        Ok(WriteRequest::builder().delete_request(delete).build())
    }
}
