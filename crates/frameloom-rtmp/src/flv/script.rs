//! Script tags (FLV annex E.4.4): a name, and values in AMF0.

use bytes::{Bytes, BytesMut};

use crate::Limits;
use crate::amf0::{Amf0Decoder, Properties, Value, encode};

/// The longest name of a script tag that FFmpeg reads, in bytes. It closes the connection at a
/// longer one.
const NAME_BYTES: usize = 63;
/// The longest name of a property that FFmpeg reads in metadata, in bytes.
const PROPERTY_BYTES: usize = 199;

/// The body of a script tag as every player can read it: as it is, or where it is cut short, lacks
/// an end, or has values of types that FFmpeg doesn't know, written anew with what can be read of
/// it. `None` where that is nothing: no name, or a name alone of what had more.
#[must_use]
pub fn readable_script(body: &Bytes, limits: &Limits) -> Option<Bytes> {
    let mut decoder = Amf0Decoder::lenient(body, limits);
    let name = match decoder.value() {
        Ok(Some(Value::String(name))) if name.len() <= NAME_BYTES => name,
        _ => return None,
    };
    let mut values = Vec::new();
    let mut is_whole = true;
    loop {
        match decoder.value() {
            Ok(Some(value)) => values.push(value),
            Ok(None) => break,
            Err(_) => {
                is_whole = false;
                break;
            }
        }
    }
    is_whole &= decoder.is_whole();
    if is_whole && values.iter().all(is_plain) {
        return Some(body.clone());
    }
    let values: Vec<Value> = values.into_iter().filter_map(plain).collect();
    if values.iter().all(is_empty) {
        return None;
    }
    let mut written = BytesMut::with_capacity(body.len() + 8);
    encode(&Value::String(name), &mut written);
    values.iter().for_each(|value| encode(value, &mut written));
    Some(written.freeze())
}

/// Whether FFmpeg knows what it is, and all that is in it.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Number(_) | Value::Boolean(_) | Value::String(_) | Value::Null => true,
        Value::Date { .. } => true,
        Value::Object(properties) | Value::EcmaArray(properties) => {
            properties.iter().all(|(name, value)| name.len() <= PROPERTY_BYTES && is_plain(value))
        }
        Value::StrictArray(items) => items.iter().all(is_plain),
        _ => false,
    }
}

/// The same of what is known everywhere.
fn plain(value: Value) -> Option<Value> {
    let kept = |properties: Properties| {
        let short = properties.into_iter().filter(|(name, _)| name.len() <= PROPERTY_BYTES);
        short.filter_map(|(name, value)| Some((name, plain(value)?))).collect()
    };
    match value {
        Value::Object(properties) | Value::TypedObject { properties, .. } => {
            Some(Value::Object(kept(properties)))
        }
        Value::EcmaArray(properties) => Some(Value::EcmaArray(kept(properties))),
        Value::StrictArray(items) => {
            Some(Value::StrictArray(items.into_iter().filter_map(plain).collect()))
        }
        // "Undefined" says no more than "null", which every reader knows.
        Value::Undefined => Some(Value::Null),
        value => is_plain(&value).then_some(value),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(properties) | Value::EcmaArray(properties) => properties.is_empty(),
        Value::StrictArray(items) => items.is_empty(),
        _ => false,
    }
}
