//! Time that goes on where the wire's 32 bits start over.

/// Turns 32-bit milliseconds into 64-bit ones. Each time is taken as the one nearest to the last:
/// it may step back or forward by up to 2^31 ms (24 days), across a wrap too.
///
/// One timeline serves all of a message stream's audio, video and data, so that a wrap that one of
/// them crosses first doesn't part them.
///
/// A stream that starts near zero may have a few times below it, which the wire shows as ones near
/// 2^32: they count as zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimestampUnwrapper {
    last_ms: Option<u64>,
}

/// How far below zero a time may be and count as zero, in milliseconds.
const BELOW_ZERO_MS: i32 = 10_000;

impl TimestampUnwrapper {
    /// The unwrapped time in milliseconds. The first one is itself.
    pub fn unwrap_ms(&mut self, wire_ms: u32) -> u64 {
        let time_ms = match self.last_ms {
            None => u64::from(wire_ms),
            Some(last) => {
                // The casts keep the low 32 bits, and then their sign: nearest means signed.
                let step = wire_ms.wrapping_sub(last as u32) as i32;
                match last.checked_add_signed(step.into()) {
                    Some(time_ms) => time_ms,
                    None if step > -BELOW_ZERO_MS => 0,
                    // Not a step back: the first time was no time, such as metadata's zero.
                    None => wire_ms.into(),
                }
            }
        };
        self.last_ms = Some(time_ms);
        time_ms
    }
}
