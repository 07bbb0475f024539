//! Commands (RTMP 1.0, section 7.2): a name, a transaction, an object, and arguments.

use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::amf0::{self, AmfError, Value};
use crate::message::{Message, kind};
use crate::{Limits, Result};

/// One command. `Debug` shows its name and how many arguments it has: among them are stream keys.
#[derive(Clone, PartialEq)]
pub struct CommandMessage {
    /// Such as `connect` or `_result`.
    pub name: String,
    /// Whole numbers; 0 where no answer is wanted.
    pub transaction: f64,
    /// The command object, mostly null.
    pub object: Value,
    /// What follows it.
    pub arguments: Vec<Value>,
}

impl fmt::Debug for CommandMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandMessage")
            .field("name", &self.name)
            .field("transaction", &self.transaction)
            .field("arguments", &self.arguments.len())
            .finish()
    }
}

/// A payload of type 15 or 17 without the byte that says that AMF0 follows after all.
#[must_use]
pub fn without_envelope(message: &Message) -> Bytes {
    let enveloped = matches!(message.kind, kind::DATA_AMF3 | kind::COMMAND_AMF3);
    if enveloped && message.payload.first() == Some(&0) {
        return message.payload.slice(1..);
    }
    message.payload.clone()
}

impl CommandMessage {
    /// A command with a null object.
    #[must_use]
    pub fn new(name: &str, transaction: f64, arguments: Vec<Value>) -> Self {
        CommandMessage { name: name.to_owned(), transaction, object: Value::Null, arguments }
    }

    /// The command in `message`, or `None` where it is of another type.
    ///
    /// # Errors
    ///
    /// [`Error::Amf`](crate::Error::Amf) for a payload that is none.
    pub fn parse(message: &Message, limits: &Limits) -> Result<Option<CommandMessage>> {
        if !matches!(message.kind, kind::COMMAND_AMF0 | kind::COMMAND_AMF3) {
            return Ok(None);
        }
        let payload = without_envelope(message);
        let mut decoder = amf0::Amf0Decoder::new(&payload, limits);
        let name = match decoder.value()?.ok_or(AmfError::Truncated)? {
            Value::String(name) => name,
            _ => return Err(AmfError::Marker(payload.first().copied().unwrap_or(0)).into()),
        };
        let transaction = decoder.value()?.and_then(|value| value.as_number()).unwrap_or(0.0);
        let object = decoder.value()?.unwrap_or(Value::Null);
        let mut arguments = Vec::new();
        while let Some(value) = decoder.value()? {
            arguments.push(value);
        }
        Ok(Some(CommandMessage { name, transaction, object, arguments }))
    }

    /// The message, of type 20 on chunk stream 3.
    #[must_use]
    pub fn message(&self, stream_id: u32) -> Message {
        let mut payload = BytesMut::with_capacity(128);
        amf0::encode(&Value::from(self.name.as_str()), &mut payload);
        amf0::encode(&Value::Number(self.transaction), &mut payload);
        amf0::encode(&self.object, &mut payload);
        for argument in &self.arguments {
            amf0::encode(argument, &mut payload);
        }
        Message {
            chunk_stream: 3,
            timestamp: 0,
            kind: kind::COMMAND_AMF0,
            stream_id,
            payload: payload.freeze(),
        }
    }

    /// The text argument at `index`.
    #[must_use]
    pub fn text(&self, index: usize) -> Option<&str> {
        self.arguments.get(index)?.as_str()
    }

    /// The numeric argument at `index`.
    #[must_use]
    pub fn number(&self, index: usize) -> Option<f64> {
        self.arguments.get(index)?.as_number()
    }
}

/// An `onStatus` information object. Section 7.2.2.
#[must_use]
pub fn status(level: &str, code: &str, description: &str) -> Value {
    amf0::object([
        ("level", level.into()),
        ("code", code.into()),
        ("description", description.into()),
    ])
}
