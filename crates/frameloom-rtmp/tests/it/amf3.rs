//! AMF3 within AMF0: what Flash writes, and what attackers do.

use frameloom_rtmp::Limits;
use frameloom_rtmp::amf0::{AmfError, Properties, Value, decode_all, object};
use proptest::prelude::*;

/// One AMF3 value, behind AMF0's marker for it.
fn amf3(bytes: &[u8]) -> Result<Value, AmfError> {
    let bytes = [&[0x11], bytes].concat();
    decode_all(&bytes, &Limits::default()).map(|mut values| {
        assert_eq!(values.len(), 1);
        values.remove(0)
    })
}

#[test]
fn values_of_every_type() {
    let double = [&[5], &2.5_f64.to_be_bytes()[..]].concat();
    let date = [&[8, 1], &1000.0_f64.to_be_bytes()[..]].concat();
    let cases: [(&[u8], Value); 15] = [
        (&[0], Value::Undefined),
        (&[1], Value::Null),
        (&[2], false.into()),
        (&[3], true.into()),
        (&[4, 0x7F], 127.0.into()),
        (&[4, 0x81, 0x00], 128.0.into()),
        (&[4, 0xFF, 0xFF, 0xFF, 0xFF], (-1.0).into()),
        (&[4, 0xC0, 0x80, 0x80, 0x00], (-268_435_456.0).into()),
        (&double, 2.5.into()),
        (&[6, 5, b'h', b'i'], "hi".into()),
        (&[0x0B, 5, b'<', b'>'], Value::Xml("<>".to_owned())),
        (&date, Value::Date { unix_ms: 1000.0, zone: 0 }),
        (&[9, 5, 1, 3, 2], Value::StrictArray(vec![true.into(), false.into()])),
        (&[0x0C, 5, 1, 2], Value::Unsupported),
        (&[0x0A, 0x0B, 1, 3, b'a', 1, 1], object([("a", Value::Null)])),
    ];
    for (bytes, value) in cases {
        assert!(amf3(bytes).as_ref() == Ok(&value), "{bytes:?}");
    }
}

#[test]
fn an_array_with_names_keeps_both() {
    let expected = [("a".to_owned(), true.into()), ("0".to_owned(), 7.0.into())];
    let value = amf3(&[9, 3, 3, b'a', 3, 1, 4, 7]).unwrap();
    assert!(value == Value::EcmaArray(expected.into()));
}

#[test]
fn strings_and_classes_are_found_again_by_their_numbers() {
    // An array of two objects of class "C" with a member "m" and the value "v": the second one
    // has its class by number, and both later texts are by number too.
    let bytes = [
        9, 5, 1, 0x0A, 0x13, 3, b'C', 3, b'm', 6, 3, b'v', // The first, in full.
        0x0A, 1, 6, 4, // Class 0, text 2.
    ];
    let properties: Properties = vec![("m".to_owned(), "v".into())];
    let one = Value::TypedObject { class: "C".to_owned(), properties };
    assert!(amf3(&bytes).unwrap() == Value::StrictArray(vec![one.clone(), one]));
    // Numbers of nothing.
    assert!(amf3(&[6, 2]) == Err(AmfError::Reference));
    assert!(amf3(&[0x0A, 5]) == Err(AmfError::Reference));
    // An object that is meant again stays a number: here it would be itself, for ever.
    let itself = [9, 3, 1, 9, 0];
    assert!(amf3(&itself).unwrap() == Value::StrictArray(vec![Value::Reference(0)]));
}

#[test]
fn a_collection_is_its_array_and_other_classes_of_their_own_form_are_refused() {
    let named = |name: &[u8], rest: &[u8]| {
        let length = u8::try_from(name.len() << 1 | 1).unwrap();
        amf3(&[&[0x0A, 7, length], name, rest].concat())
    };
    let list = named(b"flex.messaging.io.ArrayCollection", &[9, 3, 1, 3]);
    assert!(list.unwrap() == Value::StrictArray(vec![true.into()]));
    assert!(named(b"Mine", &[9, 3, 1, 3]) == Err(AmfError::Class));
}

#[test]
fn nested_amf3_of_250_kb_is_refused() {
    let depth = Err(AmfError::Depth(32));
    assert!(amf3(&[9, 3, 1].repeat(80_000)) == depth);
    assert!(amf3(&[0x0A, 0x0B, 1, 3, b'a'].repeat(50_000)) == depth);
    let collection = [&[0x0A, 7, 67], &b"flex.messaging.io.ArrayCollection"[..]].concat();
    assert!(amf3(&collection.repeat(7000)) == depth);
}

#[test]
fn counts_and_references_take_no_memory() {
    // Texts, arrays and byte arrays of a quarter of a billion of anything, and such a class.
    for (marker, low) in [(6, 0xFF), (7, 0xFF), (9, 0xFF), (0x0B, 0xFF), (0x0C, 0xFF), (0x0A, 0xFB)]
    {
        let bytes = [marker, 0xFF, 0xFF, 0xFF, low, 1, 1];
        assert!(amf3(&bytes) == Err(AmfError::Truncated), "{marker}");
    }
    // Two bytes that stand for 30,000, again and again.
    let text = [&[6, 0x83, 0xD4, 0x61][..], &[b'x'; 30_000]].concat();
    let mut bytes = [&[9, 0x87, 0xA9, 0x41, 1], &text[..]].concat();
    bytes.extend([6, 0].repeat(60_000));
    assert!(amf3(&bytes) == Err(AmfError::Repeated(1 << 20)));
    // The same, with the tables anew behind each of AMF0's markers.
    let one = [&[0x11, 9, 63, 1], &text[..], &[6, 0].repeat(30)].concat();
    assert!(decode_all(&one, &Limits::default()).is_ok());
    let all = decode_all(&one.repeat(2), &Limits::default());
    assert!(all == Err(AmfError::Repeated(1 << 20)));
}

proptest! {
    /// Small numbers are markers and lengths, so these go deep.
    #[test]
    fn bytes_like_amf3_are_read_or_refused(bytes in prop::collection::vec(0_u8..18, 0..400)) {
        let _ = decode_all(&[&[0x11], &bytes[..]].concat(), &Limits::default());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_all(&[&[0x11], &bytes[..]].concat(), &Limits::default());
    }
}
