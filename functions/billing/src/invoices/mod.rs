//! `/api/billing/invoices` and `/api/billing/credit-notes`: what a tenant sees of what it is charged.

use axum::{
    Json,
    extract::{FromRef, State},
    http::header,
    response::{IntoResponse, Response},
};
use lmo_shared::{
    auth::{Authenticator, Caller, Operators},
    billing::{
        CreditNote, Invoice,
        document::{self, CreditNoteView, InvoiceView},
        invoices::Invoices,
        payments::Payments,
    },
    clock::Clock,
    error::Error,
    http::{Errors, Handled, Page, PageParams, Params, Segment},
    id::{CreditNoteId, InvoiceId},
    mail::Mailer,
    platform::Platform,
    store::keys,
    tenant::Tenants,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

mod admin;

/// What the handlers need.
#[derive(Clone, FromRef)]
struct Needs {
    authenticator: Authenticator,
    operators: Operators,
    invoices: Invoices,
    payments: Payments,
    tenants: Tenants,
    clock: Clock,
}

pub(crate) fn router(platform: &Platform, authenticator: &Authenticator, mailer: &Mailer) -> OpenApiRouter {
    let needs = Needs {
        authenticator: authenticator.clone(),
        operators: platform.operators(authenticator),
        invoices: platform.invoices(),
        payments: platform.payments(mailer.clone()),
        tenants: platform.tenants(),
        clock: platform.clock().clone(),
    };
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(list_credit_notes))
        .routes(routes!(get_credit_note))
        .routes(routes!(admin::list))
        .routes(routes!(admin::of_tenant))
        .routes(routes!(admin::get))
        .routes(routes!(admin::void))
        .routes(routes!(admin::credit))
        .routes(routes!(admin::credit_notes))
        .routes(routes!(admin::books))
        .with_state(needs)
}

/// A page of invoices.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InvoiceList {
    /// The invoices, without their lines; the latest first.
    pub invoices: Vec<InvoiceView>,
    /// If there are more: what to give as `cursor` to get them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A page of credit notes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreditNoteList {
    /// The credit notes, the latest first.
    pub credit_notes: Vec<CreditNoteView>,
    /// If there are more: what to give as `cursor` to get them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// As what a document is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Csv,
    Pdf,
}

/// As what an invoice is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// `json`, `csv` or `pdf`; JSON if absent.
    #[param(inline)]
    format: Option<Format>,
}

/// The invoice of that id; an id that can't be one is nobody's.
fn invoice_id(text: String) -> Result<InvoiceId, Error> {
    InvoiceId::parse(&text).ok_or(Error::NotFound { kind: "invoice", id: text })
}

fn credit_note_id(text: String) -> Result<CreditNoteId, Error> {
    CreditNoteId::parse(&text).ok_or(Error::NotFound { kind: "credit note", id: text })
}

fn invoice_as(invoice: &Invoice, format: Format) -> Result<Response, Error> {
    let name = invoice.number.clone().unwrap_or_else(|| format!("draft-{}", invoice.period));
    Ok(match format {
        Format::Json => Json(InvoiceView::from(invoice)).into_response(),
        Format::Csv => file("text/csv; charset=utf-8", &format!("{name}.csv"), document::csv(invoice).into_bytes()),
        Format::Pdf => file("application/pdf", &format!("{name}.pdf"), document::pdf(invoice)?),
    })
}

fn credit_note_as(note: &CreditNote, format: Format) -> Result<Response, Error> {
    Ok(match format {
        Format::Json => Json(CreditNoteView::from(note)).into_response(),
        Format::Csv => return Err(Error::invalid("format", "a credit note is had as json or pdf")),
        Format::Pdf => file("application/pdf", &format!("{}.pdf", note.number), document::pdf_of_note(note)?),
    })
}

/// A file under a name, in which there are only letters, digits and what is harmless.
fn file(kind: &'static str, name: &str, bytes: Vec<u8>) -> Response {
    let harmless = |letter: char| if letter.is_ascii_alphanumeric() || "-.".contains(letter) { letter } else { '_' };
    let name: String = name.chars().map(harmless).collect();
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], bytes).into_response()
}

/// The tenant's invoices, the latest first.
#[utoipa::path(
    get,
    path = "/api/billing/invoices",
    operation_id = "listInvoices",
    tag = "billing",
    params(PageParams),
    responses((status = 200, description = "A page of invoices", body = InvoiceList), Errors)
)]
async fn list(
    caller: Caller,
    State(invoices): State<Invoices>,
    Params(params): Params<PageParams>,
) -> Handled<Json<InvoiceList>> {
    let page = params.page(keys::INVOICE_PREFIX)?;
    let (found, next) = invoices.page(caller.tenant().id, page.after.as_deref(), page.limit).await?;
    let invoices = found.iter().map(|invoice| InvoiceView::from(invoice).without_lines()).collect();
    Ok(Json(InvoiceList { invoices, next_cursor: next.as_deref().map(Page::cursor) }))
}

/// An invoice, as JSON, CSV or PDF. A finalised one never changes but for what became of its payment.
#[utoipa::path(
    get,
    path = "/api/billing/invoices/{id}",
    operation_id = "getInvoice",
    tag = "billing",
    params(("id" = String, Path, description = "The invoice's id"), Wanted),
    responses(
        (
            status = 200, description = "The invoice",
            content((InvoiceView = "application/json"), (String = "text/csv"), (Vec<u8> = "application/pdf")),
        ),
        Errors
    )
)]
async fn get(
    caller: Caller,
    State(invoices): State<Invoices>,
    Segment(id): Segment,
    Params(wanted): Params<Wanted>,
) -> Handled<Response> {
    let invoice = invoices.get(caller.tenant().id, invoice_id(id)?).await?;
    Ok(invoice_as(&invoice, wanted.format.unwrap_or_default())?)
}

/// The tenant's credit notes, the latest first.
#[utoipa::path(
    get,
    path = "/api/billing/credit-notes",
    operation_id = "listCreditNotes",
    tag = "billing",
    params(PageParams),
    responses((status = 200, description = "A page of credit notes", body = CreditNoteList), Errors)
)]
async fn list_credit_notes(
    caller: Caller,
    State(invoices): State<Invoices>,
    Params(params): Params<PageParams>,
) -> Handled<Json<CreditNoteList>> {
    let page = params.page(keys::CREDIT_NOTE_PREFIX)?;
    let (found, next) = invoices.credit_notes(caller.tenant().id, page.after.as_deref(), page.limit).await?;
    let credit_notes = found.iter().map(CreditNoteView::from).collect();
    Ok(Json(CreditNoteList { credit_notes, next_cursor: next.as_deref().map(Page::cursor) }))
}

/// A credit note, as JSON or PDF.
#[utoipa::path(
    get,
    path = "/api/billing/credit-notes/{id}",
    operation_id = "getCreditNote",
    tag = "billing",
    params(("id" = String, Path, description = "The credit note's id"), Wanted),
    responses(
        (
            status = 200, description = "The credit note",
            content((CreditNoteView = "application/json"), (Vec<u8> = "application/pdf")),
        ),
        Errors
    )
)]
async fn get_credit_note(
    caller: Caller,
    State(invoices): State<Invoices>,
    Segment(id): Segment,
    Params(wanted): Params<Wanted>,
) -> Handled<Response> {
    let note = invoices.credit_note(caller.tenant().id, credit_note_id(id)?).await?;
    Ok(credit_note_as(&note, wanted.format.unwrap_or_default())?)
}
