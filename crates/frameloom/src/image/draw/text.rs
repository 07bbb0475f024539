//! Text: shaped, laid out in lines, and put together of its glyphs' coverage.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::path::Path as FilePath;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use rustybuzz::ttf_parser::{GlyphId, OutlineBuilder};
use rustybuzz::{Direction, Face, GlyphBuffer, Script, ShapePlan, UnicodeBuffer};
use tiny_skia::PathBuilder;
use unicode_bidi::BidiInfo;

use super::shape::{Coverage, coverage};
use crate::error::{Error, ErrorKind, Result, Stage};

/// The largest font file, in bytes. Those for Chinese, Japanese and Korean have 10 to 20 MB.
const MOST_FONT_BYTES: u64 = 64 << 20;

/// The most characters of a text that are looked at: more than a picture shows.
const MOST_CHARACTERS: usize = 10_000;

/// The largest text, in pixels from line to line.
const LARGEST: f64 = 4096.0;

/// A font: the embedded one, which has the Latin, Greek, Cyrillic and Hebrew letters, or any in TrueType or
/// OpenType. A clone shares it.
#[derive(Clone)]
pub struct Font(Option<Arc<[u8]>>);

/// See LICENSE beside it.
static EMBEDDED: &[u8] = include_bytes!("font/DejaVuSans.ttf");

/// The embedded font, read once.
static EMBEDDED_FACE: LazyLock<Option<Face<'static>>> =
    LazyLock::new(|| Face::from_slice(EMBEDDED, 0));

impl Font {
    /// The embedded font: DejaVu Sans with the Latin, Greek, Cyrillic and Hebrew letters.
    pub const fn embedded() -> Font {
        Font(None)
    }

    /// A font out of a file's bytes; the first, where the file is a collection.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] where it is no TrueType or OpenType font.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Font> {
        let bytes: Arc<[u8]> = bytes.into().into();
        match Face::from_slice(&bytes, 0) {
            Some(_) => Ok(Font(Some(bytes))),
            None => {
                let cause = "it is no TrueType or OpenType font";
                Err(Error::new(ErrorKind::InvalidData, Stage::Process, cause))
            }
        }
    }

    /// A font file.
    ///
    /// # Errors
    /// Where it can't be read, and as [`Font::from_bytes`]. A file above 64 MiB is not read.
    pub fn open(path: impl AsRef<FilePath>) -> Result<Font> {
        let path = path.as_ref();
        let place = path.display().to_string();
        let failed = |e: std::io::Error| Error::io(Stage::Process, e).at(&place);
        let length = std::fs::metadata(path).map_err(failed)?.len();
        if length > MOST_FONT_BYTES {
            let cause =
                format!("a font has at most {MOST_FONT_BYTES} bytes, and this has {length}");
            let error = Error::new(ErrorKind::InvalidData, Stage::Process, cause);
            return Err(error.at(&place));
        }
        let bytes = std::fs::read(path).map_err(failed)?;
        Font::from_bytes(bytes).map_err(|error| error.at(&place))
    }

    /// Where its bytes are; 0 for the embedded one.
    fn place(&self) -> usize {
        self.0.as_ref().map_or(0, |bytes| bytes.as_ptr() as usize)
    }

    fn with_face<T>(&self, work: impl FnOnce(&Face<'_>) -> T) -> Option<T> {
        match &self.0 {
            None => EMBEDDED_FACE.as_ref().map(work),
            Some(bytes) => Face::from_slice(bytes, 0).as_ref().map(work),
        }
    }
}

impl Default for Font {
    fn default() -> Font {
        Font::embedded()
    }
}

impl fmt::Debug for Font {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("Font (embedded)"),
            Some(bytes) => write!(f, "Font of {} bytes", bytes.len()),
        }
    }
}

