//! The one error: what the peer did that RTMP, or a limit, does not allow.

/// Why a connection can't go on.
///
/// No variant carries a stream key, a query or a payload, so every message may be logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first byte is not RTMP's version 3: another protocol, or encrypted RTMP (versions 6
    /// and 8), which is not supported. RTMP 1.0, section 5.2.2.
    #[error("not RTMP: the first byte is {0:#04x}, 0x03 was expected")]
    Version(u8),
    /// A chunk continues a chunk stream that never had a full header. Section 5.3.1.2.
    #[error("chunk stream {chunk_stream} starts with a chunk of type {format}")]
    NoHeader {
        /// The chunk stream's id.
        chunk_stream: u32,
        /// The chunk's `fmt`: 2 or 3.
        format: u8,
    },
    /// More chunk streams than [`Limits::chunk_streams`](crate::Limits::chunk_streams).
    #[error("more than {0} chunk streams")]
    ChunkStreams(usize),
    /// A message longer than [`Limits::message_bytes`](crate::Limits::message_bytes).
    #[error("a message of {length} bytes, the limit is {limit}")]
    MessageLength {
        /// The length in the chunk's header, in bytes.
        length: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Unfinished, held and unsent messages together take more than
    /// [`Limits::connection_bytes`](crate::Limits::connection_bytes).
    #[error("the connection holds more than {0} bytes")]
    ConnectionBytes(usize),
    /// A Set Chunk Size of zero or with its highest bit set. Section 5.4.1.
    #[error("a chunk size of {0:#010x}")]
    ChunkSize(u32),
    /// AMF0 that ends early or holds a type that can't stand there.
    #[error("bad AMF0: {0}")]
    Amf(#[from] crate::amf0::AmfError),
    /// An FLV file or tag that isn't one.
    #[error("bad FLV: {0}")]
    Flv(#[from] crate::flv::FlvError),
    /// A command out of order, such as `publish` before `connect`.
    #[error("unexpected command: {0}")]
    Command(&'static str),
    /// A call that doesn't fit the session's state, such as media for a stream that nobody plays.
    /// Message stream 0 is the connection itself.
    #[error("no such stream, or not in a state for this: message stream {0}")]
    Stream(u32),
    /// An earlier call failed; the connection has to be closed.
    #[error("the session has failed before")]
    Failed,
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;
