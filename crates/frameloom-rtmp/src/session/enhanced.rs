//! What each side says of Enhanced RTMP in `connect` and in its answer (Enhanced RTMP v2,
//! "Enhancing NetConnection connect Command").

use crate::amf0::{Properties, Value};

/// The enhanced codecs we carry, as `fourCcList` names them.
pub const FOUR_CCS: [&str; 11] =
    ["avc1", "hvc1", "av01", "vp09", "vp08", "mp4a", "Opus", "fLaC", "ac-3", "ec-3", ".mp3"];

/// How many of [`FOUR_CCS`] are video; they stand first.
const VIDEO_FOUR_CCS: usize = 5;

/// Bits of `capsEx`.
pub mod caps_ex {
    /// Reconnect requests are understood.
    pub const RECONNECT: u32 = 1;
    /// Several tracks of audio or video in one stream.
    pub const MULTITRACK: u32 = 2;
    /// Packets may have modifiers.
    pub const MODIFIERS: u32 = 4;
    /// Times may be finer than milliseconds.
    pub const NANOSECONDS: u32 = 8;
}

/// What a peer can do with a codec: an entry of `videoFourCcInfoMap` or `audioFourCcInfoMap`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FourCcInfo {
    /// The codec's four characters, or `*` for any.
    pub four_cc: String,
    /// The peer decodes it: a player of it.
    pub can_decode: bool,
    /// The peer encodes it: a publisher of it.
    pub can_encode: bool,
    /// The peer passes it on.
    pub can_forward: bool,
}

const DECODE: u32 = 1;
const ENCODE: u32 = 2;
const FORWARD: u32 = 4;

/// What a peer said.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PeerCapabilities {
    pub(super) four_ccs: Vec<String>,
    pub(super) video: Vec<FourCcInfo>,
    pub(super) audio: Vec<FourCcInfo>,
    /// `None` where the peer said nothing of it.
    pub(super) caps_ex: Option<u32>,
}

impl PeerCapabilities {
    pub(super) fn parse(object: &Value) -> Self {
        let four_ccs = match object.get("fourCcList") {
            Some(Value::StrictArray(items)) => {
                items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        let map = |name| {
            let entries = object.get(name).and_then(Value::properties).unwrap_or_default();
            let entries = entries.iter().filter_map(|(four_cc, flags)| {
                let flags = bits(flags.as_number()?);
                Some(FourCcInfo {
                    four_cc: four_cc.clone(),
                    can_decode: flags & DECODE != 0,
                    can_encode: flags & ENCODE != 0,
                    can_forward: flags & FORWARD != 0,
                })
            });
            entries.collect()
        };
        PeerCapabilities {
            four_ccs,
            video: map("videoFourCcInfoMap"),
            audio: map("audioFourCcInfoMap"),
            caps_ex: object.get("capsEx").and_then(Value::as_number).map(bits),
        }
    }

    /// Whether the peer said nothing.
    pub(super) fn is_empty(&self) -> bool {
        *self == PeerCapabilities::default()
    }

    /// A relay's answer: the codecs of the client's list that we know, and to v2 that we pass on
    /// whatever comes. Nothing to a client that said nothing.
    pub(super) fn answer(&self) -> Properties {
        let mut answer = Vec::new();
        if !self.four_ccs.is_empty() {
            let known = self.four_ccs.iter().map(String::as_str);
            let known = known.filter(|code| *code == "*" || FOUR_CCS.contains(code));
            let list = known.map(Value::from).collect();
            answer.push(("fourCcList".to_owned(), Value::StrictArray(list)));
        }
        for (name, map) in
            [("videoFourCcInfoMap", &self.video), ("audioFourCcInfoMap", &self.audio)]
        {
            if !map.is_empty() {
                answer.push((name.to_owned(), info_map(&["*"], FORWARD)));
            }
        }
        if self.caps_ex.is_some() {
            let all = caps_ex::RECONNECT
                | caps_ex::MULTITRACK
                | caps_ex::MODIFIERS
                | caps_ex::NANOSECONDS;
            answer.push(("capsEx".to_owned(), f64::from(all).into()));
        }
        answer
    }
}

/// What a client says in `connect`.
pub(super) fn request(publishes: bool) -> Properties {
    let (video, audio) = FOUR_CCS.split_at(VIDEO_FOUR_CCS);
    let flags = if publishes { ENCODE } else { DECODE };
    let list = FOUR_CCS.iter().map(|code| (*code).into()).collect();
    // Of several tracks one is taken, which is not what MULTITRACK promises.
    let caps = caps_ex::RECONNECT | caps_ex::MODIFIERS | caps_ex::NANOSECONDS;
    vec![
        ("fourCcList".to_owned(), Value::StrictArray(list)),
        ("videoFourCcInfoMap".to_owned(), info_map(video, flags)),
        ("audioFourCcInfoMap".to_owned(), info_map(audio, flags)),
        ("capsEx".to_owned(), f64::from(caps).into()),
    ]
}

fn info_map(four_ccs: &[&str], flags: u32) -> Value {
    let entries = four_ccs.iter().map(|four_cc| ((*four_cc).to_owned(), f64::from(flags).into()));
    Value::Object(entries.collect())
}

/// Saturates, which is right for bits beyond the known ones too.
fn bits(number: f64) -> u32 {
    number as u32
}
