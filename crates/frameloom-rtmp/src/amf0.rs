//! AMF0 ("Action Message Format, AMF 0", Adobe 2007): what commands and metadata are written in.
//!
//! Decoding is bounded in depth and in the number of values, so that neither the stack nor the
//! memory follows what a peer claims. RTMP's AMF3 commands (message type 17) are AMF0 behind one
//! zero byte, see [`crate::command`]; single values in them may be AMF3, and are read as the AMF0
//! that is nearest.

mod amf3;

use std::fmt;

use bytes::{BufMut, BytesMut};

use crate::Limits;

/// The deepest nesting that decoding ever goes to, whatever [`Limits::amf_depth`] says: decoding
/// and dropping a value use the stack, and this keeps it below 64 KiB.
pub const MAX_DEPTH: usize = 128;

/// Text in one message that AMF3 references may stand for, in bytes: each takes two on the wire.
const REPEATED_BYTES: usize = 1 << 20;

/// Why bytes are not AMF0, or not acceptable AMF0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AmfError {
    /// The bytes end within a value.
    #[error("it ends within a value")]
    Truncated,
    /// A type marker of AMF0 or AMF3 that can't stand here or is not read.
    #[error("type marker {0:#04x}")]
    Marker(u8),
    /// Objects and arrays nested deeper than the limit.
    #[error("nested deeper than {0}")]
    Depth(usize),
    /// More values than the limit.
    #[error("more than {0} values")]
    Values(usize),
    /// An AMF3 reference to a string or class that was not there before.
    #[error("a reference to nothing")]
    Reference,
    /// More text by AMF3 references than this many bytes.
    #[error("more than {0} bytes by reference")]
    Repeated(usize),
    /// An AMF3 object in a form that only its class knows.
    #[error("an object in its class's own form")]
    Class,
}

/// Properties in the order in which they stand on the wire; a name may come twice.
pub type Properties = Vec<(String, Value)>;

/// One AMF0 value. Text that is not UTF-8 is read with replacement characters. `Debug` shows how
/// long texts are, not what they say: among them are stream keys and credentials.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Marker 0x00.
    Number(f64),
    /// Marker 0x01.
    Boolean(bool),
    /// Markers 0x02 and, where longer than 65,535 bytes, 0x0C.
    String(String),
    /// Marker 0x03.
    Object(Properties),
    /// Marker 0x05.
    Null,
    /// Marker 0x06.
    Undefined,
    /// Marker 0x07: the index of an object earlier in the same message. AMF3 counts its own.
    Reference(u16),
    /// Marker 0x08. The count on the wire is a hint that peers get wrong; it is not kept.
    EcmaArray(Properties),
    /// Marker 0x0A.
    StrictArray(Vec<Value>),
    /// Marker 0x0B: milliseconds since 1970 UTC, and a time zone in minutes that should be 0.
    Date {
        /// Milliseconds since 1970-01-01 UTC.
        unix_ms: f64,
        /// Minutes; reserved, 0.
        zone: i16,
    },
    /// Marker 0x0D.
    Unsupported,
    /// Marker 0x0F.
    Xml(String),
    /// Marker 0x10.
    TypedObject {
        /// The class's name.
        class: String,
        /// Its properties.
        properties: Properties,
    },
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |f: &mut fmt::Formatter<'_>, properties: &Properties| {
            f.debug_map().entries(properties.iter().map(|(name, value)| (name, value))).finish()
        };
        match self {
            Value::Number(number) => write!(f, "{number:?}"),
            Value::Boolean(boolean) => write!(f, "{boolean}"),
            Value::String(text) => write!(f, "String({} bytes)", text.len()),
            Value::Object(properties) => named(f, properties),
            Value::Null => f.write_str("Null"),
            Value::Undefined => f.write_str("Undefined"),
            Value::Reference(index) => write!(f, "Reference({index})"),
            Value::EcmaArray(properties) => {
                f.write_str("EcmaArray")?;
                named(f, properties)
            }
            Value::StrictArray(items) => f.debug_list().entries(items).finish(),
            Value::Date { unix_ms, zone } => write!(f, "Date({unix_ms:?}, {zone})"),
            Value::Unsupported => f.write_str("Unsupported"),
            Value::Xml(text) => write!(f, "Xml({} bytes)", text.len()),
            Value::TypedObject { class, properties } => {
                write!(f, "{class:?} ")?;
                named(f, properties)
            }
        }
    }
}

impl Value {
    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a number.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The properties of an object, typed object or ECMA array.
    #[must_use]
    pub fn properties(&self) -> Option<&[(String, Value)]> {
        match self {
            Value::Object(properties)
            | Value::EcmaArray(properties)
            | Value::TypedObject { properties, .. } => Some(properties),
            _ => None,
        }
    }

    /// The property `name` of an object or ECMA array.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.properties()?.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.to_owned())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Number(number)
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Value::Boolean(boolean)
    }
}

