//! The input's audio packets beside the frames, for a caller who pulls them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::codec::packet::Packet;
use crate::error::Result;
use crate::time::Timestamp;

/// Packets that are kept for the caller: some twenty seconds of AAC. Nobody may ever ask for them.
const MAX_PACKETS: usize = 1024;

/// One packet of the input's audio, as it came.
pub struct AudioPacket(Packet);

impl AudioPacket {
    /// The bytes, as the codec made them.
    pub fn data(&self) -> &[u8] {
        self.0.av.data()
    }

    /// When it is to be heard, on the clock of the frames, where it says.
    pub fn pts(&self) -> Option<Timestamp> {
        self.0.pts()
    }

    /// How long it is to be heard; zero where it doesn't say.
    pub fn duration(&self) -> Timestamp {
        self.0.duration()
    }
}

impl std::fmt::Debug for AudioPacket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AudioPacket of {} bytes at {:?}", self.data().len(), self.pts())
    }
}

/// What was read of the audio and not taken yet; a clone is the same.
#[derive(Clone, Default)]
pub(crate) struct Sound {
    packets: Arc<Mutex<VecDeque<Packet>>>,
}

impl Sound {
    /// Keeps another reference to a packet; the oldest goes where there are too many.
    pub(crate) fn keep(&self, packet: &Packet) -> Result<()> {
        let packet = packet.share()?;
        let mut packets = self.packets.lock().unwrap_or_else(PoisonError::into_inner);
        if packets.len() >= MAX_PACKETS {
            packets.pop_front();
        }
        packets.push_back(packet);
        Ok(())
    }

    pub(crate) fn take(&self) -> Vec<AudioPacket> {
        let mut packets = self.packets.lock().unwrap_or_else(PoisonError::into_inner);
        packets.drain(..).map(AudioPacket).collect()
    }
}
