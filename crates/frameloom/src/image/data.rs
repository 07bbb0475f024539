//! What code knows of a frame and sends along with it.

use std::ffi::CStr;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result, Stage, counted};
use crate::image::Frame;

/// Where a frame keeps it. libav copies it along with the picture's other properties.
const NAME: &CStr = c"frameloom.data";

/// A JSON object that code attaches to a frame: see [`Frame::set_data`].
#[derive(Clone, PartialEq, Eq)]
pub struct FrameData(Box<str>);

impl FrameData {
    /// The most that one has, in bytes of JSON.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// The object that is written here.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] where it isn't a JSON object, or has more than
    /// [`FrameData::MAX_BYTES`].
    pub fn from_json(text: &str) -> Result<FrameData> {
        check_length(text.len())?;
        let parsed = serde_json::from_str::<Map<String, Value>>(text);
        parsed.map_err(|e| invalid(&format!("a frame's data is no JSON object: {e}")))?;
        Ok(FrameData(text.trim().into()))
    }

    /// The object that a value becomes.
    ///
    /// # Errors
    /// As [`FrameData::from_json`].
    pub fn new(value: &impl Serialize) -> Result<FrameData> {
        let text = serde_json::to_string(value);
        let text = text.map_err(|e| invalid(&format!("a frame's data is no JSON: {e}")))?;
        FrameData::from_json(&text)
    }

    /// The object as JSON.
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FrameData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Frame {
    /// What code has attached to the frame, if anything.
    pub fn data(&self) -> Option<FrameData> {
        // A filter may set what it likes.
        FrameData::from_json(&self.picture().metadata(NAME)?).ok()
    }

    /// Attaches a JSON object to the frame, in place of one that was there, or takes it away. It travels with
    /// the frame, through filter graphs too. The frame doesn't count as edited.
    ///
    /// # Errors
    /// [`ErrorKind::Other`] where memory runs out.
    pub fn set_data(&mut self, data: Option<&FrameData>) -> Result<()> {
        let set = self.picture_mut().set_metadata(NAME, data.map(FrameData::as_json));
        set.map_err(|e| e.in_stage(Stage::Process))
    }
}

fn check_length(bytes: usize) -> Result<()> {
    if bytes <= FrameData::MAX_BYTES {
        return Ok(());
    }
    let most = counted(FrameData::MAX_BYTES as u64, "byte");
    Err(invalid(&format!("a frame's data has {bytes} bytes: the most is {most}")))
}

fn invalid(cause: &str) -> Error {
    Error::new(ErrorKind::InvalidData, Stage::Process, cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Image, PixelFormat};
    use crate::time::TimeBase;

    fn frame() -> Frame {
        let image = Image::packed(PixelFormat::Gray, 2, 2, &[0; 4]).unwrap();
        Frame::from_image(&image, TimeBase::MICROS.at(0)).unwrap()
    }

    #[test]
    fn it_is_a_json_object_of_bounded_length() {
        for text in ["{}", r#" {"boxes": [{"xyxy": [0, 0, 1, 1]}]} "#] {
            assert_eq!(FrameData::from_json(text).unwrap().as_json(), text.trim());
        }
        for text in ["", "[]", "1", "{", "{}{}", "{\"a\": NaN}"] {
            assert!(FrameData::from_json(text).is_err(), "{text}");
        }
        let long = |n: usize| format!("{{\"a\": \"{}\"}}", "x".repeat(n - 9));
        assert!(FrameData::from_json(&long(FrameData::MAX_BYTES)).is_ok());
        let error = FrameData::from_json(&long(FrameData::MAX_BYTES + 1)).unwrap_err();
        assert!(error.to_string().contains("65537 bytes"), "{error}");
    }

    #[test]
    fn it_travels_with_the_frame_and_edits_nothing() {
        let data = FrameData::from_json(r#"{"a": "\u00e9\u0000"}"#).unwrap();
        let mut frame = frame();
        assert_eq!(frame.data(), None);
        frame.set_data(Some(&data)).unwrap();
        assert!(!frame.is_edited());
        assert_eq!(frame.share().unwrap().data(), Some(data.clone()));
        frame.image_mut(PixelFormat::Rgb24).unwrap().row_mut(0).fill(9);
        assert_eq!(frame.share().unwrap().data(), Some(data));
        frame.set_data(None).unwrap();
        assert_eq!(frame.data(), None);
    }
}