/// A text, whose upper left corner is 0, 0.
pub(super) struct LaidOut {
    /// None where nothing of it shows.
    pub(super) coverage: Option<Coverage>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Lays a text out; `size` is that of the font, in pixels. `most` is how wide and high it is shown at the
/// most: what lies behind is left out. Without it the text is only measured.
pub(super) fn lay_out(text: &str, size: f64, font: &Font, most: Option<(f64, f64)>) -> LaidOut {
    let nothing = || LaidOut { coverage: None, width: 0.0, height: 0.0 };
    if !(size > 0.0 && size <= LARGEST) {
        return nothing();
    }
    font.with_face(|face| lines(text, size, (face, font), most)).unwrap_or_else(nothing)
}

/// A glyph and where it stands: its pen's place on the baseline.
struct PlacedGlyph {
    id: GlyphId,
    x: f64,
    y: f64,
}

fn lines(
    text: &str,
    size: f64,
    (face, font): (&Face<'_>, &Font),
    most: Option<(f64, f64)>,
) -> LaidOut {
    let unit = size / f64::from(face.units_per_em().max(1));
    let ascent = f64::from(face.ascender()) * unit;
    let height = f64::from(i32::from(face.ascender()) - i32::from(face.descender())) * unit;
    let step = height + f64::from(face.line_gap()).max(0.0) * unit;
    let end = text.char_indices().nth(MOST_CHARACTERS).map_or(text.len(), |(end, _)| end);
    let text = text.get(..end).unwrap_or_default();
    let limit = most.unwrap_or((f64::MAX, f64::MAX));
    let (mut glyphs, mut width, mut count) = (Vec::new(), 0.0f64, 0);
    for line in text.split('\n') {
        let top = step * f64::from(count);
        if count > 0 && top > limit.1 {
            break;
        }
        count += 1;
        let mut pen =
            Pen { font, glyphs: &mut glyphs, x: 0.0, y: top + ascent, unit, most: limit.0 };
        pen.write(line, face);
        width = width.max(pen.x);
    }
    let height = height + step * f64::from(count - 1);
    let shown = most.map(|most| (width.min(most.0), height.min(most.1)));
    let coverage = shown.and_then(|shown| filled(&glyphs, size, (face, font), shown));
    LaidOut { coverage, width, height }
}

/// The glyphs as they cover pixels: those within `shown` pixels of the corner.
fn filled(
    glyphs: &[PlacedGlyph],
    size: f64,
    (face, font): (&Face<'_>, &Font),
    shown: (f64, f64),
) -> Option<Coverage> {
    // Letters reach beyond their place.
    let margin = (size / 2.0).ceil();
    let (width, height) = (shown.0 + 2.0 * margin, shown.1 + 2.0 * margin);
    if !(shown.0 > 0.0 && shown.1 > 0.0 && width * height <= MOST_PIXELS) {
        return None;
    }
    let (width, height) = (width.ceil() as usize, height.ceil() as usize);
    let mut values = vec![0u8; width * height];
    let corner = margin as i64;
    for glyph in glyphs {
        let quarters = (glyph.x * 4.0).round();
        let (column, part) = ((quarters / 4.0).floor(), quarters.rem_euclid(4.0) as u8);
        let Some(drawn) = glyph_coverage(face, font, glyph.id, size, part) else { continue };
        let left = column as i64 + drawn.left + corner;
        let top = glyph.y.round() as i64 + drawn.top + corner;
        for (n, line) in drawn.values.chunks_exact(drawn.width).enumerate() {
            let (Ok(y), Ok(x)) = (usize::try_from(top + n as i64), usize::try_from(left)) else {
                continue;
            };
            if y < height && x < width {
                let out = values[y * width + x..(y + 1) * width].iter_mut().zip(line);
                out.for_each(|(out, covered)| *out = out.saturating_add(*covered));
            }
        }
    }
    Some(Coverage { left: -corner, top: -corner, width, height, values })
}

/// The largest text that is drawn, in pixels: as large as a picture may be.
const MOST_PIXELS: f64 = 64e6;

/// A glyph in one size: the font, by its bytes' place, its number, the size, and in which quarter of a pixel
/// it begins.
type GlyphKey = (usize, u16, u64, u8);

thread_local! {
    // Filling an outline costs ten times what copying does.
    static GLYPHS: RefCell<HashMap<GlyphKey, Rc<Coverage>>> = RefCell::default();
}

/// Glyphs that a thread keeps, and the largest, in pixels.
const MOST_GLYPHS: usize = 1024;
const LARGEST_KEPT: usize = 64 * 64;

fn glyph_coverage(
    face: &Face<'_>,
    font: &Font,
    id: GlyphId,
    size: f64,
    part: u8,
) -> Option<Rc<Coverage>> {
    let key = (font.place(), id.0, size.to_bits(), part);
    if let Some(known) = GLYPHS.with_borrow(|glyphs| glyphs.get(&key).map(Rc::clone)) {
        return Some(known);
    }
    let unit = size / f64::from(face.units_per_em().max(1));
    let mut path = PathBuilder::new();
    let mut outline = Outline { x: f64::from(part) / 4.0, y: 0.0, unit, path: &mut path };
    face.outline_glyph(id, &mut outline)?;
    let made = Rc::new(coverage(&path.finish()?)?);
    // Only a font that outlives the thread keeps its place.
    if font.0.is_none() && made.values.len() <= LARGEST_KEPT {
        GLYPHS.with_borrow_mut(|glyphs| {
            if glyphs.len() >= MOST_GLYPHS {
                glyphs.clear();
            }
            glyphs.insert(key, Rc::clone(&made));
        });
    }
    Some(made)
}

thread_local! {
    // Making a plan takes longer than shaping a label by it.
    static PLANS: RefCell<Vec<(Direction, Script, ShapePlan)>> = const { RefCell::new(Vec::new()) };
}

/// Plans that a thread keeps: one for each script that it writes, and direction.
const MOST_PLANS: usize = 16;

fn shaped_by_embedded(face: &Face<'_>, buffer: UnicodeBuffer) -> GlyphBuffer {
    let (direction, script) = (buffer.direction(), buffer.script());
    PLANS.with_borrow_mut(|plans| {
        let known = plans.iter().position(|(d, s, _)| (*d, *s) == (direction, script));
        let place = known.unwrap_or_else(|| {
            let language = buffer.language();
            let known = (script != rustybuzz::script::UNKNOWN).then_some(script);
            let plan = ShapePlan::new(face, direction, known, language.as_ref(), &[]);
            plans.truncate(MOST_PLANS - 1);
            plans.push((direction, script, plan));
            plans.len() - 1
        });
        match plans.get(place) {
            Some((_, _, plan)) => rustybuzz::shape_with_plan(face, plan, buffer),
            None => rustybuzz::shape(face, &[], buffer),
        }
    })
}

/// Where the next glyph goes.
struct Pen<'a> {
    font: &'a Font,
    glyphs: &'a mut Vec<PlacedGlyph>,
    x: f64,
    y: f64,
    /// Pixels for a unit of the font.
    unit: f64,
    most: f64,
}

impl Pen<'_> {
    fn write(&mut self, line: &str, face: &Face<'_>) {
        let is_control = |c: char| c.is_control();
        let clean: String = line.chars().map(|c| if is_control(c) { ' ' } else { c }).collect();
        let bidi = BidiInfo::new(&clean, None);
        for paragraph in &bidi.paragraphs {
            let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
            for run in runs {
                let is_rtl = levels.get(run.start).is_some_and(unicode_bidi::Level::is_rtl);
                self.write_run(clean.get(run).unwrap_or_default(), is_rtl, face);
            }
        }
    }

    fn write_run(&mut self, run: &str, is_rtl: bool, face: &Face<'_>) {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(run);
        buffer.set_direction(match is_rtl {
            true => Direction::RightToLeft,
            false => Direction::LeftToRight,
        });
        buffer.guess_segment_properties();
        let shaped = match self.font.0 {
            None => shaped_by_embedded(face, buffer),
            Some(_) => rustybuzz::shape(face, &[], buffer),
        };
        for (glyph, place) in shaped.glyph_infos().iter().zip(shaped.glyph_positions()) {
            if self.x <= self.most {
                self.glyphs.push(PlacedGlyph {
                    id: GlyphId(u16::try_from(glyph.glyph_id).unwrap_or(0)),
                    x: self.x + f64::from(place.x_offset) * self.unit,
                    y: self.y - f64::from(place.y_offset) * self.unit,
                });
            }
            self.x += f64::from(place.x_advance) * self.unit;
        }
    }
}

/// Puts a glyph's outline at its place. The font's y goes up.
struct Outline<'a> {
    x: f64,
    y: f64,
    unit: f64,
    path: &'a mut PathBuilder,
}

