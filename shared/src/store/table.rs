//! Handles on the table. [`Table`] itself reads nothing: a caller first binds it to a tenant, or to one of the few
//! global partitions, and the handle that it gets can name no other.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{query::builders::QueryFluentBuilder, update_item::builders::UpdateItemFluentBuilder},
    types::{
        AttributeValue, DeleteRequest, KeysAndAttributes, ReturnValuesOnConditionCheckFailure, Update, WriteRequest,
    },
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Rows,
    keys::{self, PK, SK},
};
use crate::{
    clock::Period,
    error::{Error, Result},
    id::{SessionId, TenantId, UserId},
};

/// An item as the SDK has it.
pub type Item = HashMap<String, AttributeValue>;

/// The table, bound to nobody.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: String,
}

impl Table {
    /// A table by its name.
    #[must_use]
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }

    /// Everything of one tenant, and nothing else.
    #[must_use]
    pub fn tenant(&self, id: TenantId) -> TenantTable {
        TenantTable { id, table: self.clone() }
    }

    /// The model catalogue.
    #[must_use]
    pub fn catalogue(&self) -> Partition {
        self.partition(keys::CATALOGUE.to_owned())
    }

    /// The tenants that have a meter in a month.
    #[must_use]
    pub fn active(&self, month: Period) -> Partition {
        self.partition(keys::active(month))
    }

    /// All tenants, for operators and for what runs on a schedule.
    #[must_use]
    pub fn tenants(&self) -> Partition {
        self.partition(keys::TENANTS.to_owned())
    }

    /// Those who work for the operator, and what they did.
    #[must_use]
    pub fn operators(&self) -> Partition {
        self.partition(keys::OPERATORS.to_owned())
    }

    /// How far the removal of tenants has come.
    #[must_use]
    pub fn purge(&self) -> Partition {
        self.partition(keys::PURGE.to_owned())
    }

    /// One person.
    #[must_use]
    pub fn user(&self, id: UserId) -> Partition {
        self.partition(keys::user(id))
    }

    /// One address of a person, by the hash of it.
    #[must_use]
    pub fn email(&self, hash: &str) -> Partition {
        self.partition(keys::email(hash))
    }

    /// What webhooks are to be told, by when.
    #[must_use]
    pub fn due(&self) -> Partition {
        self.partition(keys::DUE.to_owned())
    }

    /// What the operator says of billing: settings, plans, coupons, and the last numbers of invoices.
    #[must_use]
    pub fn billing(&self) -> Partition {
        self.partition(keys::BILLING.to_owned())
    }

    /// Billing runs.
    #[must_use]
    pub fn runs(&self) -> Partition {
        self.partition(keys::RUNS.to_owned())
    }

    /// Invoices whose payment is to be seen to, by when.
    #[must_use]
    pub fn collect(&self) -> Partition {
        self.partition(keys::COLLECT.to_owned())
    }

    /// What tenants are to be written of their quotas, by when.
    #[must_use]
    pub fn letters(&self) -> Partition {
        self.partition(keys::LETTERS.to_owned())
    }

    /// Events of Stripe that were seen.
    #[must_use]
    pub fn stripe(&self) -> Partition {
        self.partition(keys::STRIPE.to_owned())
    }

    /// One internet address, by a hash of it.
    #[must_use]
    pub fn address(&self, hash: &str) -> Partition {
        self.partition(keys::address(hash))
    }

    /// One WebSocket connection, by API Gateway's id of it.
    #[must_use]
    pub fn connection(&self, id: &str) -> Partition {
        self.partition(keys::connection(id))
    }

    /// The SDK's client, for transactions over several partitions of one tenant and for creating the table.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The table's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn partition(&self, pk: String) -> Partition {
        Partition { pk, table: self.clone() }
    }
}

/// The partitions of one tenant.
#[derive(Debug, Clone)]
pub struct TenantTable {
    id: TenantId,
    table: Table,
}

impl TenantTable {
    /// Whose it is.
    #[must_use]
    pub fn id(&self) -> TenantId {
        self.id
    }

    /// Tenant, configuration, keys and meters.
    #[must_use]
    pub fn main(&self) -> Partition {
        self.table.partition(keys::tenant(self.id))
    }

    /// The requests of an hour.
    #[must_use]
    pub fn ledger(&self, hour: Period) -> Partition {
        self.table.partition(keys::ledger(self.id, hour))
    }

    /// The audit log.
    #[must_use]
    pub fn audit(&self) -> Partition {
        self.table.partition(keys::audit(self.id))
    }

    /// What webhooks are told, and how far that came.
    #[must_use]
    pub fn webhooks(&self) -> Partition {
        self.table.partition(keys::webhooks(self.id))
    }

    /// Invoices, credit notes and payments, which outlive the tenant.
    #[must_use]
    pub fn invoices(&self) -> Partition {
        self.table.partition(keys::invoices(self.id))
    }

