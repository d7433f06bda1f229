//! Which actions of AWS a function asks for, and which its role allows: both must be the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{infrastructure::Infrastructure, literals::Literals};

/// What the SDK's clients call their spans, before the operation; and what IAM calls the service. The operation's name
/// stands in the program only if something calls it.
const CLIENTS: [(&str, &str); 3] =
    [("DynamoDB.", "dynamodb"), ("Kinesis.", "kinesis"), ("Secrets Manager.", "secretsmanager")];

/// The operations that are known here, and their actions if these have other names. Transactions have no action of their
/// own but those of their parts: see [`IN_TRANSACTIONS`].
const OPERATIONS: [(&str, &[&str]); 16] = [
    ("BatchGetItem", &[]),
    ("BatchWriteItem", &[]),
    ("CreateSecret", &[]),
    ("DeleteItem", &[]),
    ("GetItem", &[]),
    ("GetSecretValue", &[]),
    ("PutItem", &[]),
    ("PutRecord", &[]),
    ("PutRecords", &[]),
    ("PutSecretValue", &[]),
    ("Query", &[]),
    ("Scan", &[]),
    ("TransactGetItems", &["GetItem"]),
    ("TransactWriteItems", &["PutItem", "UpdateItem"]),
    ("UpdateItem", &[]),
    ("UpdateSecretVersionStage", &[]),
];

/// All of LMO's transactions put and update. Whether one deletes or checks, too, can't be seen in a program, so a role may
/// allow that or not.
const TRANSACTION: &str = "TransactWriteItems";
const IN_TRANSACTIONS: [&str; 2] = ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem"];

/// Sends something to a WebSocket's client.
pub const SEND: &str = "execute-api:ManageConnections";

