//! Who called what: callers are told apart by their access key, which a test or a cost model gives to each function.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// Which calls are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Scope {
    /// The access key id that signed.
    caller: String,
    /// The service that it signed for, as in `dynamodb`.
    service: String,
    /// The operation, as in `GetItem`.
    operation: String,
}

impl Scope {
    /// From a request's `authorization` (Signature Version 4, `Credential=<key>/<date>/<region>/<service>/aws4_request`)
    /// and `x-amz-target`. What isn't there is empty.
    pub fn of(authorization: &str, target: &str) -> Self {
        let credential = authorization.split_once("Credential=").map_or("", |(_, rest)| rest);
        let credential = credential.split(',').next().unwrap_or_default();
        let mut parts = credential.split('/');
        let caller = parts.next().unwrap_or_default().to_owned();
        let service = parts.nth(2).unwrap_or_default().to_owned();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        Self { caller, service, operation }
    }
}

/// Capacity units of `DynamoDB`, as it bills requests on demand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Units {
    /// Of reads; an eventually consistent one takes half.
    pub read_units: f64,
    /// Of writes; a transaction takes twice as many.
    pub write_units: f64,
}

#[derive(Debug, Clone, Default, Serialize)]
struct Sum {
    calls: u64,
    /// Those of them that the engine refused, as it does when a condition doesn't hold.
    failed: u64,
    request_bytes: usize,
    response_bytes: usize,
    #[serde(flatten)]
    units: Units,
}

/// All calls so far, in bytes of bodies. It serialises as a list of scopes with their sums.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls(BTreeMap<Scope, Sum>);

impl Calls {
    /// Counts one call.
    pub fn add(&mut self, scope: Scope, request: usize, response: usize, succeeded: bool, units: Units) {
        let sum = self.0.entry(scope).or_default();
        sum.calls += 1;
        sum.failed += u64::from(!succeeded);
        sum.request_bytes += request;
        sum.response_bytes += response;
        sum.units.read_units += units.read_units;
        sum.units.write_units += units.write_units;
    }
}

impl Serialize for Calls {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Row<'a> {
            #[serde(flatten)]
            scope: &'a Scope,
            #[serde(flatten)]
            sum: &'a Sum,
        }
        serializer.collect_seq(self.0.iter().map(|(scope, sum)| Row { scope, sum }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_names_caller_and_service() {
        let authorization = "AWS4-HMAC-SHA256 Credential=query/20261125/us-east-1/dynamodb/aws4_request, \
                             SignedHeaders=host;x-amz-date, Signature=00";
        let scope = Scope::of(authorization, "DynamoDB_20120810.GetItem");
        let text = |text: &str| text.to_owned();
        let expected = Scope { caller: text("query"), service: text("dynamodb"), operation: text("GetItem") };
        assert_eq!(scope, expected);
    }

    #[test]
    fn calls_of_one_scope_are_summed() {
        let mut calls = Calls::default();
        let scope = || Scope::of("Credential=a/b/c/dynamodb/d", "X.PutItem");
        calls.add(scope(), 10, 2, true, Units { read_units: 0.0, write_units: 1.0 });
        calls.add(scope(), 20, 3, false, Units::default());
        let expected = serde_json::json!([{
            "caller": "a", "service": "dynamodb", "operation": "PutItem", "calls": 2, "failed": 1,
            "request_bytes": 30, "response_bytes": 5, "read_units": 0.0, "write_units": 1.0,
        }]);
        assert_eq!(serde_json::to_value(&calls).unwrap(), expected);
    }
}
