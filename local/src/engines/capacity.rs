//! What a `DynamoDB` call consumes: the engine is asked to say, and the answer goes back without what nobody asked for.

use axum::body::Bytes;
use serde_json::{Map, Value, json};

use super::calls::Units;

const ASKED: &str = "ReturnConsumedCapacity";
const SAID: &str = "ConsumedCapacity";
const READS: [&str; 5] = ["GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems"];
const WRITES: [&str; 5] = ["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"];

/// A request that asks for its capacity.
pub(super) struct Measured {
    pub body: Bytes,
    pub added: Added,
}

/// Whether the question was added, and so has to be taken out of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    Reads,
    Writes,
    Nothing,
}

/// Adds the question, unless the client asks by itself or the operation consumes nothing.
pub(super) fn ask(target: &str, body: Bytes) -> Measured {
    let kind = match target.strip_prefix("DynamoDB_20120810.") {
        Some(operation) if READS.contains(&operation) => Added::Reads,
        Some(operation) if WRITES.contains(&operation) => Added::Writes,
        Some(_) | None => Added::Nothing,
    };
    match object(&body) {
        Some(mut request) if kind != Added::Nothing && !request.contains_key(ASKED) => {
            request.insert(ASKED.to_owned(), json!("TOTAL"));
            Measured { body: Value::Object(request).to_string().into(), added: kind }
        }
        _ => Measured { body, added: Added::Nothing },
    }
}

/// Takes what was consumed out of an answer.
pub(super) fn take(added: Added, body: Bytes) -> (Bytes, Units) {
    let Some(mut answer) = (added != Added::Nothing).then(|| object(&body)).flatten() else {
        return (body, Units::default());
    };
    let Some(said) = answer.remove(SAID) else { return (body, Units::default()) };
    let tables = match said {
        Value::Array(tables) => tables,
        table => vec![table],
    };
    let total = tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum();
    let units = match added {
        Added::Reads => Units { read_units: total, write_units: 0.0 },
        Added::Writes => Units { read_units: 0.0, write_units: total },
        Added::Nothing => Units::default(),
    };
    (Value::Object(answer).to_string().into(), units)
}

fn object(body: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_added_and_its_answer_taken_out() {
        let measured = ask("DynamoDB_20120810.PutItem", Bytes::from_static(b"{\"TableName\":\"t\"}"));
        assert_eq!(measured.body, "{\"TableName\":\"t\",\"ReturnConsumedCapacity\":\"TOTAL\"}");
        let answer = Bytes::from_static(b"{\"ConsumedCapacity\":{\"TableName\":\"t\",\"CapacityUnits\":3.0}}");
        let (body, units) = take(measured.added, answer);
        assert_eq!((body, units), (Bytes::from_static(b"{}"), Units { read_units: 0.0, write_units: 3.0 }));
    }

    #[test]
    fn whoever_asks_is_answered() {
        let body = Bytes::from_static(b"{\"ReturnConsumedCapacity\":\"TOTAL\"}");
        let measured = ask("DynamoDB_20120810.GetItem", body.clone());
        assert_eq!((&measured.body, measured.added), (&body, Added::Nothing));
        let answer = Bytes::from_static(b"{\"ConsumedCapacity\":{\"CapacityUnits\":0.5}}");
        assert_eq!(take(measured.added, answer.clone()).0, answer);
    }

    #[test]
    fn other_services_are_left_alone() {
        let body = Bytes::from_static(b"{}");
        assert_eq!(ask("Kinesis_20131202.PutRecords", body.clone()).body, body);
    }
}