/// Actions that are asked for without a client of the SDK, by a text that only a program with that code has.
const BY_URL: [(&str, &[&str]); 5] = [
    // The path by which Amazon SES takes mails.
    ("/v2/email/outbound-emails", &["ses:SendEmail"]),
    // The header field in which Bedrock counts tokens, read where its answers are.
    ("x-amzn-bedrock-", &["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]),
    // A part of the path by which a WebSocket's client is sent something.
    ("@connections", &[SEND]),
    // The path by which AWS Lambda takes invocations.
    ("/2015-03-31/functions/", &["lambda:InvokeFunction"]),
    // What is said of Amazon S3's answer to an object that is put, whose address has no text of its own.
    ("Amazon S3 answered ", &["s3:PutObject"]),
];

/// The actions that a program asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// For sure.
    pub actions: BTreeSet<String>,
    /// Whether it may ask for [`IN_TRANSACTIONS`] as well.
    transacts: bool,
}

#[cfg(test)]
impl Asked {
    /// These alone.
    pub fn of(actions: BTreeSet<String>) -> Self {
        Self { actions, transacts: false }
    }
}

/// The actions that a program asks for.
///
/// # Errors
/// Operations that are not known here.
pub fn asked(program: &Literals) -> Result<Asked, String> {
    let mut asked = BTreeSet::new();
    let mut transacts = false;
    for (client, service) in CLIENTS {
        for word in program.after(client) {
            let known = OPERATIONS.iter().filter(|(operation, _)| word.starts_with(operation));
            let (operation, actions) = known.max_by_key(|(operation, _)| operation.len()).ok_or_else(|| {
                format!("the program calls `{client}{word}`, which xtask/src/contract/actions.rs has no action for")
            })?;
            transacts |= *operation == TRANSACTION;
            let actions = if actions.is_empty() { std::slice::from_ref(operation) } else { actions };
            asked.extend(actions.iter().map(|action| format!("{service}:{action}")));
        }
    }
    for (text, actions) in BY_URL {
        if !program.find(&[text]).is_empty() {
            asked.extend(actions.iter().map(|&action| action.to_owned()));
        }
    }
    Ok(Asked { actions: asked, transacts })
}

/// The actions that roles allow for what the code asks, by function. What Lambda itself does with a role (write logs,
/// read the stream) is in other policies.
///
/// # Errors
/// A policy that can't be read.
pub fn allowed(infrastructure: &Infrastructure) -> Result<BTreeMap<&str, BTreeSet<String>>, String> {
    let policies = infrastructure.each("aws_iam_role_policy", "own").into_iter();
    let read = |(function, policy): (_, &super::infrastructure::Resource)| {
        let document: Value = serde_json::from_str(policy.text("policy"))
            .map_err(|error| format!("aws_iam_role_policy.own[\"{function}\"]: {error}"))?;
        let statements = document["Statement"].as_array().into_iter().flatten();
        let allowing = statements.filter(|statement| statement["Effect"] == "Allow");
        Ok((function, allowing.flat_map(|statement| texts(&statement["Action"])).collect()))
    };
    policies.map(read).collect()
}

/// One text, or a list of them.
fn texts(value: &Value) -> Vec<String> {
    let values = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
    values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What a function asks for and may not do, and what it may do and never asks for.
pub fn compare(function: &str, asked: &Asked, allowed: &BTreeSet<String>) -> Vec<String> {
    let Asked { actions, transacts } = asked;
    let missing =
        actions.difference(allowed).map(|it| format!("{function}: calls {it}, which its role does not allow"));
    let surplus = allowed.difference(actions).filter(|it| !(*transacts && IN_TRANSACTIONS.contains(&it.as_str())));
    let surplus = surplus.map(|it| format!("{function}: its role allows {it}, which it never calls"));
    missing.chain(surplus).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::infrastructure::tests::built, *};

    fn actions(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn only(names: &[&str]) -> Asked {
        Asked::of(actions(names))
    }

    fn policy(statements: &Value) -> Infrastructure {
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        built(&[("aws_iam_role_policy", "own", "query", json!({"policy": policy}))])
    }

    #[test]
    fn operations_are_read_from_the_spans_that_the_program_has() {
        let program = Literals::from("DynamoDB.UpdateItemDynamoDB.GetItemrpcKinesis.PutRecordsDynamoDB.Queryfailed");
        let expected = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem", "kinesis:PutRecords"];
        assert_eq!(asked(&program).unwrap().actions, actions(&expected));
    }

    #[test]
    fn a_transaction_asks_for_its_parts() {
        let program = Literals::from("DynamoDB.TransactWriteItemsrpc");
        let asked = asked(&program).unwrap();
        assert_eq!(asked.actions, actions(&["dynamodb:PutItem", "dynamodb:UpdateItem"]));
        let allowed = ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"];
        assert_eq!(compare("query", &asked, &actions(&allowed)), [""; 0]);
    }

    #[test]
    fn what_is_called_by_its_url_is_known_by_other_text() {
        let program = Literals::from(
            "x-amzn-bedrock-input-token-count and /@connections/ and /2015-03-31/functions/ and Amazon S3 answered ",
        );
        let expected = [
            "bedrock:InvokeModel",
            "bedrock:InvokeModelWithResponseStream",
            "execute-api:ManageConnections",
            "lambda:InvokeFunction",
            "s3:PutObject",
        ];
        assert_eq!(asked(&program).unwrap().actions, actions(&expected));
    }

    #[test]
    fn an_operation_that_is_not_known_here_is_an_error() {
        let problem = asked(&Literals::from("DynamoDB.ExecuteStatement")).unwrap_err();
        assert!(problem.starts_with("the program calls `DynamoDB.ExecuteStatement`"), "{problem}");
    }

    #[test]
    fn a_policy_says_one_action_or_several() {
        let found = policy(&json!([
            {"Effect": "Allow", "Action": "dynamodb:Query", "Resource": "*"},
            {"Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:PutItem"], "Resource": "*"},
            {"Effect": "Deny", "Action": "dynamodb:Scan", "Resource": "*"},
        ]));
        let expected = actions(&["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]);
        assert_eq!(allowed(&found).unwrap()["query"], expected);
    }

    #[test]
    fn a_call_that_no_statement_allows_is_found() {
        let problems = compare("query", &only(&["dynamodb:GetItem"]), &actions(&[]));
        assert_eq!(problems, ["query: calls dynamodb:GetItem, which its role does not allow"]);
    }

    #[test]
    fn an_action_that_is_never_called_is_found_and_so_is_a_wildcard() {
        let problems = compare("query", &only(&["dynamodb:GetItem"]), &actions(&["dynamodb:*", "dynamodb:GetItem"]));
        assert_eq!(problems, ["query: its role allows dynamodb:*, which it never calls"]);
    }
}
