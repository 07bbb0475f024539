//! Whether an input is live: decided here, once, from what was opened.
//!
//! A live input runs at its own speed and can't be read again. It is opened again when it is lost,
//! a stall of it is noticed, and frames that your code is too slow for are dropped.

use crate::options::Live;
use crate::url::scheme::Flow;

/// What is known of an input once it is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// What its scheme says.
    pub(super) flow: Flow,
    /// It is a capture device.
    pub(super) is_device: bool,
    /// A playlist names its parts, as in HLS and DASH.
    pub(super) is_playlist: bool,
    /// Its container or playlist states how long it is.
    pub(super) has_duration: bool,
    /// The other end states how many bytes there are.
    pub(super) has_length: bool,
}

impl Found {
    /// By a protocol that carries nothing but live streams.
    pub(super) const LIVE_PROTOCOL: Found = Found {
        flow: Flow::Live,
        is_device: false,
        is_playlist: false,
        has_duration: false,
        has_length: false,
    };
}

/// Whether an input is live. A playlist is until it has an end, whatever its own length in bytes;
/// what else comes over a network is where nothing states a length. A file or a pipe never is.
pub(super) fn is_live(option: Live, found: &Found) -> bool {
    match option {
        Live::Yes => true,
        Live::No => false,
        Live::Auto => match found.flow {
            _ if found.is_device => true,
            Flow::Live => true,
            Flow::Stored => false,
            Flow::Either => !found.has_duration && (found.is_playlist || !found.has_length),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_live() {
        let found = |flow, is_playlist, has_duration, has_length| Found {
            flow,
            is_device: false,
            is_playlist,
            has_duration,
            has_length,
        };
        for (what, found, live) in [
            ("RTMP, RTSP, SRT, UDP", Found::LIVE_PROTOCOL, true),
            ("MPEG-TS by SRT, which has a duration", found(Flow::Live, false, true, false), true),
            ("a file", found(Flow::Stored, false, true, true), false),
            ("a growing file", found(Flow::Stored, false, false, true), false),
            ("a pipe", found(Flow::Stored, false, false, false), false),
            ("a playlist's file without an end", found(Flow::Stored, true, false, true), false),
            ("HLS without an end", found(Flow::Either, true, false, true), true),
            ("HLS without an end, in chunks", found(Flow::Either, true, false, false), true),
            ("HLS with an end", found(Flow::Either, true, true, true), false),
            ("HLS with an end, in chunks", found(Flow::Either, true, true, false), false),
            ("HTTP-FLV, MJPEG over HTTP", found(Flow::Either, false, false, false), true),
            ("MP4 over HTTP", found(Flow::Either, false, true, true), false),
            ("MP4 over HTTP, in chunks", found(Flow::Either, false, true, false), false),
            ("MPEG-TS over HTTP with a length", found(Flow::Either, false, false, true), false),
        ] {
            assert_eq!(is_live(Live::Auto, &found), live, "{what}");
            assert!(is_live(Live::Yes, &found), "{what}");
            assert!(!is_live(Live::No, &found), "{what}");
        }
        let device = Found { is_device: true, ..found(Flow::Stored, false, false, true) };
        assert!(is_live(Live::Auto, &device));
        assert!(!is_live(Live::No, &device));
    }
}
