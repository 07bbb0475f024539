//! AMF0 ("Action Message Format, AMF 0", Adobe 2007): what commands and metadata are written in.
//!
//! Decoding is bounded in depth and in the number of values, so that neither the stack nor the
//! memory follows what a peer claims. RTMP's AMF3 commands (message type 17) are AMF0 behind one
//! zero byte, see [`crate::command`]; single values in them may be AMF3, and are read as the AMF0
//! that is nearest.

mod amf3;
mod cursor;
mod value;

use std::fmt;

use bytes::{BufMut, BytesMut};

pub use self::cursor::MAX_DEPTH;
use self::cursor::{AmfCursor, text};
pub use self::value::{AmfError, Properties, Value, object};
use crate::Limits;

/// Reads AMF0 values one after another.
pub struct Amf0Decoder<'a>(AmfCursor<'a>);

impl fmt::Debug for Amf0Decoder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Amf0Decoder")
            .field("rest_bytes", &self.0.rest.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Amf0Decoder<'a> {
    /// A decoder over one message's payload.
    #[must_use]
    pub fn new(bytes: &'a [u8], limits: &Limits) -> Self {
        Amf0Decoder(AmfCursor::new(bytes, limits))
    }

    /// A decoder that takes what it can't read for the end of the objects and arrays around it:
    /// they have what stood before it. What is cut short, or has a type that nobody knows, so
    /// becomes as much as can be known of it.
    #[must_use]
    pub fn lenient(bytes: &'a [u8], limits: &Limits) -> Self {
        let mut decoder = Amf0Decoder::new(bytes, limits);
        decoder.0.be_lenient();
        decoder
    }

    /// Whether all that was read was well formed: nothing was taken for an end that is none.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.0.is_broken() && !self.0.lacks_end
    }

    /// What has not been read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.0.rest
    }

    /// The next value, or `None` at the end and, where the decoder is lenient, after what broke an
    /// object or array.
    ///
    /// # Errors
    ///
    /// [`AmfError`]; nothing can be read after one.
    pub fn value(&mut self) -> Result<Option<Value>, AmfError> {
        if self.0.rest.is_empty() || self.0.is_broken() {
            return Ok(None);
        }
        let marker = self.0.byte()?;
        self.after(marker).map(Some)
    }

    fn after(&mut self, marker: u8) -> Result<Value, AmfError> {
        self.0.count()?;
        Ok(match marker {
            0x00 => Value::Number(self.0.number()?),
            0x01 => Value::Boolean(self.0.byte()? != 0),
            0x02 => Value::String(self.short_string()?),
            0x03 => Value::Object(self.properties()?),
            0x05 => Value::Null,
            0x06 => Value::Undefined,
            0x07 => Value::Reference(self.0.u16()?),
            0x08 => {
                self.0.u32()?;
                Value::EcmaArray(self.properties()?)
            }
            0x0A => Value::StrictArray(self.items()?),
            0x0B => {
                let unix_ms = self.0.number()?;
                Value::Date { unix_ms, zone: self.0.array().map(i16::from_be_bytes)? }
            }
            0x0C => Value::String(self.long_string()?),
            0x0D => Value::Unsupported,
            0x0F => Value::Xml(self.long_string()?),
            0x10 => {
                let class = self.short_string()?;
                Value::TypedObject { class, properties: self.properties()? }
            }
            0x11 => amf3::value(&mut self.0)?,
            other => return Err(AmfError::Marker(other)),
        })
    }

    fn properties(&mut self) -> Result<Properties, AmfError> {
        self.0.enter()?;
        let mut properties = Vec::new();
        // What was broken further in ends everything around it as well.
        while !self.0.is_broken() {
            let property = self.property();
            match self.0.entry(property)? {
                Some(Some(property)) => properties.push(property),
                Some(None) | None => break,
            }
        }
        self.0.leave();
        Ok(properties)
    }

    /// The next property, or `None` at the end of them.
    fn property(&mut self) -> Result<Option<(String, Value)>, AmfError> {
        // Several encoders leave the end marker off the last, outermost array.
        if self.0.rest.is_empty() && self.0.depth() == 1 {
            self.0.lacks_end = true;
            return Ok(None);
        }
        let key = self.short_string()?;
        let marker = self.0.byte()?;
        // The end is an empty name and 0x09; an empty name alone is a legal property.
        match (marker, key.is_empty()) {
            (0x09, true) => Ok(None),
            (0x09, false) => Err(AmfError::Marker(marker)),
            _ => self.after(marker).map(|value| Some((key, value))),
        }
    }

    fn items(&mut self) -> Result<Vec<Value>, AmfError> {
        self.0.enter()?;
        let count = self.0.u32()?;
        // Not allocated ahead: the count is only what the peer says.
        let mut items = Vec::new();
        for _ in 0..count {
            if self.0.is_broken() {
                break;
            }
            let item = self.0.byte().and_then(|marker| self.after(marker));
            match self.0.entry(item)? {
                Some(item) => items.push(item),
                None => break,
            }
        }
        self.0.leave();
        Ok(items)
    }

    fn short_string(&mut self) -> Result<String, AmfError> {
        let length = self.0.u16()?;
        self.0.take(length.into()).map(text)
    }

    fn long_string(&mut self) -> Result<String, AmfError> {
        let length = usize::try_from(self.0.u32()?).map_err(|_| AmfError::Truncated)?;
        self.0.take(length).map(text)
    }
}

