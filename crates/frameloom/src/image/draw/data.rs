//! Drawing what a frame's data says: boxes, lines, points and text, by their keys in JSON.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::image::FrameData;
use crate::image::draw::{BoxStyle, Color, Draw, TextStyle};

/// What is drawn of a frame's data. All else in it is for others.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Drawing {
    boxes: Vec<LabelledBox>,
    lines: Vec<Line>,
    points: Vec<Point>,
    text: Vec<Text>,
}

#[derive(Debug, Deserialize)]
struct LabelledBox {
    xyxy: [f64; 4],
    #[serde(default)]
    label: String,
    score: Option<f64>,
    id: Option<Id>,
    #[serde(default)]
    color: String,
}

/// What tells one thing that was found from others of its kind.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Id {
    Number(#[serde(deserialize_with = "whole")] i64),
    Name(String),
}

/// A whole number, which JSON may also write as 3.0 or 1e20.
fn whole<'de, D: Deserializer<'de>>(json: D) -> std::result::Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(json)?;
    let of_float = || number.as_f64().filter(|number| number.fract() == 0.0).map(|n| n as i64);
    number.as_i64().or_else(of_float).ok_or_else(|| D::Error::custom("it is no whole number"))
}

#[derive(Debug, Deserialize)]
struct Line {
    points: Vec<[f64; 2]>,
    #[serde(default)]
    color: String,
    width: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Point {
    xy: [f64; 2],
    #[serde(default)]
    color: String,
    radius: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Text {
    xy: [f64; 2],
    text: String,
    size: Option<f64>,
    #[serde(default)]
    color: String,
    #[serde(default)]
    background: String,
}

/// What has neither a colour nor a name.
const USUAL: Color = Color::rgb(255, 200, 0);

/// What is named without a colour gets one of these, always the same one: far apart in hue, and each readable
/// with black text on it.
const COLORS: [Color; 10] = [
    USUAL,
    Color::rgb(0x4e, 0xc9, 0xff),
    Color::rgb(0x7e, 0xe7, 0x87),
    Color::rgb(0xff, 0x9d, 0xb4),
    Color::rgb(0xc9, 0xa2, 0xff),
    Color::rgb(0xff, 0xa6, 0x57),
    Color::rgb(0x5e, 0xf0, 0xd0),
    Color::rgb(0xe6, 0xe3, 0x5c),
    Color::rgb(0x8f, 0xb4, 0xff),
    Color::rgb(0xff, 0x8f, 0x6b),
];

/// From this height on, lines and letters are larger, in proportion to the picture.
const USUAL_HEIGHT: f64 = 720.0;

impl Drawing {
    /// Reads what of a frame's data is to be drawn.
    pub(crate) fn of(data: &FrameData) -> Result<Drawing> {
        serde_json::from_str(data.as_json()).map_err(|e| {
            let cause = format!("a frame's data can't be drawn: {e}");
            Error::new(ErrorKind::InvalidData, Stage::Process, cause)
        })
    }

    /// Whether there is nothing to draw.
    pub(crate) fn is_empty(&self) -> bool {
        let Drawing { boxes, lines, points, text } = self;
        boxes.is_empty() && lines.is_empty() && points.is_empty() && text.is_empty()
    }
}

impl LabelledBox {
    /// Its own colour, or that of its number, or of its label.
    fn color(&self) -> Result<Color> {
        let number = match &self.id {
            Some(Id::Number(number)) => number.unsigned_abs(),
            Some(Id::Name(name)) => checksum(name),
            None if self.label.is_empty() => 0,
            None => checksum(&self.label),
        };
        let usual = usize::try_from(number % COLORS.len() as u64).ok();
        color(&self.color, usual.and_then(|n| COLORS.get(n)).copied().unwrap_or(USUAL))
    }

    fn label(&self) -> String {
        let id = self.id.as_ref().map(|id| match id {
            Id::Number(number) => format!("#{number}"),
            Id::Name(name) => format!("#{name}"),
        });
        let score = self.score.map(|score| format!("{score:.2}"));
        let words = [Some(self.label.clone()).filter(|label| !label.is_empty()), id, score];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

impl Draw<'_> {
    /// Draws what a frame's data says:
    ///
    /// ```json
    /// {"boxes": [{"xyxy": [10, 20, 110, 220], "label": "person", "score": 0.9, "id": 3, "color": "red"}],
    ///  "lines": [{"points": [[0, 0], [50, 90]], "color": "#00ff80", "width": 3}],
    ///  "points": [{"xy": [40, 60], "radius": 4}],
    ///  "text": [{"xy": [8, 8], "text": "2 persons", "size": 24, "background": "black@0.5"}]}
    /// ```
    ///
    /// Every key but `xyxy`, `points`, `xy` and `text` may be left out, and others are passed over. A box without
    /// `color` gets one by its `id`, or else by its `label`: the same name has the same colour everywhere. Places are
    /// in pixels of a picture of `size`, which is as a rule the one that is drawn on; where all of one place's
    /// numbers lie between 0 and 1, they are parts of its width and height. Widths, radii and sizes are in
    /// pixels of the picture that is drawn on.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] where one of these keys has another kind of value, and for a colour that
    /// nobody knows. Nothing is drawn then.
    pub fn data(&mut self, data: &FrameData, size: (u32, u32)) -> Result<()> {
        self.drawing(&Drawing::of(data)?, size)
    }

    /// As [`Draw::data`], of data that was read.
    pub(crate) fn drawing(&mut self, drawing: &Drawing, size: (u32, u32)) -> Result<()> {
        let (width, height) = (self.canvas.width as f64, self.canvas.height as f64);
        let map = Mapping { from: (f64::from(size.0), f64::from(size.1)), to: (width, height) };
        let scale = (height / USUAL_HEIGHT).max(1.0);
        let boxes = drawing.boxes.iter().map(LabelledBox::color);
        let boxes = boxes.collect::<Result<Vec<_>>>()?;
        let lines = drawing.lines.iter().map(|line| color(&line.color, USUAL));
        let lines = lines.collect::<Result<Vec<_>>>()?;
        let points = drawing.points.iter().map(|point| color(&point.color, USUAL));
        let points = points.collect::<Result<Vec<_>>>()?;
        let styles = drawing.text.iter().map(|text| text.style(scale));
        let styles = styles.collect::<Result<Vec<_>>>()?;
        for (found, color) in drawing.boxes.iter().zip(boxes) {
            let [left, top, right, bottom] = found.xyxy;
            let [[left, top], [right, bottom]] = map.places([[left, top], [right, bottom]]);
            let style = BoxStyle::new(color)
                .width((2.0 * scale).round())
                .label(found.label())
                .label_size(16.0 * scale);
            self.bounding_box([left, top, right, bottom], &style);
        }
        for (line, color) in drawing.lines.iter().zip(lines) {
            let width = line.width.unwrap_or(2.0 * scale);
            self.polyline(&map.all(&line.points), color, width);
        }
        for (point, color) in drawing.points.iter().zip(points) {
            let [place] = map.places([point.xy]);
            self.circle(place, point.radius.unwrap_or(3.0 * scale), color, None);
        }
        for (text, style) in drawing.text.iter().zip(styles) {
            let [place] = map.places([text.xy]);
            self.text(place, &text.text, &style);
        }
        Ok(())
    }
}

impl Text {
    fn style(&self, scale: f64) -> Result<TextStyle> {
        let style = TextStyle::new(self.size.unwrap_or(24.0 * scale));
        let style = style.color(color(&self.color, Color::WHITE)?);
        if self.background.is_empty() {
            return Ok(style);
        }
        Ok(style.background(self.background.parse()?))
    }
}

/// A number that is the same for a name in every process: FNV-1a.
fn checksum(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn color(name: &str, usual: Color) -> Result<Color> {
    if name.is_empty() { Ok(usual) } else { name.parse() }
}

/// From places in one picture to those in another.
struct Mapping {
    from: (f64, f64),
    to: (f64, f64),
}

impl Mapping {
    fn all(&self, places: &[[f64; 2]]) -> Vec<[f64; 2]> {
        let are_parts = places.iter().flatten().all(|n| (0.0..=1.0).contains(n));
        let (width, height) = if are_parts { (1.0, 1.0) } else { self.from };
        let (x, y) = (self.to.0 / width, self.to.1 / height);
        places.iter().map(|place| [place[0] * x, place[1] * y]).collect()
    }

    fn places<const N: usize>(&self, places: [[f64; 2]; N]) -> [[f64; 2]; N] {
        // There are as many as there were.
        self.all(&places).try_into().unwrap_or(places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Frame, PixelFormat};
    use crate::time::TimeBase;

    fn black() -> Frame {
        let bytes = vec![0; 64 * 48 * 3];
        let image = crate::image::Image::packed(PixelFormat::Rgb24, 64, 48, &bytes).unwrap();
        Frame::from_image(&image, TimeBase::MICROS.at(0)).unwrap()
    }

    fn drawn(json: &str, size: (u32, u32)) -> Result<Vec<u8>> {
        let mut frame = black();
        frame.draw()?.data(&FrameData::from_json(json)?, size)?;
        Ok(frame.image(PixelFormat::Rgb24)?.to_packed_vec())
    }

    fn by(draw: impl FnOnce(&mut Draw<'_>)) -> Vec<u8> {
        let mut frame = black();
        draw(&mut frame.draw().unwrap());
        frame.image(PixelFormat::Rgb24).unwrap().to_packed_vec()
    }

    #[test]
    fn it_is_drawn_as_if_it_was_asked_for() {
        let boxed = by(|draw| {
            let style = BoxStyle::new(Color::rgb(255, 0, 0)).label("cat #3 0.90");
            draw.bounding_box([8.0, 30.0, 40.0, 44.0], &style);
        });
        let json = r#"{"boxes": [{"xyxy": [8, 30, 40, 44], "label": "cat", "score": 0.9, "id": 3,
            "color": "red", "of": "mine"}], "camera": [1, 2]}"#;
        assert_eq!(drawn(json, (64, 48)).unwrap(), boxed);
        let line = by(|draw| draw.polyline(&[[0.0, 0.0], [32.0, 24.0]], USUAL, 2.0));
        let json = r#"{"lines": [{"points": [[0, 0], [32, 24]]}]}"#;
        assert_eq!(drawn(json, (64, 48)).unwrap(), line);
        let point = by(|draw| draw.circle([20.0, 20.0], 5.0, USUAL, None));
        assert_eq!(
            drawn(r#"{"points": [{"xy": [20, 20], "radius": 5}]}"#, (64, 48)).unwrap(),
            point
        );
        let text = by(|draw| {
            let style = TextStyle::new(20.0).background("black@0.5".parse().unwrap());
            draw.text([4.0, 4.0], "2", &style);
        });
        let json =
            r#"{"text": [{"xy": [4, 4], "text": "2", "size": 20, "background": "black@0.5"}]}"#;
        assert_eq!(drawn(json, (64, 48)).unwrap(), text);
    }

    #[test]
    fn a_thing_has_its_colour_by_its_number_or_its_name() {
        let color = |rest: &str| {
            let text = format!(r#"{{"xyxy": [8, 8, 40, 40]{rest}}}"#);
            serde_json::from_str::<LabelledBox>(&text).unwrap().color().unwrap()
        };
        assert_eq!(color(""), USUAL);
        assert_eq!(color(r#", "id": 12, "label": "cat""#), COLORS[2]);
        assert_eq!(color(r#", "id": 12.0"#), COLORS[2]);
        assert_eq!(color(r#", "id": 1e30"#), COLORS[7]);
        assert_eq!(color(r#", "id": -9223372036854775808"#), COLORS[8]);
        assert_eq!(color(r#", "id": 12, "color": "red""#), Color::rgb(255, 0, 0));
        assert_eq!(color(r#", "label": "cat", "score": 0.5"#), color(r#", "label": "cat""#));
        assert_ne!(color(r#", "label": "person""#), color(r#", "label": "car""#));
        assert_eq!(color(r#", "id": "person""#), color(r#", "label": "person""#));
    }

    #[test]
    fn places_are_pixels_of_what_was_seen_or_parts_of_it() {
        let there = by(|draw| draw.bounding_box([16.0, 12.0, 48.0, 36.0], &BoxStyle::new(USUAL)));
        for (json, size) in [
            (r#"{"boxes": [{"xyxy": [16, 12, 48, 36]}]}"#, (64, 48)),
            (r#"{"boxes": [{"xyxy": [8, 6, 24, 18]}]}"#, (32, 24)),
            (r#"{"boxes": [{"xyxy": [0.25, 0.25, 0.75, 0.75]}]}"#, (320, 240)),
        ] {
            assert_eq!(drawn(json, size).unwrap(), there, "{json}");
        }
    }

    #[test]
    fn what_can_not_be_drawn_is_an_error_and_draws_nothing() {
        for json in [
            r#"{"boxes": 1}"#,
            r#"{"boxes": [{"xyxy": [1, 2, 3]}]}"#,
            r#"{"boxes": [{"label": "x"}]}"#,
            r#"{"boxes": [{"xyxy": [1, 2, 3, 4], "color": "reddish"}]}"#,
            r#"{"text": [{"xy": [1, 2]}]}"#,
        ] {
            assert!(drawn(json, (64, 48)).is_err(), "{json}");
        }
        let wild = r#"{"boxes": [{"xyxy": [1e300, -1e300, 5, 1e308]}], "text": [{"xy": [-9e99, 2],
            "text": "x", "size": 1e300}], "lines": [{"points": []}]}"#;
        drawn(wild, (64, 48)).unwrap();
    }
}
