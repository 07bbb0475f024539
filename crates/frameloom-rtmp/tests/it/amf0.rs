//! AMF0: what peers write, what attackers write, and what we write.

use bytes::BytesMut;
use frameloom_rtmp::Limits;
use frameloom_rtmp::amf0::{self, AmfError, Value, decode_all};
use proptest::prelude::*;

#[test]
fn nested_amf0_of_250_kb_is_refused() {
    // An object within an object within an object, by properties named "a".
    let mut bytes = vec![0x03];
    while bytes.len() < 250_000 {
        bytes.extend([0, 1, b'a', 0x03]);
    }
    assert_eq!(decode_all(&bytes, &Limits::default()), Err(AmfError::Depth(32)));
    // Strict arrays of one strict array each.
    let bytes = [0x0A, 0, 0, 0, 1].repeat(50_000);
    assert_eq!(decode_all(&bytes, &Limits::default()), Err(AmfError::Depth(32)));
    // The bound holds whatever the setting is.
    let limits = Limits { amf_depth: usize::MAX, ..Limits::default() };
    assert_eq!(decode_all(&bytes, &limits), Err(AmfError::Depth(amf0::MAX_DEPTH)));
}

#[test]
fn nested_amf0_needs_little_stack() {
    let deepest = Limits { amf_depth: usize::MAX, ..Limits::default() };
    let nested = |value: fn(Value) -> Value| {
        let value = (0..amf0::MAX_DEPTH).fold(Value::Null, |inner, _| value(inner));
        let mut bytes = BytesMut::new();
        amf0::encode(&value, &mut bytes);
        bytes
    };
    let objects = nested(|inner| amf0::object([("a", inner)]));
    let arrays = nested(|inner| Value::StrictArray(vec![inner]));
    let amf3 = [&[0x11], &[9, 3, 1].repeat(amf0::MAX_DEPTH)[..], &[1]].concat();
    // Tests are hardly optimised, and take more than a release does.
    let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(move || {
        for bytes in [&objects[..], &arrays, &amf3] {
            assert!(decode_all(bytes, &deepest).is_ok());
            assert!(decode_all(&bytes.repeat(2000), &deepest).is_err());
        }
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn debug_output_has_no_text() {
    let secret = || Value::from("s3cr3t");
    let values = [
        secret(),
        amf0::object([("key", secret())]),
        Value::EcmaArray(vec![("key".to_owned(), secret())]),
        Value::StrictArray(vec![secret()]),
        Value::Xml("s3cr3t".to_owned()),
        Value::TypedObject {
            class: "C".to_owned(),
            properties: vec![("key".to_owned(), secret())],
        },
    ];
    for value in &values {
        let text = format!("{value:?} {value:#?}");
        assert!(!text.contains("s3cr3t") && text.contains("6 bytes"), "{text}");
    }
    let mut bytes = BytesMut::new();
    amf0::encode(&values[1], &mut bytes);
    let text = format!("{:?}", amf0::Amf0Decoder::new(&bytes, &Limits::default()));
    assert_eq!(text, format!("Amf0Decoder {{ rest_bytes: {}, .. }}", bytes.len()));
}

#[test]
fn depth_32_is_read_and_33_is_not() {
    let nested = |depth| {
        let value = (0..depth).fold(Value::Null, |value, _| Value::StrictArray(vec![value]));
        let mut bytes = BytesMut::new();
        amf0::encode(&value, &mut bytes);
        decode_all(&bytes, &Limits::default())
    };
    assert!(nested(32).is_ok());
    assert_eq!(nested(33), Err(AmfError::Depth(32)));
}

#[test]
fn objects_beside_each_other_are_not_depth() {
    let flat = Value::Object((0..100).map(|_| (String::new(), amf0::object([]))).collect());
    let items = Value::StrictArray(vec![Value::StrictArray(vec![]); 100]);
    let mut bytes = BytesMut::new();
    amf0::encode(&flat, &mut bytes);
    amf0::encode(&items, &mut bytes);
    assert_eq!(decode_all(&bytes, &Limits::default()), Ok(vec![flat, items]));
}

#[test]
fn a_count_of_four_billion_takes_no_memory() {
    let bytes = [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x05, 0x05];
    assert_eq!(decode_all(&bytes, &Limits::default()), Err(AmfError::Truncated));
    let nulls = vec![0x05; 70_000];
    assert_eq!(decode_all(&nulls, &Limits::default()), Err(AmfError::Values(65_536)));
}

#[test]
fn strings_longer_than_the_bytes_are_refused() {
    for bytes in [&[0x02, 0xFF, 0xFF, b'a'][..], &[0x0C, 0xFF, 0xFF, 0xFF, 0xFF, b'a']] {
        assert_eq!(decode_all(bytes, &Limits::default()), Err(AmfError::Truncated));
    }
}

#[test]
fn an_outermost_array_may_lack_its_end() {
    let bytes = [0x08, 0, 0, 0, 1, 0, 1, b'a', 0x05];
    let value = Value::EcmaArray(vec![("a".to_owned(), Value::Null)]);
    assert_eq!(decode_all(&bytes, &Limits::default()), Ok(vec![value]));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (-1e15..1e15).prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        ".{0,20}".prop_map(Value::String),
        Just(Value::Null),
        Just(Value::Undefined),
        Just(Value::Unsupported),
        any::<u16>().prop_map(Value::Reference),
        (0.0..1e13, any::<i16>()).prop_map(|(unix_ms, zone)| Value::Date { unix_ms, zone }),
        "[a-z]{0,9}".prop_map(Value::Xml),
        Just(Value::String("long".repeat(20_000))),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        let properties = prop::collection::vec(("[a-zA-Z ]{0,9}", inner.clone()), 0..6);
        prop_oneof![
            properties.clone().prop_map(Value::Object),
            properties.clone().prop_map(Value::EcmaArray),
            prop::collection::vec(inner, 0..6).prop_map(Value::StrictArray),
            ("[a-z]{1,9}", properties)
                .prop_map(|(class, properties)| Value::TypedObject { class, properties }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(values in prop::collection::vec(value(), 0..5)) {
        let mut bytes = BytesMut::new();
        values.iter().for_each(|value| amf0::encode(value, &mut bytes));
        prop_assert_eq!(decode_all(&bytes, &Limits::default()), Ok(values));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = decode_all(&bytes, &Limits::default());
    }

    /// Small numbers are markers and lengths, so these go deeper than any bytes do.
    #[test]
    fn bytes_like_amf0_are_read_or_refused(bytes in prop::collection::vec(0_u8..18, 0..600)) {
        let _ = decode_all(&bytes, &Limits::default());
    }
}
