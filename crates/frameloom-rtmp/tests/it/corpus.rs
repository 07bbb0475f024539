//! The fuzzers' corpora: what other programs sent, what ours does, and what a fuzzer once found.

use std::path::Path;

use crate::properties;

/// Runs `property` on each file; an empty folder would prove nothing.
fn replay(target: &str, property: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "{} files", files.len());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let result = std::panic::catch_unwind(|| property(&bytes));
        assert!(result.is_ok(), "{}", file.display());
        // Cut short, and with another way to split and to act.
        property(&bytes[..bytes.len() / 2]);
        if let Some((first, rest)) = bytes.split_first() {
            for seed in [0, 0x61, 0xA2, 0xFF] {
                property(&[&[first ^ seed], rest].concat());
            }
        }
    }
}

#[test]
fn corpus_of_the_handshake() {
    replay("rtmp_handshake", properties::handshake);
}

#[test]
fn corpus_of_chunks() {
    replay("rtmp_chunk", properties::chunk);
}

#[test]
fn corpus_of_amf0() {
    replay("rtmp_amf0", properties::amf0);
}

#[test]
fn corpus_of_flv() {
    replay("rtmp_flv", properties::flv);
}

#[test]
fn corpus_of_the_server_session() {
    replay("rtmp_server", properties::server);
}

#[test]
fn corpus_of_the_client_session() {
    replay("rtmp_client", properties::client);
}
