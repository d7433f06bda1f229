//! The pages as PDF/A-2a and PDF/UA-1: archivable, and readable by machines. Nothing in it depends on when or where it is written.

use std::num::NonZeroU16;

use krilla::{
    Document, SerializeSettings,
    color::luma,
    configure::{Accessibility, Archival, ConfigurationBuilder},
    destination::XyzDestination,
    geom::{PathBuilder, Point, Transform},
    metadata::{DateTime, Metadata},
    num::NormalizedF32,
    outline::{Outline, OutlineNode},
    page::PageSettings,
    paint::{Fill, FillRule, Stroke},
    surface::Surface,
    tagging::{
        Artifact, ArtifactType, ContentTag, Identifier, SpanTag, TableHeaderScope, Tag, TagGroup, TagKind, TagTree,
    },
};
use time::OffsetDateTime;

use super::{
    font::FACES,
    sheet::{HEIGHT, LEFT, Mark, Part, RIGHT, Role, Sheet, Style, WIDTH},
};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
};

/// What is said about the whole document.
pub(super) struct About<'a> {
    /// What it is: `Invoice LMO-2026-000001`.
    pub title: String,
    /// Who wrote it.
    pub author: &'a str,
    /// Its date.
    pub date: Timestamp,
    /// What identifies it.
    pub id: String,
    /// What stands across each page, if it counts for nothing.
    pub stamp: Option<&'static str>,
    /// What stands at the foot of each page.
    pub foot: Option<&'a str>,
}

/// The document's bytes.
pub(super) fn write(mut sheet: Sheet, about: &About<'_>) -> Result<Vec<u8>> {
    let settings = SerializeSettings { configuration: configuration()?, ..SerializeSettings::default() };
    let mut document = Document::new_with(settings);
    let furniture = furniture(&mut sheet, about);
    let mut found: Vec<Vec<Identifier>> = sheet.parts.iter().map(|_| Vec::new()).collect();
    let size = PageSettings::from_wh(WIDTH, HEIGHT).ok_or_else(|| Error::internal("a page without a size"))?;
    for (marks, furniture) in sheet.pages.iter().zip(&furniture) {
        let mut page = document.start_page_with(size.clone());
        let mut surface = page.surface();
        for mark in furniture.iter().chain(marks) {
            draw(&mut surface, mark, &mut found);
        }
        surface.finish();
        page.finish();
    }
    let mut outline = Outline::new();
    outline.push_child(OutlineNode::new(about.title.clone(), XyzDestination::new(0, Point::from_xy(0.0, 0.0))));
    document.set_outline(outline);
    document.set_tag_tree(tags(&sheet.parts, &found, &about.title));
    document.set_metadata(metadata(about));
    document.finish().map_err(|error| Error::internal(format!("the document can't be written: {error:?}")))
}

fn configuration() -> Result<krilla::configure::Configuration> {
    ConfigurationBuilder::new()
        .with_archival_validator(Archival::A2_A)
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .map_err(|error| Error::internal(format!("{error:?}")))
}