impl Outline<'_> {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        let (x, y) = (f64::from(x) * self.unit, f64::from(y) * self.unit);
        ((self.x + x) as f32, (self.y - y) as f32)
    }
}

impl OutlineBuilder for Outline<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shaped(
        text: &str,
        shape: impl Fn(&Face<'_>, UnicodeBuffer) -> GlyphBuffer,
    ) -> Vec<[i32; 4]> {
        let face = EMBEDDED_FACE.as_ref().unwrap();
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        let shaped = shape(face, buffer);
        let glyphs = shaped.glyph_infos().iter().zip(shaped.glyph_positions());
        let told = glyphs.map(|(glyph, place)| {
            [glyph.glyph_id as i32, place.x_advance, place.x_offset, place.y_offset]
        });
        told.collect()
    }

    #[test]
    fn a_plan_that_was_kept_shapes_as_a_new_one() {
        let texts =
            ["person 0.93", "12:30:45", "AVATAR fi", "Привет, мир", "Ωμέγα", "שָׁלוֹם 12", "", "漢字"];
        for _ in 0..2 {
            for text in texts {
                let expected = shaped(text, |face, buffer| rustybuzz::shape(face, &[], buffer));
                assert_eq!(shaped(text, shaped_by_embedded), expected, "{text}");
            }
        }
    }
}
