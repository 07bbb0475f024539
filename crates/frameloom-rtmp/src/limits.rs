//! What a peer may make us hold.

/// Upper bounds on what one connection may use. All are settable; the defaults suit a server
/// that is open to strangers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Chunk streams the peer may open. Default 64; publishers use 3 to 6.
    pub chunk_streams: usize,
    /// Longest message, in bytes. Default 8 MiB. The wire's own limit is 16,777,215.
    pub message_bytes: usize,
    /// Bytes of unfinished, held and unsent messages together. Default 16 MiB.
    pub connection_bytes: usize,
    /// Deepest nesting of AMF0 objects and arrays. Default 32; more than
    /// [`amf0::MAX_DEPTH`](crate::amf0::MAX_DEPTH) counts as that.
    pub amf_depth: usize,
    /// AMF0 values in one message: a null is one byte on the wire and forty in memory.
    /// Default 65,536.
    pub amf_values: usize,
    /// Message streams (`createStream`) open at once. Default 8.
    pub message_streams: usize,
    /// Media messages held between `publish` and the embedder's answer. Default 4096.
    pub held_messages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            chunk_streams: 64,
            message_bytes: 8 << 20,
            connection_bytes: 16 << 20,
            amf_depth: 32,
            amf_values: 65_536,
            message_streams: 8,
            held_messages: 4096,
        }
    }
}
