//! Frameloom's own options: GNU long ones, so that none can be taken for one of FFmpeg's.

/// One of Frameloom's own options.
pub(crate) struct Long {
    /// The name without its dashes.
    pub(crate) name: &'static str,
    /// What help calls the value; `None` where the option takes none.
    pub(crate) value: Option<&'static str>,
    /// One line of help.
    pub(crate) help: &'static str,
}

/// Every long option.
pub(crate) const LONG: &[Long] = &[
    Long {
        name: "frame-format",
        value: Some("FORMAT"),
        help: "what COMMAND reads and writes: rgb24 (the default), bgr24, gray, rgba, yuv420p, nv12",
    },
    Long {
        name: "frame-size",
        value: Some("WxH"),
        help: "scale the frames to this size for COMMAND",
    },
    Long {
        name: "open-timeout",
        value: Some("TIME"),
        help: "give up on a network input that isn't open by then (10s)",
    },
    Long {
        name: "rtmp",
        value: Some("libav"),
        help: "have libavformat read and write RTMP, not Frameloom's own client",
    },
    Long {
        name: "stats",
        value: Some("json"),
        help: "a JSON object a second on stderr, and no status line; the last one has \"done\"",
    },
    Long { name: "help", value: None, help: "show this text; also -h" },
    Long { name: "version", value: None, help: "show the version; also -version" },
];

/// The entry of [`LONG`] with this name.
pub(crate) fn find(name: &str) -> Option<&'static Long> {
    LONG.iter().find(|long| long.name == name)
}
