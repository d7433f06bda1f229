//! Invoices and credit notes as documents: as JSON, as CSV, as pages. All of it follows from the invoice alone, so the same invoice
//! is always the same document.

mod csv;
mod view;

pub use csv::csv;
pub use view::{BooksView, CreditNoteView, InvoiceView, LineView};
