//! An update of a meter on its way to the table, and what became of it.

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::update_item::{UpdateItemError, UpdateItemOutput, builders::UpdateItemFluentBuilder},
};

use super::Meter;
use crate::{
    error::{Error, Result},
    store::failure,
};

/// What became of an update.
pub(super) enum Sent {
    /// It took place.
    Done(Box<UpdateItemOutput>),
    /// Its condition doesn't hold for the meter as it is.
    Refused(Box<Meter>),
    /// There is no such meter yet.
    NoMeter,
}

/// Sends an update, again if a transaction has the item at the moment: that refuses it, and no SDK repeats it.
pub(super) async fn send(update: UpdateItemFluentBuilder) -> Result<Sent> {
    const PAUSES: [u64; 6] = [2, 5, 10, 25, 50, 100];
    for pause in PAUSES {
        match update.clone().send().await {
            Ok(output) => return Ok(Sent::Done(Box::new(output))),
            Err(error) if error.code() == Some("TransactionConflictException") => {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            Err(error) => return refused(error),
        }
    }
    Err(Error::Unavailable("the meter is contended".into()))
}

fn refused(error: SdkError<UpdateItemError>) -> Result<Sent> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => match refusal.item() {
            Some(item) if !item.is_empty() => {
                let meter = serde_dynamo::from_item(item.clone()).map_err(Error::internal)?;
                Ok(Sent::Refused(Box::new(meter)))
            }
            _ => Ok(Sent::NoMeter),
        },
        _ => Err(failure(error)),
    }
}
