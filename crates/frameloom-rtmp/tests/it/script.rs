//! Script tags that encoders get wrong, and what players are given of them.

use bytes::{Bytes, BytesMut};
use frameloom_rtmp::Limits;
use frameloom_rtmp::amf0::{Value, decode_all, encode, object};
use frameloom_rtmp::flv::readable_script;

fn body(values: &[Value]) -> BytesMut {
    let mut bytes = BytesMut::new();
    values.iter().for_each(|value| encode(value, &mut bytes));
    bytes
}

fn named(value: Value) -> BytesMut {
    body(&["onMetaData".into(), value])
}

fn size() -> Vec<(String, Value)> {
    vec![("width".to_owned(), 640.0.into()), ("height".to_owned(), 360.0.into())]
}

fn readable(bytes: impl Into<Bytes>) -> Option<Vec<Value>> {
    let readable = readable_script(&bytes.into(), &Limits::default())?;
    Some(decode_all(&readable, &Limits::default()).unwrap())
}

#[test]
fn what_is_well_formed_stays_byte_for_byte() {
    let inner = object([("x", Value::StrictArray(vec![1.0.into(), Value::Null]))]);
    for value in [Value::EcmaArray(size()), Value::Object(size()), inner, true.into()] {
        let bytes = named(value).freeze();
        assert_eq!(readable_script(&bytes, &Limits::default()), Some(bytes));
    }
    // A count that is wrong is a hint that nobody takes, and text may be in any encoding.
    let mut bytes = named(Value::EcmaArray(size()));
    bytes[14..18].copy_from_slice(&[0, 0, 0, 77]);
    let place = bytes.windows(5).position(|part| part == b"width").unwrap();
    bytes[place] = 0xE9;
    let bytes = bytes.freeze();
    assert_eq!(readable_script(&bytes, &Limits::default()), Some(bytes));
}

#[test]
fn an_array_without_its_end_gets_one() {
    for value in [Value::EcmaArray(size()), Value::Object(size())] {
        let whole = named(value.clone());
        let expected = Some(vec!["onMetaData".into(), value]);
        for cut in 1..=3 {
            assert_eq!(readable(whole[..whole.len() - cut].to_vec()), expected, "{cut}");
        }
        let cut =
            readable_script(&Bytes::copy_from_slice(&whole[..whole.len() - 3]), &Limits::default());
        assert_eq!(cut, Some(whole.freeze()));
    }
}

#[test]
fn what_stands_before_an_unknown_type_or_the_end_is_kept() {
    let known = object([("width", 640.0.into())]);
    let mut bytes = named(known.clone());
    bytes.truncate(bytes.len() - 3);
    for rest in [&b"\0\x06height\x04"[..], b"\0\x06height\0\x40", b"\0\x09he", b"\0"] {
        let broken = [&bytes, rest].concat();
        let expected = Some(vec!["onMetaData".into(), known.clone()]);
        assert_eq!(readable(broken), expected, "{rest:?}");
    }
    // The same further in, where everything around it ends as well.
    let inner = [&bytes[..], b"\0\x05inner\x03\0\x01a\x05\0\x01b\x0a\0\0\0\x09\x05\x04"].concat();
    let b = Value::StrictArray(vec![Value::Null]);
    let inner_value = object([("a", Value::Null), ("b", b)]);
    let expected = object([("width", 640.0.into()), ("inner", inner_value)]);
    assert_eq!(readable(inner), Some(vec!["onMetaData".into(), expected]));
}

#[test]
fn types_that_ffmpeg_does_not_know_are_left_out() {
    let strange = [
        Value::Xml("<a/>".to_owned()),
        Value::Unsupported,
        Value::Reference(0),
        Value::TypedObject { class: "C".to_owned(), properties: size() },
        Value::Undefined,
    ];
    let mut properties = size();
    properties.extend(strange.into_iter().map(|value| ("x".to_owned(), value)));
    properties.push(("n".repeat(200), 1.0.into()));
    let mut expected = size();
    expected.push(("x".to_owned(), Value::Object(size())));
    expected.push(("x".to_owned(), Value::Null));
    let expected = vec!["onMetaData".into(), Value::EcmaArray(expected)];
    assert_eq!(readable(named(Value::EcmaArray(properties))), Some(expected));
}

#[test]
fn what_says_nothing_is_left_out() {
    for bytes in [
        &b""[..],
        b"\x05",
        b"\x02\0\x0aonMeta",
        b"\x02\0\x0aonMetaData\x0a\x3b\x9a\xca\0",
        b"\x02\0\x0aonMetaData\x08\0\0\0\x01\0\x05width\x04",
    ] {
        assert_eq!(readable(bytes.to_vec()), None, "{bytes:?}");
    }
    // FFmpeg closes the connection at a longer name.
    assert_eq!(readable(body(&["n".repeat(64).as_str().into(), 1.0.into()])), None);
    assert!(readable(body(&["n".repeat(63).as_str().into(), 1.0.into()])).is_some());
}
