//! The keys of a pipeline in a file and in the API that are no option of the command line.

/// What the value of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyType {
    /// A string.
    Text,
    /// A string or a number.
    Scalar,
    /// `true` or `false`.
    Flag,
    /// A list of strings.
    Words,
    /// A string or a list of strings.
    Texts,
    /// One input or output or a list of them: a string, or a table with `url` and `options`.
    Ends,
    /// A table of FFmpeg's options, names without their dash.
    FfmpegOptions,
    /// A table of strings.
    Variables,
}

impl KeyType {
    /// What the reference calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            KeyType::Text => "a string",
            KeyType::Scalar => "a string or a number",
            KeyType::Flag => "`true` or `false`",
            KeyType::Words => "a list of strings",
            KeyType::Texts => "a string or a list of strings",
            KeyType::Ends => "a string, a table with `url` and `options`, or a list of these",
            KeyType::FfmpegOptions => "a table of FFmpeg's options, without their dash",
            KeyType::Variables => "a table of strings",
        }
    }
}

/// A key of a pipeline.
pub(crate) struct PipelineKey {
    pub(crate) name: &'static str,
    pub(crate) value: KeyType,
    /// What holds where it is not given, in words.
    pub(crate) default: Option<&'static str>,
    /// What it says, in one sentence without its full stop.
    pub(crate) help: &'static str,
}

impl PipelineKey {
    const fn new(name: &'static str, value: KeyType, help: &'static str) -> PipelineKey {
        PipelineKey { name, value, default: None, help }
    }

    const fn default(self, default: &'static str) -> PipelineKey {
        PipelineKey { default: Some(default), ..self }
    }
}

/// Every such key, in the order that the reference has them.
pub(crate) const TABLE: &[PipelineKey] = &[
    PipelineKey::new("input", KeyType::Ends, "the URL or file that the pipeline reads"),
    PipelineKey::new(
        "inputs",
        KeyType::Ends,
        "the same where it reads several, in place of `input`",
    ),
    PipelineKey::new("outputs", KeyType::Ends, "the URLs or files that it writes"),
    PipelineKey::new(
        "command",
        KeyType::Words,
        "a program that edits the frames, and its arguments: what stands behind `--`",
    ),
    PipelineKey::new(
        "env",
        KeyType::Variables,
        "environment variables for the program: secrets reach it so, and are shown nowhere",
    ),
    PipelineKey::new("filter", KeyType::Text, "FFmpeg's filters for every output, as `-vf`"),
    PipelineKey::new(
        "filter_complex",
        KeyType::Texts,
        "filter graphs across streams, as `-filter_complex`; the option `map` takes what comes out",
    ),
    PipelineKey::new(
        "init_hw_device",
        KeyType::Texts,
        "devices for its decoders, encoders and filters, as `-init_hw_device`; the API refuses it",
    ),
    PipelineKey::new(
        "filter_hw_device",
        KeyType::Text,
        "the name of the device that its filters use, as `-filter_hw_device`",
    )
    .default("the last one"),
    PipelineKey::new(
        "input_options",
        KeyType::FfmpegOptions,
        "the options that stand before every input",
    ),
    PipelineKey::new(
        "output_options",
        KeyType::FfmpegOptions,
        "the options that stand before every output",
    ),
    PipelineKey::new(
        "on_demand",
        KeyType::Flag,
        "runs it only while somebody plays its output from this server",
    )
    .default("`false`"),
    PipelineKey::new(
        "idle_timeout",
        KeyType::Scalar,
        "how long a pipeline on demand goes on without players",
    )
    .default("`\"10s\"`"),
    PipelineKey::new("enabled", KeyType::Flag, "starts it with the server").default("`true`"),
    PipelineKey::new("loglevel", KeyType::Scalar, "how much it logs, as `-v`")
        .default("that of the server"),
];
