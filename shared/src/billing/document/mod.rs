//! Invoices and credit notes as documents: as JSON, as CSV, as pages. All of it follows from the invoice alone, so the same invoice
//! is always the same document.

mod csv;
mod pdf;
mod view;

pub use csv::csv;
pub use pdf::{pdf, pdf_of_note};
pub use view::{BooksView, CreditNoteView, InvoiceView, LineView};
