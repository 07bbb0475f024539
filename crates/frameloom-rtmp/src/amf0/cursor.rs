//! A place in a message's bytes, and how much of the limits is used up to there.

use super::value::AmfError;
use crate::Limits;

/// The deepest nesting that decoding ever goes to, whatever [`Limits::amf_depth`] says: decoding
/// and dropping a value use the stack, and this keeps it below 64 KiB.
pub const MAX_DEPTH: usize = 128;

/// Text in one message that AMF3 references may stand for, in bytes: each takes two on the wire.
const REPEATED_BYTES: usize = 1 << 20;

/// Reads numbers and pieces of bytes, and counts values and depth for AMF0 and AMF3 alike.
pub(super) struct AmfCursor<'a> {
    pub(super) rest: &'a [u8],
    depth: usize,
    values: usize,
    repeated_bytes: usize,
    max_depth: usize,
    max_values: usize,
    /// What can't be read ends the values around it, and is no error.
    is_lenient: bool,
    /// Nothing can be read any more.
    is_broken: bool,
    /// The outermost array had no end of its own.
    pub(super) lacks_end: bool,
}

impl<'a> AmfCursor<'a> {
    pub(super) fn new(bytes: &'a [u8], limits: &Limits) -> Self {
        AmfCursor {
            rest: bytes,
            depth: 0,
            values: 0,
            repeated_bytes: 0,
            max_depth: limits.amf_depth.min(MAX_DEPTH),
            max_values: limits.amf_values,
            is_lenient: false,
            is_broken: false,
            lacks_end: false,
        }
    }

    /// Takes what can't be read for the end of the objects and arrays that it is in.
    pub(super) fn be_lenient(&mut self) {
        self.is_lenient = true;
    }

    /// Whether something could not be read, and was taken for the end.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// An entry of an object or array; `None` where what is left of it can't be read, and that is
    /// no error.
    pub(super) fn entry<T>(&mut self, read: Result<T, AmfError>) -> Result<Option<T>, AmfError> {
        match read {
            Err(_) if self.is_lenient => {
                self.is_broken = true;
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    /// How many objects and arrays the place is in.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// One value more.
    pub(super) fn count(&mut self) -> Result<(), AmfError> {
        self.values += 1;
        if self.values > self.max_values {
            return Err(AmfError::Values(self.max_values));
        }
        Ok(())
    }

    /// Text that stands for itself once more by a reference.
    pub(super) fn repeat(&mut self, bytes: usize) -> Result<(), AmfError> {
        self.repeated_bytes += bytes;
        if self.repeated_bytes > REPEATED_BYTES {
            return Err(AmfError::Repeated(REPEATED_BYTES));
        }
        Ok(())
    }

    /// One level down.
    pub(super) fn enter(&mut self) -> Result<(), AmfError> {
        if self.depth >= self.max_depth {
            return Err(AmfError::Depth(self.max_depth));
        }
        self.depth += 1;
        Ok(())
    }

    /// One level up again.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], AmfError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(AmfError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], AmfError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(AmfError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn byte(&mut self) -> Result<u8, AmfError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, AmfError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, AmfError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn number(&mut self) -> Result<f64, AmfError> {
        self.array().map(f64::from_be_bytes)
    }
}

/// Text in UTF-8; what isn't is replaced.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
