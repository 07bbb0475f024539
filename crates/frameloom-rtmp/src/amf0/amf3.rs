//! AMF3 ("Action Message Format, AMF 3", Adobe 2013) where it stands within AMF0: Flash's own
//! clients write arguments so once `objectEncoding` is 3. It is read, never written.
//!
//! Objects that are meant a second time are not copied: a few bytes could stand for any number of
//! copies. Text that is meant again is, within a budget.

use super::cursor::{AmfCursor, text};
use super::value::{AmfError, Properties, Value};

/// What objects of one class have in common. Section 3.12.
#[derive(Clone, Copy)]
struct Traits<'a> {
    class: &'a [u8],
    dynamic: bool,
    /// The class writes itself, in a form of its own.
    externalizable: bool,
    /// Where its properties' names are in `Amf3::names`, and how many.
    first: usize,
    count: usize,
}

struct Amf3<'d, 'a> {
    cursor: &'d mut AmfCursor<'a>,
    strings: Vec<&'a [u8]>,
    names: Vec<&'a [u8]>,
    traits: Vec<Traits<'a>>,
}

/// The value after AMF0's marker 0x11. Tables of references begin anew with each.
pub(crate) fn value(cursor: &mut AmfCursor<'_>) -> Result<Value, AmfError> {
    let (strings, names, traits) = (Vec::new(), Vec::new(), Vec::new());
    Amf3 { cursor, strings, names, traits }.value()
}

impl<'a> Amf3<'_, 'a> {
    fn value(&mut self) -> Result<Value, AmfError> {
        self.cursor.count()?;
        Ok(match self.cursor.byte()? {
            0x00 => Value::Undefined,
            0x01 => Value::Null,
            0x02 => Value::Boolean(false),
            0x03 => Value::Boolean(true),
            0x04 => {
                // 29 bits in two's complement.
                let integer = (self.u29()? << 3) as i32 >> 3;
                Value::Number(integer.into())
            }
            0x05 => Value::Number(self.cursor.number()?),
            0x06 => Value::String(self.string().map(text)?),
            0x07 | 0x0B => match self.reference()? {
                Head::Reference(index) => index,
                Head::Here(length) => Value::Xml(self.cursor.take(length).map(text)?),
            },
            0x08 => match self.reference()? {
                Head::Reference(index) => index,
                Head::Here(_) => Value::Date { unix_ms: self.cursor.number()?, zone: 0 },
            },
            0x09 => self.array()?,
            0x0A => self.object()?,
            0x0C => match self.reference()? {
                Head::Reference(index) => index,
                Head::Here(length) => {
                    self.cursor.take(length)?;
                    Value::Unsupported
                }
            },
            other => return Err(AmfError::Marker(other)),
        })
    }

    /// Seven bits a byte, and eight in a fourth one. Section 1.3.1.
    fn u29(&mut self) -> Result<u32, AmfError> {
        let mut number = 0;
        for _ in 0..3 {
            let byte = u32::from(self.cursor.byte()?);
            number = number << 7 | byte & 0x7F;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Ok(number << 8 | u32::from(self.cursor.byte()?))
    }

    /// A number whose lowest bit says whether the thing is here or was before.
    fn reference(&mut self) -> Result<Head, AmfError> {
        let number = self.u29()?;
        Ok(if number & 1 == 0 {
            Head::Reference(Value::Reference(u16::try_from(number >> 1).unwrap_or(u16::MAX)))
        } else {
            Head::Here((number >> 1) as usize)
        })
    }

    fn string(&mut self) -> Result<&'a [u8], AmfError> {
        let number = self.u29()?;
        let length = (number >> 1) as usize;
        if number & 1 == 0 {
            let bytes = *self.strings.get(length).ok_or(AmfError::Reference)?;
            self.cursor.repeat(bytes.len())?;
            return Ok(bytes);
        }
        let bytes = self.cursor.take(length)?;
        if !bytes.is_empty() {
            self.strings.push(bytes);
        }
        Ok(bytes)
    }

    fn array(&mut self) -> Result<Value, AmfError> {
        let count = match self.reference()? {
            Head::Reference(index) => return Ok(index),
            Head::Here(count) => count,
        };
        self.cursor.enter()?;
        let mut properties = self.dynamic(Vec::new())?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.value()?);
        }
        self.cursor.leave();
        if properties.is_empty() {
            return Ok(Value::StrictArray(items));
        }
        let items = items.into_iter().enumerate();
        properties.extend(items.map(|(index, item)| (index.to_string(), item)));
        Ok(Value::EcmaArray(properties))
    }

    /// Names and values up to an empty name.
    fn dynamic(&mut self, mut properties: Properties) -> Result<Properties, AmfError> {
        loop {
            let name = self.string()?;
            if name.is_empty() {
                return Ok(properties);
            }
            properties.push((text(name), self.value()?));
        }
    }

    fn object(&mut self) -> Result<Value, AmfError> {
        let number = self.u29()?;
        if number & 1 == 0 {
            return Ok(Value::Reference(u16::try_from(number >> 1).unwrap_or(u16::MAX)));
        }
        let traits = self.traits(number)?;
        self.cursor.enter()?;
        let value = if traits.externalizable {
            // Its length is known to its class alone. A collection's is one value, an array.
            if !traits.class.starts_with(b"flex.messaging.io.") {
                return Err(AmfError::Class);
            }
            self.value()?
        } else {
            let mut properties = Vec::new();
            for index in traits.first..traits.first + traits.count {
                let name = self.names.get(index).copied().unwrap_or_default();
                self.cursor.repeat(name.len())?;
                properties.push((text(name), self.value()?));
            }
            if traits.dynamic {
                properties = self.dynamic(properties)?;
            }
            match traits.class {
                [] => Value::Object(properties),
                class => {
                    self.cursor.repeat(class.len())?;
                    Value::TypedObject { class: text(class), properties }
                }
            }
        };
        self.cursor.leave();
        Ok(value)
    }

    fn traits(&mut self, number: u32) -> Result<Traits<'a>, AmfError> {
        if number & 2 == 0 {
            let index = (number >> 2) as usize;
            return self.traits.get(index).copied().ok_or(AmfError::Reference);
        }
        let externalizable = number & 4 != 0;
        let class = self.string()?;
        let first = self.names.len();
        let count = if externalizable { 0 } else { (number >> 4) as usize };
        for _ in 0..count {
            self.cursor.count()?;
            let name = self.string()?;
            self.names.push(name);
        }
        let dynamic = number & 8 != 0;
        let traits = Traits { class, dynamic, externalizable, first, count };
        self.traits.push(traits);
        Ok(traits)
    }
}

enum Head {
    /// It was before, as the so-manieth object.
    Reference(Value),
    /// It is here, and this long.
    Here(usize),
}
