//! The operator's side of invoices: all of a month, those of a tenant, what takes them back, and their books.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use futures_util::{StreamExt, TryStreamExt, stream};
use lmo_shared::{
    audit::IfMatch,
    auth::Operator,
    billing::{
        Amount, CreditSettlement, Invoice, InvoiceStatus, PaymentStatus,
        document::{BooksView, CreditNoteView, InvoiceView},
        invoices::{Invoices, NewCreditNote},
        payments::Payments,
    },
    clock::{Clock, Granularity, Period},
    error::Error,
    http::{Body, Create, Created, Errors, Handled, Page, PageParams, Params, Segment, Segments, Versioned, name},
    id::{InvoiceId, TenantId},
    store::{Change, keys},
    tenant::{Listed, Tenants},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{CreditNoteList, InvoiceList, Wanted, invoice_as, invoice_id};

/// How many invoices are read beside each other.
const AT_ONCE: usize = 16;

/// Which invoices of all tenants are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedOfAll {
    /// The UTC month, as in `2026-10`; the last one if absent.
    period: Option<String>,
    /// Only those that are so far.
    #[param(inline)]
    status: Option<InvoiceStatus>,
    /// Only those of whose payment this became.
    #[param(inline)]
    payment: Option<PaymentStatus>,
    /// The most tenants that are looked at, 1 to 100; 50 if absent. A page has at most one invoice of each.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Why an invoice is void.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VoidRequest {
    /// In 1 to 100 characters. The tenant sees it.
    pub reason: String,
}

/// What is to be taken back of an invoice.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditNoteRequest {
    /// How much, before tax; all that is left if absent.
    pub amount: Option<Amount>,
    /// Why, in 1 to 100 characters. The tenant sees it.
    pub reason: String,
    /// What becomes of the money.
    pub settlement: CreditSettlement,
}

fn tenant_id(text: String) -> Result<TenantId, Error> {
    TenantId::parse(&text).ok_or(Error::NotFound { kind: "tenant", id: text })
}

fn both(Segments(tenant, invoice): Segments) -> Result<(TenantId, InvoiceId), Error> {
    Ok((tenant_id(tenant)?, invoice_id(invoice)?))
}

/// The invoices of a month, of all tenants that there are, the oldest tenant first. A page may be empty and still have a next one.
#[utoipa::path(
    get,
    path = "/api/admin/invoices",
    operation_id = "adminListInvoices",
    tag = "admin",
    params(WantedOfAll),
    responses((status = 200, description = "A page of invoices", body = InvoiceList), Errors)
)]
pub(super) async fn list(
    _: Operator,
    State(invoices): State<Invoices>,
    State(tenants): State<Tenants>,
    State(clock): State<Clock>,
    Params(wanted): Params<WantedOfAll>,
) -> Handled<Json<InvoiceList>> {
    let bad = || Error::invalid("period", "period must be a month, as in 2026-10");
    let month = match &wanted.period {
        None => Period::month(clock.now()).previous(),
        Some(text) => Period::parse(text).filter(|month| month.granularity == Granularity::Month).ok_or_else(bad)?,
    };
    let page = Page::of(wanted.limit, wanted.cursor.as_deref(), "", 100)?;
    let (found, next) = tenants.page(page.after.as_deref(), page.limit).await?;
    let invoices = &invoices;
    let read = |tenant: Listed| invoices.find(tenant.id, keys::invoice_of(tenant.id, month));
    let read: Vec<Option<Invoice>> = stream::iter(found).map(read).buffered(AT_ONCE).try_collect().await?;
    let fits = |invoice: &Invoice| {
        wanted.status.is_none_or(|status| invoice.status == status)
            && wanted.payment.is_none_or(|payment| invoice.payment == payment)
    };
    let invoices = read.into_iter().flatten().filter(fits).map(|one| InvoiceView::from(&one).without_lines()).collect();
    Ok(Json(InvoiceList { invoices, next_cursor: next.as_deref().map(Page::cursor) }))
}

/// A tenant's invoices, the latest first; also those of one that is gone.
#[utoipa::path(
    get,
    path = "/api/admin/billing/tenants/{id}/invoices",
    operation_id = "adminListTenantInvoices",
    tag = "admin",
    params(("id" = String, Path, description = "The tenant's id"), PageParams),
    responses((status = 200, description = "A page of invoices", body = InvoiceList), Errors)
)]
pub(super) async fn of_tenant(
    _: Operator,
    State(invoices): State<Invoices>,
    Segment(id): Segment,
    Params(params): Params<PageParams>,
) -> Handled<Json<InvoiceList>> {
    let page = params.page(keys::INVOICE_PREFIX)?;
    let (found, next) = invoices.page(tenant_id(id)?, page.after.as_deref(), page.limit).await?;
    let invoices = found.iter().map(|invoice| InvoiceView::from(invoice).without_lines()).collect();
    Ok(Json(InvoiceList { invoices, next_cursor: next.as_deref().map(Page::cursor) }))
}

