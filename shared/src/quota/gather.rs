//! Sub-meters share what remains: when each of them alone has too little, what they have left is gathered into one,
//! in a transaction, so that a split meter refuses nothing that a whole one would admit, and admits nothing more.

use aws_sdk_dynamodb::{error::ProvideErrorMetadata, types::TransactWriteItem};

use super::{Meter, Need, expression, meters::Account, signed};
use crate::{
    clock::Period,
    error::{Error, Result},
    store::{Table, failure, keys, keys::MeterScope},
};

/// How often it tries again when the sub-meters change meanwhile.
const TRIES: usize = 5;

/// Moves what `need` lacks from the other sub-meters into `target`. `false` if all together don't have it.
pub(super) async fn into_one(table: &Table, account: &Account, month: Period, target: u8, need: Need) -> Result<bool> {
    for _ in 0..TRIES {
        let meters = super::flight::meters_of(table, account.tenant, month).await?;
        let Some(gifts) = plan(&meters, target, need) else { return Ok(false) };
        if gifts.is_empty() || give(table, account, month, target, &gifts).await? {
            return Ok(true);
        }
    }
    Err(Error::Unavailable("the sub-meters are contended".into()))
}

/// What a sub-meter gives: tokens and nano-USD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gift {
    from: u8,
    tokens: i64,
    nano_usd: i64,
}

/// Who gives how much so that `target` has enough; `None` if there isn't enough.
fn plan(meters: &[(MeterScope, Meter)], target: u8, need: Need) -> Option<Vec<Gift>> {
    let shards = || {
        meters.iter().filter_map(|(scope, meter)| match scope {
            MeterScope::Tenant(shard) => Some((*shard, meter)),
            MeterScope::Key(_) => None,
        })
    };
    let own = shards().find(|(shard, _)| *shard == target).map(|(_, meter)| meter)?;
    let mut tokens = (signed(need.tokens()) - own.tokens_left).max(0);
    let mut nano_usd = (signed(need.cost.0) - own.nano_usd_left).max(0);
    let mut gifts = Vec::new();
    for (from, meter) in shards().filter(|(shard, _)| *shard != target) {
        let gift = Gift {
            from,
            tokens: tokens.min(meter.tokens_left.max(0)),
            nano_usd: nano_usd.min(meter.nano_usd_left.max(0)),
        };
        tokens -= gift.tokens;
        nano_usd -= gift.nano_usd;
        if gift.tokens + gift.nano_usd > 0 {
            gifts.push(gift);
        }
    }
    (tokens == 0 && nano_usd == 0).then_some(gifts)
}

/// Whether the gifts were given; `false` if a giver has no longer what it was to give.
async fn give(table: &Table, account: &Account, month: Period, target: u8, gifts: &[Gift]) -> Result<bool> {
    let partition = table.tenant(account.tenant).main();
    let part = |shard: u8, tokens: i64, nano_usd: i64, expression: &str, condition: &str| {
        let update = partition
            .update_in_transaction(&keys::meter(month, MeterScope::Tenant(shard)))
            .update_expression(expression)
            .condition_expression(condition)
            .expression_attribute_values(":t", crate::store::number(tokens))
            .expression_attribute_values(":c", crate::store::number(nano_usd))
            .build()
            .map_err(Error::internal)?;
        Ok::<_, Error>(TransactWriteItem::builder().update(update).build())
    };
    let sum = |of: fn(&Gift) -> i64| gifts.iter().map(of).sum::<i64>();
    let mut parts =
        vec![part(target, sum(|g| g.tokens), sum(|g| g.nano_usd), expression::RECEIVE, "attribute_exists(pk)")?];
    for gift in gifts {
        parts.push(part(gift.from, gift.tokens, gift.nano_usd, expression::GIVE, expression::CAN_GIVE)?);
    }
    match table.client().transact_write_items().set_transact_items(Some(parts)).send().await {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("TransactionCanceledException") => Ok(false),
        Err(error) => Err(failure(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{money::Tokens, quota::Limits};

    fn meters(left: &[u64]) -> Vec<(MeterScope, Meter)> {
        let meter = |tokens: &u64| Meter::open(&Limits { monthly_tokens: Some(*tokens), ..Limits::default() });
        (0..).map(MeterScope::Tenant).zip(left.iter().map(meter)).collect()
    }

    #[test]
    fn what_is_scattered_is_enough_and_one_token_less_is_not() {
        let need = Need { input: Tokens(30), ..Need::default() };
        let gifts = plan(&meters(&[10, 10, 10]), 1, need).unwrap();
        assert_eq!(gifts.iter().map(|gift| gift.tokens).sum::<i64>(), 20);
        assert_eq!(plan(&meters(&[10, 10, 9]), 1, need), None);
    }
}
