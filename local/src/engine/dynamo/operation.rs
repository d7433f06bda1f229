//! The wire text of each `DynamoDB` operation, parsed to a call on the database.

use dynoxide::{
    DynoxideError, NativeDatabase,
    actions::{
        delete_item::DeleteItemRequest,
        put_item::PutItemRequest,
        transact_write_items::{TransactDelete, TransactPut, TransactUpdate, TransactWriteItem},
        update_item::UpdateItemRequest,
    },
};
use serde::{Serialize, de::DeserializeOwned};

/// Renders an answer as wire text; run by whoever waits for it, not by the database thread.
pub(super) type Render = Box<dyn FnOnce() -> serde_json::Result<Vec<u8>> + Send>;
/// What the database said.
pub(super) type Outcome = Result<Render, DynoxideError>;
type Call = Box<dyn FnOnce(&NativeDatabase) -> Outcome + Send>;

/// One parsed request.
pub(super) struct Task {
    /// Runs it by itself.
    pub call: Call,
    /// The same as an action of a transaction, if nobody could tell the difference when it succeeds.
    pub action: Option<TransactWriteItem>,
    /// The length of its text in bytes, as a bound for the size of its item.
    pub size: usize,
    /// Whether it changes anything.
    pub writes: bool,
}

/// Parses `body` as the request of `operation`; `None` if there is no such operation here.
pub(super) fn parse(operation: &str, body: &[u8]) -> Result<Option<Task>, DynoxideError> {
    type Db = NativeDatabase;
    let task = match operation {
        "GetItem" => read(body, Db::get_item),
        "Query" => read(body, Db::query),
        "Scan" => read(body, Db::scan),
        "BatchGetItem" => read(body, Db::batch_get_item),
        "TransactGetItems" => read(body, Db::transact_get_items),
        "DescribeTable" => read(body, Db::describe_table),
        "ListTables" => read(body, Db::list_tables),
        "DescribeTimeToLive" => read(body, Db::describe_time_to_live),
        "PutItem" => write(body, Db::put_item, put_action),
        "UpdateItem" => write(body, Db::update_item, update_action),
        "DeleteItem" => write(body, Db::delete_item, delete_action),
        "BatchWriteItem" => write(body, Db::batch_write_item, |_| None),
        "TransactWriteItems" => write(body, Db::transact_write_items, |_| None),
        "CreateTable" => write(body, Db::create_table, |_| None),
        "DeleteTable" => write(body, Db::delete_table, |_| None),
        "UpdateTable" => write(body, Db::update_table, |_| None),
        "UpdateTimeToLive" => write(body, Db::update_time_to_live, |_| None),
        _ => return Ok(None),
    };
    task.map(Some)
}

fn read<Q, A>(body: &[u8], call: fn(&NativeDatabase, Q) -> dynoxide::Result<A>) -> Result<Task, DynoxideError>
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
{
    let task = write(body, call, |_| None)?;
    Ok(Task { writes: false, ..task })
}

fn write<Q, A>(
    body: &[u8],
    call: fn(&NativeDatabase, Q) -> dynoxide::Result<A>,
    action: fn(&Q) -> Option<TransactWriteItem>,
) -> Result<Task, DynoxideError>
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
{
    let request: Q = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    Ok(Task {
        action: action(&request),
        size: body.len(),
        writes: true,
        call: Box::new(move |database| {
            let answer = call(database, request)?;
            Ok(Box::new(move || serde_json::to_vec(&answer)))
        }),
    })
}

/// The database's own validation arrives as a marked parse error.
fn unreadable(error: &serde_json::Error) -> DynoxideError {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    match text.split_once(':') {
        Some((marker, rest)) if marker.starts_with("VALIDATION") => DynoxideError::ValidationException(rest.to_owned()),
        Some((marker, rest)) if marker.starts_with("SERIALIZATION") => {
            DynoxideError::SerializationException(rest.to_owned())
        }
        _ if text.starts_with("missing field") || text.contains("AttributeValue") => {
            DynoxideError::ValidationException(text.to_owned())
        }
        _ => DynoxideError::SerializationException(text.to_owned()),
    }
}

fn put_action(request: &PutItemRequest) -> Option<TransactWriteItem> {
    let plain = is_none(request.return_values.as_ref())
        && is_none(request.return_consumed_capacity.as_ref())
        && is_none(request.return_item_collection_metrics.as_ref())
        && request.expected.is_none()
        && request.conditional_operator.is_none();
    plain.then(|| TransactWriteItem {
        put: Some(TransactPut {
            table_name: request.table_name.clone(),
            item: request.item.clone(),
            condition_expression: request.condition_expression.clone(),
            expression_attribute_names: request.expression_attribute_names.clone(),
            expression_attribute_values: request.expression_attribute_values.clone(),
            return_values_on_condition_check_failure: None,
        }),
        ..TransactWriteItem::default()
    })
}

fn update_action(request: &UpdateItemRequest) -> Option<TransactWriteItem> {
    let plain = is_none(request.return_values.as_ref())
        && is_none(request.return_consumed_capacity.as_ref())
        && is_none(request.return_item_collection_metrics.as_ref())
        && request.attribute_updates.is_none()
        && request.expected.is_none()
        && request.conditional_operator.is_none();
    let update_expression = request.update_expression.clone().filter(|_| plain)?;
    Some(TransactWriteItem {
        update: Some(TransactUpdate {
            table_name: request.table_name.clone(),
            key: request.key.clone(),
            update_expression,
            condition_expression: request.condition_expression.clone(),
            expression_attribute_names: request.expression_attribute_names.clone(),
            expression_attribute_values: request.expression_attribute_values.clone(),
            return_values_on_condition_check_failure: None,
        }),
        ..TransactWriteItem::default()
    })
}

fn delete_action(request: &DeleteItemRequest) -> Option<TransactWriteItem> {
    let plain = is_none(request.return_values.as_ref())
        && is_none(request.return_consumed_capacity.as_ref())
        && is_none(request.return_item_collection_metrics.as_ref())
        && request.expected.is_none()
        && request.conditional_operator.is_none();
    plain.then(|| TransactWriteItem {
        delete: Some(TransactDelete {
            table_name: request.table_name.clone(),
            key: request.key.clone(),
            condition_expression: request.condition_expression.clone(),
            expression_attribute_names: request.expression_attribute_names.clone(),
            expression_attribute_values: request.expression_attribute_values.clone(),
            return_values_on_condition_check_failure: None,
        }),
        ..TransactWriteItem::default()
    })
}

fn is_none(option: Option<&String>) -> bool {
    option.is_none_or(|value| value == "NONE")
}
