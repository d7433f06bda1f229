//! Billing: what tenants pay for what they used. `plan` and `settings` are what the operator says, `subscription` and `profile`
//! what is known of a tenant; rating makes a [`Statement`] of an [`Account`], purely; an [`Invoice`] is a statement with a
//! seller, a buyer, tax and a life.

mod amount;
mod cap;
mod check;
pub mod document;
mod file;
pub mod forecast;
mod invoice;
pub mod invoices;
mod payment;
pub mod payments;
mod plan;
mod profile;
mod rate;
pub mod repo;
pub mod revenue;
pub mod run;
mod settings;
mod statement;
pub mod stripe;
mod subscription;

pub use amount::{Amount, Currency, NANOS, Percent, sum};
pub use file::plans_from_toml;
pub use invoice::{Compared, CreditNote, CreditSettlement, Invoice, InvoiceStatus, PaymentStatus, TaxLine};
pub use payment::{Collection, Letter, Method, Payment, PaymentState, Purchase, Refund, RefundState, Source};
pub use plan::{Charge, KindPrices, Overage, Package, Plan, PriceRule, Seats, Tier, Trial};
pub use profile::{PaymentMethod, Profile, Wallet};
pub use rate::{charged, rate, segments};
pub use settings::{CountryTax, Dunning, Seller, Settings};
pub use statement::{Account, Adjustment, Discount, Line, LineKind, Off, Segment, Statement, TokenKind, Used};
pub use subscription::{Coupon, Grant, Pause, Redeemed, Subscription, Term};