    /// The totals of all periods.
    #[must_use]
    pub fn totals(&self) -> Partition {
        self.table.partition(keys::totals(self.id))
    }

    /// A kept answer, by the hash of its request.
    #[must_use]
    pub fn cached(&self, key: &str) -> Partition {
        self.table.partition(keys::cached(self.id, key))
    }

    /// Answered questions that may be compared, by the hash of what they share.
    #[must_use]
    pub fn neighbours(&self, group: &str) -> Partition {
        self.table.partition(keys::neighbours(self.id, group))
    }

    /// One conversation.
    #[must_use]
    pub fn session(&self, session: &SessionId) -> Partition {
        self.table.partition(keys::session(self.id, session))
    }

    /// The marker that says that the tenant is active in a month.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }
}

/// Whether a conditional write took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It did.
    Yes,
    /// The condition did not hold; nothing was changed.
    Refused,
}

/// In which order a page is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By sort key.
    Ascending,
    /// The last first.
    Descending,
}

/// One partition. Its methods take sort keys only.
#[derive(Debug, Clone)]
pub struct Partition {
    pub(super) pk: String,
    pub(super) table: Table,
}

impl Partition {
    /// The item under a sort key, strongly consistent; without its key, which whoever asks has.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached, `Internal` if the item is not a `T`.
    pub async fn find<T: DeserializeOwned>(&self, sort: &str) -> Result<Option<T>> {
        let request = self.table.client.get_item().table_name(&self.table.name).consistent_read(true);
        let found = request.set_key(Some(self.key(sort))).send().await.map_err(failure)?;
        let bare = |mut item: Item| {
            item.retain(|name, _| name != PK && name != SK);
            parse(item)
        };
        found.item.map(bare).transpose()
    }

    /// The items under several sort keys in one call, by sort key, strongly consistent; at most 100.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached or leaves keys unread.
    pub async fn find_all(&self, sorts: &[&str]) -> Result<HashMap<String, Item>> {
        let keys = sorts.iter().map(|sort| self.key(sort)).collect();
        let wanted =
            KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build().map_err(Error::internal)?;
        let request = self.table.client.batch_get_item().request_items(&self.table.name, wanted);
        let found = request.send().await.map_err(failure)?;
        if found.unprocessed_keys.is_some_and(|left| !left.is_empty()) {
            return Err(Error::Unavailable("keys were left unread".into()));
        }
        let items = found.responses.unwrap_or_default().remove(&self.table.name).unwrap_or_default();
        let by_sort = |item: Item| Some((item.get(SK)?.as_s().ok()?.clone(), item));
        Ok(items.into_iter().filter_map(by_sort).collect())
    }

