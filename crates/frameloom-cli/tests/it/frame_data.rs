//! The schema of a frame's data, beside what is drawn: both are to take the same.

use std::path::Path;

use frameloom::{Frame, FrameData, Image, PixelFormat, Timestamp};
use serde_json::Value;

const DRAWN: &[&str] = &[
    r#"{}"#,
    r#"{"boxes": [], "lines": [], "points": [], "text": []}"#,
    r#"{"boxes": [{"xyxy": [10, 20, 110, 220]}]}"#,
    r#"{"boxes": [{"xyxy": [0.1, 0.2, 0.5, 0.75], "label": "person", "score": 0.9, "id": 3, "color": "red"}]}"#,
    r#"{"boxes": [{"xyxy": [1, 2, 3, 4], "score": null, "id": null}, {"xyxy": [1, 2, 3, 4], "id": "a"}]}"#,
    r#"{"boxes": [{"xyxy": [1, 2, 3, 4], "id": 1.0}, {"xyxy": [1, 2, 3, 4], "id": 1e30}]}"#,
    r##"{"lines": [{"points": [[0, 0], [50, 90]], "color": "#00ff80", "width": 3}]}"##,
    r#"{"lines": [{"points": [], "width": null}]}"#,
    r#"{"points": [{"xy": [40, 60], "radius": 4}, {"xy": [4.5, 6], "radius": null, "color": "lime"}]}"#,
    r#"{"text": [{"xy": [8, 8], "text": "2 persons", "size": 24, "background": "black@0.5"}]}"#,
    r#"{"text": [{"xy": [8, 8], "text": "", "size": null, "color": "white"}]}"#,
    r#"{"count": 2, "boxes": [{"xyxy": [1, 2, 3, 4], "speed": 7}], "more": {"of": ["yours"]}}"#,
];

const REFUSED: &[&str] = &[
    r#"{"boxes": {"xyxy": [1, 2, 3, 4]}}"#,
    r#"{"boxes": null}"#,
    r#"{"boxes": [{"label": "person"}]}"#,
    r#"{"boxes": [{"xyxy": [1, 2, 3]}]}"#,
    r#"{"boxes": [{"xyxy": [1, 2, 3, 4, 5]}]}"#,
    r#"{"boxes": [{"xyxy": ["1", 2, 3, 4]}]}"#,
    r#"{"boxes": [{"xyxy": [1, 2, 3, 4], "label": 5}]}"#,
    r#"{"boxes": [{"xyxy": [1, 2, 3, 4], "score": "high"}]}"#,
    r#"{"boxes": [{"xyxy": [1, 2, 3, 4], "id": 1.5}]}"#,
    r#"{"boxes": [{"xyxy": [1, 2, 3, 4], "color": [255, 0, 0]}]}"#,
    r#"{"lines": [{"color": "red"}]}"#,
    r#"{"lines": [{"points": [[0, 0, 0]]}]}"#,
    r#"{"lines": [{"points": [0, 0]}]}"#,
    r#"{"lines": [{"points": [[0, 0]], "width": "3"}]}"#,
    r#"{"points": [{"radius": 4}]}"#,
    r#"{"points": [{"xy": [4]}]}"#,
    r#"{"points": [[4, 6]]}"#,
    r#"{"text": [{"xy": [8, 8]}]}"#,
    r#"{"text": [{"text": "where"}]}"#,
    r#"{"text": [{"xy": [8, 8], "text": "x", "size": "24"}]}"#,
    r#"{"text": "x"}"#,
    r#"[{"xyxy": [1, 2, 3, 4]}]"#,
    r#""boxes""#,
];

/// What drawing this comes to.
fn draw(text: &str) -> frameloom::Result<()> {
    let image = Image::packed(PixelFormat::Gray, 64, 48, &[0; 64 * 48]).unwrap();
    let mut frame = Frame::from_image(&image, Timestamp::ZERO).unwrap();
    let data = FrameData::from_json(text)?;
    let mut draw = frame.draw().unwrap();
    draw.data(&data, (64, 48))
}

#[test]
fn the_schema_of_a_frames_data_takes_what_can_be_drawn() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/frame-data.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for (texts, is_good) in [(DRAWN, true), (REFUSED, false)] {
        for text in texts {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(validator.is_valid(&value), is_good, "the schema on {text}");
            let drawn = draw(text);
            assert_eq!(drawn.is_ok(), is_good, "{text}: {drawn:?}");
        }
    }
}
