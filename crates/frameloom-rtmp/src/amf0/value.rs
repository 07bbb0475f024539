//! The values of AMF0, and why bytes are none.

use std::fmt;

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
