//! Texts that may quote URLs: whatever stands round it, a stream key never comes through.
#![no_main]

use frameloom::internal::redact;
use libfuzzer_sys::fuzz_target;

const KEY: &str = "k3y-s3cr3t";

fuzz_target!(|around: (&str, &str)| {
    let (before, after) = around;
    redact::remember_url(&format!("rtmp://host/app/{KEY}"));
    let told = redact::text(&format!("{before}rtmp://host/app/{KEY}{after}"));
    assert!(!told.contains(KEY));
    redact::url(before);
});
