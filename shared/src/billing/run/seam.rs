//! Stands in until invoices are made.
use serde::{Deserialize, Serialize};

use crate::{
    clock::{Period, Timestamp},
    error::Result,
    id::TenantId,
    store::{Table, Written, keys},
};

/// What became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Billed {
    /// Nothing.
    Nothing,
    /// Waiting.
    Waiting {
        /// Until.
        until: Timestamp,
    },
    /// Draft.
    Draft {
        /// Why.
        why: String,
    },
    /// Finalised.
    Finalised {
        /// New.
        new: bool,
    },
}

/// Invoices.
#[derive(Debug, Clone)]
pub struct Invoices(pub Table);

impl Invoices {
    /// Bills.
    ///
    /// # Errors
    /// Table.
    pub async fn bill(&self, tenant: TenantId, month: Period, now: Timestamp) -> Result<Billed> {
        if tenant.made_at() >= month.end() {
            return Ok(Billed::Nothing);
        }
        let until = month.end().after(std::time::Duration::from_hours(24));
        if now < until {
            return Ok(Billed::Waiting { until });
        }
        let sort = keys::invoice(keys::invoice_of(tenant, month));
        let written = self.0.tenant(tenant).invoices().put_new(&sort, &serde_json::json!({"tenant": tenant})).await?;
        Ok(Billed::Finalised { new: written == Written::Yes })
    }
}
