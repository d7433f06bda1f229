//! What those who work for the operator do with payments.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use lmo_shared::{
    auth::Operator,
    billing::{Amount, Currency, Invoice, PaymentStatus, payments::Payments},
    clock::Clock,
    error::Error,
    http::{Create, Created, Errors, Handled, Segments, is_replayed},
    id::{InvoiceId, PaymentId},
    store::Change,
    tenant::Tenants,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A payment that came past Stripe.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotePaymentRequest {
    /// How much, at most what is open.
    pub amount: Amount,
    /// What it is known by: the reference of the transfer, 1 to 200 characters.
    pub reference: String,
}

/// A payment that was noted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NotedView {
    /// Its identifier.
    pub id: PaymentId,
    /// What it pays.
    pub invoice: InvoiceId,
    /// How much.
    pub amount: Amount,
    /// The currency.
    pub currency: Currency,
    /// What is still open of the invoice.
    pub open: Amount,
}

/// Money that is to go back.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundRequest {
    /// How much, at most what was paid and has not gone back yet.
    pub amount: Amount,
    /// Why, 1 to 200 characters. It is in the tenant's audit log.
    pub reason: String,
}

/// How far the payment of an invoice is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PaidView {
    /// The invoice.
    pub invoice: InvoiceId,
    /// What became of its payment.
    pub payment: PaymentStatus,
    /// The currency.
    pub currency: Currency,
    /// What was paid.
    pub paid: Amount,
    /// What of that went back, or is on its way.
    pub refunded: Amount,
    /// What is still open.
    pub open: Amount,
}

impl PaidView {
    fn of(invoice: &Invoice) -> Result<Self, Error> {
        let Invoice { id, payment, currency, paid, refunded, .. } = *invoice;
        Ok(Self { invoice: id, payment, currency, paid, refunded, open: invoice.open()? })
    }
}

/// Notes that an invoice was paid past Stripe, by transfer, in part or in full.
#[utoipa::path(
    post,
    path = "/api/admin/billing/tenants/{id}/invoices/{invoice}/payments",
    operation_id = "adminNotePayment",
    tag = "admin",
    request_body = NotePaymentRequest,
    params(
        ("id" = String, Path, description = "The tenant's id"),
        ("invoice" = String, Path, description = "The invoice's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Notes it once, however often it is sent"),
    ),
    responses((status = 201, description = "The payment", body = NotedView), Errors)
)]
pub(super) async fn note(
    operator: Operator,
    State(payments): State<Payments>,
    State(tenants): State<Tenants>,
    State(clock): State<Clock>,
    Segments(id, invoice): Segments,
    Create { body: NotePaymentRequest { amount, reference }, once }: Create<NotePaymentRequest>,
) -> Handled<Response> {
    let (tenant, invoice) = (super::tenant(id)?, super::invoice(invoice)?);
    let work = async |change: &mut Change| {
        let noted = payments.note(change, tenant, invoice, amount, &reference, &operator.actor()).await?;
        let (payment, open) = (noted.payment, noted.open);
        let body = NotedView { id: payment.id, invoice, amount, currency: payment.currency, open };
        Ok(Created { status: StatusCode::CREATED, body, refused: changed() })
    };
    let who = operator.user().to_string();
    let response = once.run(&tenants.of_operators(), &who, clock.now(), work).await?;
    if !is_replayed(&response) {
        super::follow(&payments, tenant, invoice).await;
    }
    Ok(response)
}

/// Has money of an invoice go back the way that it came: by Stripe, or noted as sent by the operator. What the invoice says
/// stays; a credit note changes that.
#[utoipa::path(
    post,
    path = "/api/admin/billing/tenants/{id}/invoices/{invoice}/refund",
    operation_id = "adminRefundInvoice",
    tag = "admin",
    request_body = RefundRequest,
    params(
        ("id" = String, Path, description = "The tenant's id"),
        ("invoice" = String, Path, description = "The invoice's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Refunds once, however often it is sent"),
    ),
    responses((status = 201, description = "It is on its way", body = PaidView), Errors)
)]
pub(super) async fn refund(
    operator: Operator,
    State(payments): State<Payments>,
    State(tenants): State<Tenants>,
    State(clock): State<Clock>,
    Segments(id, invoice): Segments,
    Create { body: RefundRequest { amount, reason }, once }: Create<RefundRequest>,
) -> Handled<Response> {
    let (tenant, invoice) = (super::tenant(id)?, super::invoice(invoice)?);
    let work = async |change: &mut Change| {
        let written = payments.refund(change, tenant, invoice, amount, &reason, &operator.actor()).await?;
        Ok(Created { status: StatusCode::CREATED, body: PaidView::of(&written)?, refused: changed() })
    };
    let who = operator.user().to_string();
    let response = once.run(&tenants.of_operators(), &who, clock.now(), work).await?;
    if !is_replayed(&response) {
        super::follow(&payments, tenant, invoice).await;
    }
    Ok(response)
}

/// Gives an invoice up: nothing more is tried to have it paid. Should it be paid after all, it is paid.
#[utoipa::path(
    post,
    path = "/api/admin/billing/tenants/{id}/invoices/{invoice}/uncollectible",
    operation_id = "adminGiveInvoiceUp",
    tag = "admin",
    params(
        ("id" = String, Path, description = "The tenant's id"),
        ("invoice" = String, Path, description = "The invoice's id"),
    ),
    responses((status = 200, description = "It is given up", body = PaidView), Errors)
)]
pub(super) async fn give_up(
    operator: Operator,
    State(payments): State<Payments>,
    Segments(id, invoice): Segments,
) -> Handled<Json<PaidView>> {
    let (tenant, invoice) = (super::tenant(id)?, super::invoice(invoice)?);
    let written = payments.give_up(tenant, invoice, &operator.actor()).await?;
    super::follow(&payments, tenant, invoice).await;
    Ok(Json(PaidView::of(&written)?))
}

fn changed() -> Error {
    Error::Conflict("the invoice has changed meanwhile; try again".to_owned())
}