    /// Puts an item, whatever was there.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn put(&self, sort: &str, value: &impl Serialize) -> Result<()> {
        let request = self.table.client.put_item().table_name(&self.table.name);
        request.set_item(Some(self.item(sort, value)?)).send().await.map_err(failure)?;
        Ok(())
    }

    /// Puts an item on a condition; values of the condition are `(":name", value)`.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn put_if(
        &self,
        sort: &str,
        value: &impl Serialize,
        condition: &str,
        values: &[(&str, AttributeValue)],
    ) -> Result<Written> {
        let mut request = self.table.client.put_item().table_name(&self.table.name);
        for (name, value) in values {
            request = request.expression_attribute_values(*name, value.clone());
        }
        let sent = request.set_item(Some(self.item(sort, value)?)).condition_expression(condition).send().await;
        written(sent)
    }

    /// Puts an item unless there is one already.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn put_new(&self, sort: &str, value: &impl Serialize) -> Result<Written> {
        self.put_if(sort, value, "attribute_not_exists(pk)", &[]).await
    }

    /// Deletes an item on a condition; values of the condition are `(":name", value)`.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn delete_if(&self, sort: &str, condition: &str, values: &[(&str, AttributeValue)]) -> Result<Written> {
        let mut request = self.table.client.delete_item().table_name(&self.table.name);
        for (name, value) in values {
            request = request.expression_attribute_values(*name, value.clone());
        }
        written(request.set_key(Some(self.key(sort))).condition_expression(condition).send().await)
    }

    /// Deletes the items under these sort keys; what is not there is no error.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached or leaves items undeleted; then some are deleted and some are not.
    pub async fn delete_all(&self, sorts: &[String]) -> Result<()> {
        const MOST_IN_ONE_CALL: usize = 25;
        const PAUSES: [u64; 6] = [0, 10, 25, 50, 100, 200];
        for sorts in sorts.chunks(MOST_IN_ONE_CALL) {
            let mut left = sorts.iter().map(|sort| self.delete_request(sort)).collect::<Result<Vec<_>>>()?;
            for pause in PAUSES {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                let request = self.table.client.batch_write_item().request_items(&self.table.name, left);
                let sent = request.send().await.map_err(failure)?;
                left = sent.unprocessed_items.unwrap_or_default().remove(&self.table.name).unwrap_or_default();
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

    fn delete_request(&self, sort: &str) -> Result<WriteRequest> {
        let delete = DeleteRequest::builder().set_key(Some(self.key(sort))).build().map_err(Error::internal)?;
        Ok(WriteRequest::builder().delete_request(delete).build())
    }

    /// The table that it is in.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// An update of one item, to be given its expression and sent.
    #[must_use]
    pub fn update(&self, sort: &str) -> UpdateItemFluentBuilder {
        self.table.client.update_item().table_name(&self.table.name).set_key(Some(self.key(sort)))
    }

    /// The same as a part of a transaction.
    #[must_use]
    pub fn update_in_transaction(&self, sort: &str) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(self.key(sort)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    /// The items whose sort key begins with `prefix`, in order, strongly consistent, page by page.
    #[must_use]
    pub fn begins_with<T: DeserializeOwned>(&self, prefix: &str) -> Rows<T> {
        let condition = "pk = :pk AND begins_with(sk, :from)";
        Rows::new(self.query(condition).expression_attribute_values(":from", text(prefix)))
    }

    /// A page of at most `limit` items whose sort key begins with `prefix`, behind the sort key `after` if there is one,
    /// strongly consistent; with the sort key to go on behind, if there is more.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached, `Internal` if an item is not a `T`.
    pub async fn page<T: DeserializeOwned>(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u16,
        order: Order,
    ) -> Result<(Vec<T>, Option<String>)> {
        let query = self.query(if prefix.is_empty() { "pk = :pk" } else { "pk = :pk AND begins_with(sk, :from)" });
        let query = query.set_exclusive_start_key(after.map(|after| self.key(after))).limit(i32::from(limit));
        let query = query.scan_index_forward(order == Order::Ascending);
        let query = if prefix.is_empty() { query } else { query.expression_attribute_values(":from", text(prefix)) };
        let found = query.send().await.map_err(failure)?;
        let next = found.last_evaluated_key.and_then(|mut key| key.remove(SK)?.as_s().ok().cloned());
        let items = found.items.unwrap_or_default().into_iter().map(parse).collect::<Result<_>>()?;
        Ok((items, next))
    }

    /// The items whose sort key lies from `first` to `last`, both included, in order, strongly consistent.
    #[must_use]
    pub fn between<T: DeserializeOwned>(&self, first: &str, last: &str) -> Rows<T> {
        let query = self.query("pk = :pk AND sk BETWEEN :from AND :to");
        let query = query.expression_attribute_values(":from", text(first));
        Rows::new(query.expression_attribute_values(":to", text(last)))
    }

    /// All items of the partition, in order, strongly consistent.
    #[must_use]
    pub fn all<T: DeserializeOwned>(&self) -> Rows<T> {
        Rows::new(self.query("pk = :pk"))
    }

    fn query(&self, condition: &str) -> QueryFluentBuilder {
        let query = self.table.client.query().table_name(&self.table.name).consistent_read(true);
        query.key_condition_expression(condition).expression_attribute_values(":pk", text(&self.pk))
    }

    pub(super) fn key(&self, sort: &str) -> Item {
        HashMap::from([(PK.to_owned(), text(&self.pk)), (SK.to_owned(), text(sort))])
    }

    pub(super) fn item(&self, sort: &str, value: &impl Serialize) -> Result<Item> {
        let mut item: Item = serde_dynamo::to_item(value).map_err(Error::internal)?;
        item.extend(self.key(sort));
        Ok(item)
    }
}

/// An item as a `T`.
///
/// # Errors
/// `Internal` if it isn't one.
pub(crate) fn parse<T: DeserializeOwned>(item: Item) -> Result<T> {
    serde_dynamo::from_item(item).map_err(Error::internal)
}

pub(crate) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

#[expect(clippy::needless_pass_by_value, reason = "numbers are copied")]
pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Whether a conditional write of one item was refused by its condition.
#[must_use]
pub fn is_condition_failure<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

fn written<T, E, R>(sent: std::result::Result<T, SdkError<E, R>>) -> Result<Written>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match sent {
        Ok(_) => Ok(Written::Yes),
        Err(error) if is_condition_failure(&error) => Ok(Written::Refused),
        Err(error) => Err(failure(error)),
    }
}

/// The library's error for an SDK's: `Unavailable` for whatever may pass, `Internal` for a defect of ours.
pub fn failure<E, R>(error: SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    const OURS: [&str; 4] =
        ["ValidationException", "AccessDeniedException", "ResourceNotFoundException", "SerializationException"];
    let ours = error.code().is_some_and(|code| OURS.contains(&code));
    if ours || matches!(error, SdkError::ConstructionFailure(_)) {
        Error::internal(error)
    } else {
        Error::Unavailable(Box::new(error))
    }
}
