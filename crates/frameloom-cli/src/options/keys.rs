//! The keys in a file that are no option of the command line: those of a pipeline, which the API has
//! too, and those of a model.

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
    /// A table of [`MODEL_OPTIONS`].
    ModelOptions,
    /// A whole number from 1 on.
    Count,
    /// A number of pixels, or width and height.
    Size,
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
            KeyType::ModelOptions => "a table of the options below",
            KeyType::Count => "a whole number from 1 on",
            KeyType::Size => "a number of pixels, or a string such as `\"640x384\"`",
        }
    }
}

/// A key of a table in a file.
pub(crate) struct FileKey {
    pub(crate) name: &'static str,
    pub(crate) value: KeyType,
    /// What holds where it is not given, in words.
    pub(crate) default: Option<&'static str>,
    /// What it says, in one sentence without its full stop.
    pub(crate) help: &'static str,
}

impl FileKey {
    const fn new(name: &'static str, value: KeyType, help: &'static str) -> FileKey {
        FileKey { name, value, default: None, help }
    }

    const fn default(self, default: &'static str) -> FileKey {
        FileKey { default: Some(default), ..self }
    }
}

/// Every such key of a pipeline, in the order that the reference has them.
pub(crate) const PIPELINE: &[FileKey] = &[
    FileKey::new("input", KeyType::Ends, "the URL or file that the pipeline reads"),
    FileKey::new("inputs", KeyType::Ends, "the same where it reads several, in place of `input`"),
    FileKey::new("outputs", KeyType::Ends, "the URLs or files that it writes"),
    FileKey::new(
        "command",
        KeyType::Words,
        "a program that edits the frames, and its arguments: what stands behind `--`",
    ),
    FileKey::new(
        "env",
        KeyType::Variables,
        "environment variables for the program: secrets reach it so, and are shown nowhere",
    ),
    FileKey::new(
        "model",
        KeyType::Text,
        "the model of the file that the program uses: `FRAMELOOM_MODEL` in its environment says where it is",
    ),
    FileKey::new("filter", KeyType::Text, "FFmpeg's filters for every output, as `-vf`"),
    FileKey::new(
        "filter_complex",
        KeyType::Texts,
        "filter graphs across streams, as `-filter_complex`; the option `map` takes what comes out",
    ),
    FileKey::new(
        "init_hw_device",
        KeyType::Texts,
        "devices for its decoders, encoders and filters, as `-init_hw_device`; the API refuses it",
    ),
    FileKey::new(
        "filter_hw_device",
        KeyType::Text,
        "the name of the device that its filters use, as `-filter_hw_device`",
    )
    .default("the last one"),
    FileKey::new(
        "input_options",
        KeyType::FfmpegOptions,
        "the options that stand before every input",
    ),
    FileKey::new(
        "output_options",
        KeyType::FfmpegOptions,
        "the options that stand before every output",
    ),
    FileKey::new(
        "on_demand",
        KeyType::Flag,
        "runs it only while somebody plays its output from this server",
    )
    .default("`false`"),
    FileKey::new(
        "idle_timeout",
        KeyType::Scalar,
        "how long a pipeline on demand goes on without players",
    )
    .default("`\"10s\"`"),
    FileKey::new("enabled", KeyType::Flag, "starts it with the server").default("`true`"),
    FileKey::new("loglevel", KeyType::Scalar, "how much it logs, as `-v`")
        .default("that of the server"),
];

/// Every key of a model.
pub(crate) const MODEL: &[FileKey] = &[
    FileKey::new("file", KeyType::Text, "the model, in the ONNX format"),
    FileKey::new("options", KeyType::ModelOptions, "how it is run"),
    FileKey::new(
        "command",
        KeyType::Words,
        "the program that runs it: it is given `--serve SOCKET`, the options, and the file",
    )
    .default("`[\"python3\", \"-m\", \"frameloom.detect\"]`"),
    FileKey::new("env", KeyType::Variables, "environment variables for the program"),
];

/// What `options` of a model may hold: options of `frameloom.detect` that are about the model.
pub(crate) const MODEL_OPTIONS: &[FileKey] = &[
    FileKey::new("labels", KeyType::Text, "a file with the names of its classes, one a line")
        .default("the model's"),
    FileKey::new(
        "device",
        KeyType::Text,
        "where it runs: `\"cpu\"`, `\"cuda\"`, `\"cuda:1\"`, ...",
    )
    .default("`\"auto\"`"),
    FileKey::new("threads", KeyType::Count, "threads of the processor").default("all cores"),
    FileKey::new("size", KeyType::Size, "the tensor's size, of a model that takes any")
        .default("the model's, or 640"),
];