/// Every value in `bytes`.
///
/// # Errors
///
/// [`AmfError`] where any of them is bad or a limit is passed.
pub fn decode_all(bytes: &[u8], limits: &Limits) -> Result<Vec<Value>, AmfError> {
    let mut decoder = Amf0Decoder::new(bytes, limits);
    let mut values = Vec::new();
    while let Some(value) = decoder.value()? {
        values.push(value);
    }
    Ok(values)
}

/// Appends one value. Names longer than 65,535 bytes are cut there, at a character's boundary.
pub fn encode(value: &Value, out: &mut BytesMut) {
    match value {
        Value::Number(number) => {
            out.put_u8(0x00);
            out.put_f64(*number);
        }
        Value::Boolean(boolean) => {
            out.put_u8(0x01);
            out.put_u8((*boolean).into());
        }
        Value::String(text) if text.len() <= usize::from(u16::MAX) => {
            out.put_u8(0x02);
            put_name(text, out);
        }
        Value::String(text) => {
            out.put_u8(0x0C);
            put_long(text, out);
        }
        Value::Object(properties) => {
            out.put_u8(0x03);
            put_properties(properties, out);
        }
        Value::Null => out.put_u8(0x05),
        Value::Undefined => out.put_u8(0x06),
        Value::Reference(index) => {
            out.put_u8(0x07);
            out.put_u16(*index);
        }
        Value::EcmaArray(properties) => {
            out.put_u8(0x08);
            out.put_u32(u32::try_from(properties.len()).unwrap_or(u32::MAX));
            put_properties(properties, out);
        }
        Value::StrictArray(items) => {
            out.put_u8(0x0A);
            out.put_u32(u32::try_from(items.len()).unwrap_or(u32::MAX));
            for item in items {
                encode(item, out);
            }
        }
        Value::Date { unix_ms, zone } => {
            out.put_u8(0x0B);
            out.put_f64(*unix_ms);
            out.put_i16(*zone);
        }
        Value::Unsupported => out.put_u8(0x0D),
        Value::Xml(text) => {
            out.put_u8(0x0F);
            put_long(text, out);
        }
        Value::TypedObject { class, properties } => {
            out.put_u8(0x10);
            put_name(class, out);
            put_properties(properties, out);
        }
    }
}

fn put_properties(properties: &[(String, Value)], out: &mut BytesMut) {
    for (key, value) in properties {
        put_name(key, out);
        encode(value, out);
    }
    out.put_slice(&[0, 0, 0x09]);
}

fn put_name(name: &str, out: &mut BytesMut) {
    let mut end = name.len().min(usize::from(u16::MAX));
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    out.put_u16(u16::try_from(end).unwrap_or(u16::MAX));
    out.put_slice(&name.as_bytes()[..end]);
}

fn put_long(text: &str, out: &mut BytesMut) {
    out.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
    out.put_slice(text.as_bytes());
}