/// An object from name and value pairs, for writing commands.
#[must_use]
pub fn object<const N: usize>(properties: [(&str, Value); N]) -> Value {
    Value::Object(properties.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Reads AMF0 values one after another.
pub struct Decoder<'a> {
    rest: &'a [u8],
    depth: usize,
    values: usize,
    repeated_bytes: usize,
    max_depth: usize,
    max_values: usize,
}

impl fmt::Debug for Decoder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("rest_bytes", &self.rest.len()).finish_non_exhaustive()
    }
}

impl<'a> Decoder<'a> {
    /// A decoder over one message's payload.
    #[must_use]
    pub fn new(bytes: &'a [u8], limits: &Limits) -> Self {
        Decoder {
            rest: bytes,
            depth: 0,
            values: 0,
            repeated_bytes: 0,
            max_depth: limits.amf_depth.min(MAX_DEPTH),
            max_values: limits.amf_values,
        }
    }

    /// What has not been read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next value, or `None` at the end.
    ///
    /// # Errors
    ///
    /// [`AmfError`]; nothing can be read after one.
    pub fn value(&mut self) -> Result<Option<Value>, AmfError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let marker = self.byte()?;
        self.after(marker).map(Some)
    }

    fn after(&mut self, marker: u8) -> Result<Value, AmfError> {
        self.count()?;
        Ok(match marker {
            0x00 => Value::Number(self.number()?),
            0x01 => Value::Boolean(self.byte()? != 0),
            0x02 => Value::String(self.short_string()?),
            0x03 => Value::Object(self.properties()?),
            0x05 => Value::Null,
            0x06 => Value::Undefined,
            0x07 => Value::Reference(self.u16()?),
            0x08 => {
                self.u32()?;
                Value::EcmaArray(self.properties()?)
            }
            0x0A => Value::StrictArray(self.items()?),
            0x0B => {
                let unix_ms = self.number()?;
                Value::Date { unix_ms, zone: self.array().map(i16::from_be_bytes)? }
            }
            0x0C => Value::String(self.long_string()?),
            0x0D => Value::Unsupported,
            0x0F => Value::Xml(self.long_string()?),
            0x10 => {
                let class = self.short_string()?;
                Value::TypedObject { class, properties: self.properties()? }
            }
            0x11 => amf3::value(self)?,
            other => return Err(AmfError::Marker(other)),
        })
    }

    /// One value more.
    pub(crate) fn count(&mut self) -> Result<(), AmfError> {
        self.values += 1;
        if self.values > self.max_values {
            return Err(AmfError::Values(self.max_values));
        }
        Ok(())
    }

    /// Text that stands for itself once more by a reference.
    pub(crate) fn repeat(&mut self, bytes: usize) -> Result<(), AmfError> {
        self.repeated_bytes += bytes;
        if self.repeated_bytes > REPEATED_BYTES {
            return Err(AmfError::Repeated(REPEATED_BYTES));
        }
        Ok(())
    }

    /// One level down.
    pub(crate) fn enter(&mut self) -> Result<(), AmfError> {
        if self.depth >= self.max_depth {
            return Err(AmfError::Depth(self.max_depth));
        }
        self.depth += 1;
        Ok(())
    }

    /// One level up again.
    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }

    fn properties(&mut self) -> Result<Properties, AmfError> {
        self.enter()?;
        let mut properties = Vec::new();
        loop {
            // Several encoders leave the end marker off the last, outermost array.
            if self.rest.is_empty() && self.depth == 1 {
                break;
            }
            let key = self.short_string()?;
            let marker = self.byte()?;
            // The end is an empty name and 0x09; an empty name alone is a legal property.
            if marker == 0x09 {
                if key.is_empty() {
                    break;
                }
                return Err(AmfError::Marker(marker));
            }
            properties.push((key, self.after(marker)?));
        }
        self.leave();
        Ok(properties)
    }

    fn items(&mut self) -> Result<Vec<Value>, AmfError> {
        self.enter()?;
        let count = self.u32()?;
        // Not allocated ahead: the count is only what the peer says.
        let mut items = Vec::new();
        for _ in 0..count {
            let marker = self.byte()?;
            items.push(self.after(marker)?);
        }
        self.leave();
        Ok(items)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], AmfError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(AmfError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], AmfError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(AmfError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, AmfError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16, AmfError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, AmfError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn number(&mut self) -> Result<f64, AmfError> {
        self.array().map(f64::from_be_bytes)
    }

    fn short_string(&mut self) -> Result<String, AmfError> {
        let length = self.u16()?;
        self.take(length.into()).map(text)
    }

    fn long_string(&mut self) -> Result<String, AmfError> {
        let length = usize::try_from(self.u32()?).map_err(|_| AmfError::Truncated)?;
        self.take(length).map(text)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every value in `bytes`.
///
/// # Errors
///
/// [`AmfError`] where any of them is bad or a limit is passed.
pub fn decode_all(bytes: &[u8], limits: &Limits) -> Result<Vec<Value>, AmfError> {
    let mut decoder = Decoder::new(bytes, limits);
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
