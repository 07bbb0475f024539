//! A media server to embed.
