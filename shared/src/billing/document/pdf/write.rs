//! The pages as PDF/A-2a and PDF/UA-1: archivable, and readable by machines. Nothing in it depends on when or where it is written.

use std::{num::NonZeroU16, rc::Rc};

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
    font,
    sheet::{HEIGHT, LEFT, Mark, Part, RIGHT, Role, Sheet, Style, WIDTH},
    text::Shaped,
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
    furnish(&mut sheet, about);
    let mut found: Vec<Vec<Identifier>> = sheet.parts.iter().map(|_| Vec::new()).collect();
    let size = PageSettings::from_wh(WIDTH, HEIGHT).ok_or_else(|| Error::internal("a page without a size"))?;
    for marks in &sheet.pages {
        let mut page = document.start_page_with(size.clone());
        let mut surface = page.surface();
        for mark in marks {
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

/// Puts onto each page what all have: a stamp below everything, and at the foot what it is and which page.
fn furnish(sheet: &mut Sheet, about: &About<'_>) {
    let (style, pages) = (Style::SMALL, sheet.pages.len());
    let foot = about.foot.map(|foot| sheet.lines(foot, style, RIGHT - LEFT)).unwrap_or_default();
    let title = sheet.fitted(&about.title, style, 380.0);
    let stamp = about.stamp.map(|stamp| sheet.fitted(stamp, Style { size: 150.0, bold: true, grey: 232 }, WIDTH));
    for at in 0..pages {
        let mut y = HEIGHT - 70.0;
        let number = sheet.fitted(&format!("Page {} of {pages}", at + 1), style, 100.0);
        let Some(page) = sheet.pages.get_mut(at) else { continue };
        let text = |(line, style): (&Rc<Shaped>, Style), x: f32, y: f32| Mark::Text {
            x,
            y,
            line: Rc::clone(line),
            style,
            part: None,
        };
        if let Some((line, style, wide)) = &stamp {
            page.insert(0, text((line, *style), (WIDTH - wide) / 2.0, HEIGHT / 2.0 + 55.0));
        }
        page.push(Mark::Rule { from: LEFT, to: RIGHT, y, width: 0.5, grey: 200 });
        y += 12.0;
        page.push(text((&title.0, title.1), LEFT, y));
        page.push(text((&number.0, number.1), RIGHT - number.2, y));
        for line in foot.iter().take(4) {
            y += style.leading();
            page.push(text((line, style), LEFT, y));
        }
    }
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
                let Some(face) = font::face(piece.face) else { continue };
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