/// An invoice of a tenant, as JSON, CSV or PDF.
#[utoipa::path(
    get,
    path = "/api/admin/billing/tenants/{id}/invoices/{invoice}",
    operation_id = "adminGetInvoice",
    tag = "admin",
    params(
        ("id" = String, Path, description = "The tenant's id"),
        ("invoice" = String, Path, description = "The invoice's id"),
        Wanted,
    ),
    responses(
        (
            status = 200, description = "The invoice",
            content((InvoiceView = "application/json"), (String = "text/csv"), (Vec<u8> = "application/pdf")),
        ),
        Errors
    )
)]
pub(super) async fn get(
    _: Operator,
    State(invoices): State<Invoices>,
    ids: Segments,
    Params(wanted): Params<Wanted>,
) -> Handled<Response> {
    let (tenant, id) = both(ids)?;
    Ok(invoice_as(&invoices.get(tenant, id).await?, wanted.format.unwrap_or_default())?)
}

/// Declares an invoice void of which nothing was paid. Its number stays used, credit that it used is given back, and its month isn't
/// billed again.
#[utoipa::path(
    post,
    path = "/api/admin/billing/tenants/{id}/invoices/{invoice}/void",
    operation_id = "adminVoidInvoice",
    tag = "admin",
    request_body = VoidRequest,
    params(
        ("id" = String, Path, description = "The tenant's id"),
        ("invoice" = String, Path, description = "The invoice's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is meant"),
    ),
    responses((status = 200, description = "The invoice as it is now", body = InvoiceView), Errors)
)]
pub(super) async fn void(
    operator: Operator,
    State(invoices): State<Invoices>,
    version: IfMatch,
    ids: Segments,
    Body(request): Body<VoidRequest>,
) -> Handled<Versioned<InvoiceView>> {
    let (tenant, id) = both(ids)?;
    let reason = name("reason", 1, &request.reason)?;
    let invoice = invoices.void(tenant, id, version, &reason, &operator.actor()).await?;
    Ok(Versioned(invoice.version, InvoiceView::from(&invoice)))
}

/// Takes back an invoice, in part or in full, by a credit note.
#[utoipa::path(
    post,
    path = "/api/admin/billing/tenants/{id}/invoices/{invoice}/credit-notes",
    operation_id = "adminCreateCreditNote",
    tag = "admin",
    request_body = CreditNoteRequest,
    params(
        ("id" = String, Path, description = "The tenant's id"),
        ("invoice" = String, Path, description = "The invoice's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes one credit note, however often it is sent"),
    ),
    responses((status = 201, description = "The credit note", body = CreditNoteView), Errors)
)]
pub(super) async fn credit(
    operator: Operator,
    State(invoices): State<Invoices>,
    State(payments): State<Payments>,
    State(tenants): State<Tenants>,
    State(clock): State<Clock>,
    ids: Segments,
    Create { body, once }: Create<CreditNoteRequest>,
) -> Handled<Response> {
    let (tenant, invoice) = both(ids)?;
    let actor = operator.actor();
    let new = NewCreditNote {
        invoice,
        amount: body.amount,
        reason: name("reason", 1, &body.reason)?,
        settlement: body.settlement,
    };
    let work = async |change: &mut Change| {
        let note = invoices.credit(change, tenant, &new, &payments, &actor).await?;
        let refused = Error::Conflict("the invoice was changed just now; try again".to_owned());
        Ok(Created { status: StatusCode::CREATED, body: CreditNoteView::from(&note), refused })
    };
    once.run(&tenants.of_operators(), &operator.user().to_string(), clock.now(), work).await
}

/// A tenant's credit notes, the latest first.
#[utoipa::path(
    get,
    path = "/api/admin/billing/tenants/{id}/credit-notes",
    operation_id = "adminListCreditNotes",
    tag = "admin",
    params(("id" = String, Path, description = "The tenant's id"), PageParams),
    responses((status = 200, description = "A page of credit notes", body = CreditNoteList), Errors)
)]
pub(super) async fn credit_notes(
    _: Operator,
    State(invoices): State<Invoices>,
    Segment(id): Segment,
    Params(params): Params<PageParams>,
) -> Handled<Json<CreditNoteList>> {
    let page = params.page(keys::CREDIT_NOTE_PREFIX)?;
    let (found, next) = invoices.credit_notes(tenant_id(id)?, page.after.as_deref(), page.limit).await?;
    let credit_notes = found.iter().map(CreditNoteView::from).collect();
    Ok(Json(CreditNoteList { credit_notes, next_cursor: next.as_deref().map(Page::cursor) }))
}

/// The books of an invoice's month as they are now: the meter, the totals, and the ledger read entry by entry. If they differ,
/// `lmo billing reconcile --repair` puts them right.
#[utoipa::path(
    get,
    path = "/api/admin/billing/tenants/{id}/invoices/{invoice}/books",
    operation_id = "adminGetInvoiceBooks",
    tag = "admin",
    params(
        ("id" = String, Path, description = "The tenant's id"),
        ("invoice" = String, Path, description = "The invoice's id"),
    ),
    responses((status = 200, description = "The books", body = BooksView), Errors)
)]
pub(super) async fn books(_: Operator, State(invoices): State<Invoices>, ids: Segments) -> Handled<Json<BooksView>> {
    let (tenant, id) = both(ids)?;
    let invoice = invoices.get(tenant, id).await?;
    let month = invoice.month().ok_or_else(|| Error::internal("an invoice without its month"))?;
    Ok(Json(BooksView::from(&invoices.reconcile(tenant, month).await?.books)))
}
