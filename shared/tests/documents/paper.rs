//! A PDF as it is read by somebody else.

use lopdf::{Document, Object};

/// What was read.
pub struct Paper(Document);

impl Paper {
    /// Reads it; and leaves it where people can look at it.
    pub fn of(name: &str, bytes: &[u8]) -> Self {
        std::fs::write(format!("{}/{name}.pdf", env!("CARGO_TARGET_TMPDIR")), bytes).unwrap();
        Self(Document::load_mem(bytes).unwrap())
    }

    pub fn pages(&self) -> usize {
        self.0.get_pages().len()
    }

    /// What it says, page by page.
    pub fn text(&self) -> String {
        let pages: Vec<u32> = self.0.get_pages().into_keys().collect();
        self.0.extract_text(&pages).unwrap()
    }

    /// When it says that it was made.
    pub fn created(&self) -> String {
        let info = self.0.trailer.get(b"Info").and_then(Object::as_reference).unwrap();
        let info = self.0.get_dictionary(info).unwrap();
        String::from_utf8(info.get(b"CreationDate").unwrap().as_str().unwrap().to_vec()).unwrap()
    }

    /// Each font is in it, with what its glyphs mean; each page is A4; it says that it can be archived and read aloud.
    pub fn check(&self) {
        for page in self.0.get_pages().into_values() {
            for font in self.0.get_page_fonts(page).unwrap().into_values() {
                assert!(font.has(b"ToUnicode"), "{font:?}");
                let within = font.get(b"DescendantFonts").unwrap().as_array().unwrap();
                let within = self.0.get_dictionary(within[0].as_reference().unwrap()).unwrap();
                let file = within.get(b"FontDescriptor").unwrap().as_reference().unwrap();
                let file = self.0.get_dictionary(file).unwrap();
                assert!(file.has(b"FontFile2") || file.has(b"FontFile3"), "{file:?}");
            }
        }
        let catalogue = self.0.catalog().unwrap();
        assert!(catalogue.has(b"StructTreeRoot") && catalogue.has(b"MarkInfo") && catalogue.has(b"OutputIntents"));
        let described = catalogue.get(b"Metadata").unwrap().as_reference().unwrap();
        let described = self.0.get_object(described).unwrap().as_stream().unwrap();
        let described = String::from_utf8_lossy(&described.content).into_owned();
        for claim in ["<pdfaid:part>2</pdfaid:part>", "<pdfaid:conformance>A</pdfaid:conformance>", "<pdfuaid:part>1"] {
            assert!(described.contains(claim), "{claim} isn't in {described}");
        }
    }
}
