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
        name: "live",
        value: Some("WHEN"),
        help: "whether the input counts as live: auto decides by what was opened (the default), \
               yes, no",
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
    Long {
        name: "on-loss",
        value: Some("POLICY"),
        help: "while a live input is lost: hold its last frame (the default), show a slate, or end",
    },
    Long {
        name: "slate",
        value: Some("IMAGE"),
        help: "the picture to show while the input is lost, in place of one that says \"no signal\"",
    },
    Long {
        name: "stall-timeout",
        value: Some("TIME"),
        help: "a live input that is silent for so long is lost (5s)",
    },
    Long {
        name: "reconnect-for",
        value: Some("TIME"),
        help: "give up on a lost input after so long; it is tried for ever otherwise",
    },
    Long {
        name: "no-reconnect",
        value: None,
        help: "end when a live input ends or is lost, and when a live output is",
    },
    Long {
        name: "on-slow",
        value: Some("POLICY"),
        help: "frames that your code is too slow for: latest drops the older ones (the default \
               for live input), block waits (for files), bypass sends them unedited",
    },
    Long {
        name: "deadline",
        value: Some("TIME"),
        help: "send a frame unedited that your code has had for so long; means --on-slow=bypass",
    },
    Long {
        name: "on-error",
        value: Some("POLICY"),
        help: "when your code fails: bypass sends the frame unedited, stop ends (for files), \
               restart starts COMMAND again (the default for live input)",
    },
    Long {
        name: "on-resize",
        value: Some("POLICY"),
        help: "frames of another size than the first: fit scales them (the default), restart \
               starts the encoder anew",
    },
    Long { name: "help", value: None, help: "show this text; also -h" },
    Long { name: "version", value: None, help: "show the version; also -version" },
];

/// The entry of [`LONG`] with this name.
pub(crate) fn find(name: &str) -> Option<&'static Long> {
    LONG.iter().find(|long| long.name == name)
}