fn metadata(about: &About<'_>) -> Metadata {
    let milliseconds = i128::from(about.date.0) * 1_000_000;
    let at = OffsetDateTime::from_unix_timestamp_nanos(milliseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let date = DateTime::new(u16::try_from(at.year()).unwrap_or_default())
        .month(at.month().into())
        .day(at.day())
        .hour(at.hour())
        .minute(at.minute())
        .second(at.second())
        .utc_offset_hour(0)
        .utc_offset_minute(0);
    Metadata::new()
        .title(about.title.clone())
        .authors(vec![about.author.to_owned()])
        .creator("LMO".to_owned())
        .language("en".to_owned())
        .creation_date(date)
        .document_id(about.id.clone())
}

/// What each page has besides: the stamp, the foot, and which page it is.
fn furniture(sheet: &mut Sheet, about: &About<'_>) -> Vec<Vec<Mark>> {
    let (style, pages) = (Style::SMALL, sheet.pages.len());
    let foot = about.foot.map(|foot| sheet.lines(foot, style, RIGHT - LEFT)).unwrap_or_default();
    let mut all = Vec::new();
    for number in 1..=pages {
        let mut marks = Vec::new();
        if let Some(stamp) = about.stamp {
            let style = Style { size: 150.0, bold: true, grey: 232 };
            let (line, style, wide) = sheet.fitted(stamp, style, WIDTH);
            marks.push(Mark::Text { x: (WIDTH - wide) / 2.0, y: HEIGHT / 2.0 + 55.0, line, style, part: None });
        }
        let y = HEIGHT - 70.0;
        marks.push(Mark::Rule { from: LEFT, to: RIGHT, y, width: 0.5, grey: 200 });
        let (line, style, _) = sheet.fitted(&about.title, style, 380.0);
        marks.push(Mark::Text { x: LEFT, y: y + 12.0, line, style, part: None });
        let (line, style, wide) = sheet.fitted(&format!("Page {number} of {pages}"), style, 100.0);
        marks.push(Mark::Text { x: RIGHT - wide, y: y + 12.0, line, style, part: None });
        let mut y = y + 12.0 + style.leading();
        for line in foot.iter().take(4) {
            marks.push(Mark::Text { x: LEFT, y, line: line.clone(), style, part: None });
            y += style.leading();
        }
        all.push(marks);
    }
    all
}

fn draw(surface: &mut Surface<'_>, mark: &Mark, found: &mut [Vec<Identifier>]) {
    match mark {
        Mark::Text { x, y, line, style, part } => {
            let tag = match part {
                Some(_) => ContentTag::Span(SpanTag::empty()),
                None => ContentTag::Artifact(Artifact::with_kind(ArtifactType::PaginationOther)),
            };
            let identifier = surface.start_tagged(tag);
            surface.set_stroke(None);
            surface.set_fill(Some(Fill {
                paint: luma::Color::new(style.grey).into(),
                opacity: NormalizedF32::ONE,
                rule: FillRule::default(),
            }));
            // What is as large as a page stands across it.
            let across = style.size > 100.0;
            if across {
                surface.push_transform(&Transform::from_rotate_at(-45.0, WIDTH / 2.0, HEIGHT / 2.0));
            }
            for piece in &line.pieces {
                let Some(face) = FACES.get(piece.face) else { continue };
                let start = Point::from_xy(x + piece.x * style.size, *y);
                surface.draw_glyphs(start, &piece.glyphs, face.font.clone(), &piece.text, style.size, false);
            }
            if across {
                surface.pop();
            }
            surface.end_tagged();
            if let Some(found) = part.and_then(|part| found.get_mut(part)) {
                found.push(identifier);
            }
        }
        Mark::Rule { from, to, y, width, grey } => {
            let mut path = PathBuilder::new();
            path.move_to(*from, *y);
            path.line_to(*to, *y);
            let Some(path) = path.finish() else { return };
            surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)));
            surface.set_fill(None);
            surface.set_stroke(Some(Stroke {
                paint: luma::Color::new(*grey).into(),
                width: *width,
                ..Stroke::default()
            }));
            surface.draw_path(&path);
            surface.end_tagged();
        }
    }
}

/// The parts as a tree: each with what was drawn of it, and then what is in it.
fn tags(parts: &[(Role, Part)], found: &[Vec<Identifier>], title: &str) -> TagTree {
    let mut groups: Vec<TagGroup> = parts
        .iter()
        .zip(found)
        .map(|((role, _), found)| {
            TagGroup::with_children(tag(*role, title), found.iter().map(|found| (*found).into()).collect())
        })
        .collect();
    // A part comes behind what it is in, so from the end on each is complete before it is moved, though in the wrong order.
    let mut roots = Vec::new();
    while let Some(mut group) = groups.pop() {
        let number = groups.len();
        if found.get(number).is_some_and(Vec::is_empty) {
            group.children.reverse();
        }
        match parts.get(number).and_then(|(_, of)| groups.get_mut((*of)?)) {
            Some(of) => of.children.push(group.into()),
            None => roots.push(group.into()),
        }
    }
    roots.reverse();
    TagTree::from(roots).with_lang(Some("en".to_owned()))
}

fn tag(role: Role, title: &str) -> TagKind {
    match role {
        Role::Title => Tag::Hn(NonZeroU16::MIN, Some(title.to_owned())).into(),
        Role::Paragraph => Tag::P.into(),
        Role::Table => Tag::Table.into(),
        Role::Row => Tag::TR.into(),
        Role::Column => Tag::TH(TableHeaderScope::Column).into(),
        Role::Head => Tag::TH(TableHeaderScope::Row).into(),
        Role::Cell => Tag::TD.into(),
    }
}
