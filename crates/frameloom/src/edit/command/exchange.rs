//! How frames get to a COMMAND and what comes back, as it is agreed before the program is started: what it
//! finds in its environment, and the descriptors that both have.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use super::program::{ProgramDescriptor, ProgramStdout};
use super::shared_memory::{SharedMemory, Slot};
use crate::error::{Error, Result};
use crate::image::{Frame, ImageMut, PixelBuffer, PixelFormat};
use crate::options::{CommandAnswer, FrameTransport};
use crate::protocol::pipe;

/// The descriptors' numbers in the program.
const DATA: i32 = 3;
const MEMORY: i32 = 4;
const MEMORY_ANSWERS: i32 = 5;

/// Set in the number of a slot that is given back as it was.
pub(super) const UNTOUCHED: u32 = 1 << 31;

/// What the user asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) format: PixelFormat,
    pub(super) answer: CommandAnswer,
    pub(super) transport: FrameTransport,
}

/// What was agreed.
pub(super) struct Exchange {
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) stdout: ProgramStdout,
    /// The program's.
    pub(super) descriptors: Vec<ProgramDescriptor>,
    pub(super) way: Way,
    pub(super) ours: OurDescriptors,
}

/// Our ends of what the program finds open.
#[derive(Default)]
pub(super) struct OurDescriptors {
    /// Where answers come that don't come on stdout.
    pub(super) answers: Option<OwnedFd>,
    /// Where lines of data come.
    pub(super) data: Option<OwnedFd>,
}

/// How the program sees a frame.
pub(super) struct Way {
    pub(super) format: PixelFormat,
    /// Width and height of what it sees.
    pub(super) size: (u32, u32),
    /// Bytes that it reads from its stdin for each frame.
    pub(super) message_bytes: usize,
    pub(super) memory: Option<Arc<SharedMemory>>,
}

/// A pipe of which the program writes the one end; ours is made ready.
fn pipe_from_program(number: i32) -> io::Result<(OwnedFd, ProgramDescriptor)> {
    let (ours, theirs) = io::pipe()?;
    pipe::prepare(ours.as_fd())?;
    Ok((ours.into(), ProgramDescriptor { number, file: theirs.into() }))
}

impl Exchange {
    /// For frames of this size, of which at most `limit` are inside the program at once.
    pub(super) fn new(
        terms: Terms,
        size: (u32, u32),
        frame_bytes: usize,
        limit: usize,
        reads_only: bool,
    ) -> io::Result<Exchange> {
        let mut exchange = Exchange {
            environment: Vec::new(),
            stdout: if reads_only { ProgramStdout::Ours } else { ProgramStdout::Answers },
            descriptors: Vec::new(),
            way: Way { format: terms.format, size, message_bytes: frame_bytes, memory: None },
            ours: OurDescriptors::default(),
        };
        let answers_by_line = terms.answer == CommandAnswer::Data && !reads_only;
        let answer = match reads_only {
            true => "none",
            false if answers_by_line => "data",
            false => "pixels",
        };
        exchange.environment.push(("FRAMELOOM_ANSWER", answer.to_owned()));
        if !answers_by_line && !reads_only {
            let (ours, theirs) = pipe_from_program(DATA)?;
            exchange.environment.push(("FRAMELOOM_DATA_FD", DATA.to_string()));
            exchange.descriptors.push(theirs);
            exchange.ours.data = Some(ours);
        }
        if terms.transport == FrameTransport::Shm {
            // One is being filled, and one was answered and is being read.
            let slots = u32::try_from(limit + 3).unwrap_or(u32::MAX);
            let memory = SharedMemory::new(slots, frame_bytes)?;
            exchange.environment.push(("FRAMELOOM_SHM_FD", MEMORY.to_string()));
            exchange.environment.push(("FRAMELOOM_SHM_SLOTS", slots.to_string()));
            exchange.descriptors.push(ProgramDescriptor { number: MEMORY, file: memory.file()? });
            if !answers_by_line {
                let (ours, theirs) = pipe_from_program(MEMORY_ANSWERS)?;
                exchange.environment.push(("FRAMELOOM_SHM_ANSWER_FD", MEMORY_ANSWERS.to_string()));
                exchange.descriptors.push(theirs);
                exchange.ours.answers = Some(ours);
                if !reads_only {
                    exchange.stdout = ProgramStdout::Stderr;
                }
            }
            exchange.way.memory = Some(Arc::new(memory));
            exchange.way.message_bytes = size_of::<u32>();
        }
        Ok(exchange)
    }
}

/// A frame that a program is looking at.
pub(crate) struct ShownFrame {
    pub(super) frame: Frame,
    pub(super) shown: ShownPixels,
}

/// What the program sees of it.
pub(super) enum ShownPixels {
    Piped(Arc<PixelBuffer>),
    Slot(Slot),
    /// A slot that the program has on loan: it gives nothing back but the slot.
    Lent,
}

/// What is written to the program's stdin for a frame.
pub(crate) enum Message {
    Pixels(Arc<PixelBuffer>),
    Slot([u8; 4]),
}

impl Message {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Message::Pixels(pixels) => pixels.as_slice(),
            Message::Slot(number) => number,
        }
    }
}

impl Way {
    /// Gets a frame ready to be seen; `None` where no slot is free.
    pub(super) fn show(&self, mut frame: Frame) -> Result<Option<(ShownFrame, Message)>> {
        let (width, height) = self.size;
        let is_whole = (frame.width(), frame.height()) == self.size;
        let Some(memory) = &self.memory else {
            let pixels = match is_whole {
                true => frame.take_packed(self.format)?,
                false => {
                    let mut pixels = frame.blank_of_size(self.format, width, height)?;
                    frame.copy_scaled_to(&mut pixels.image_mut())?;
                    pixels
                }
            };
            let pixels = Arc::new(pixels);
            let shown = ShownPixels::Piped(Arc::clone(&pixels));
            return Ok(Some((ShownFrame { frame, shown }, Message::Pixels(pixels))));
        };
        let Some(mut slot) = memory.take() else { return Ok(None) };
        let mut target = ImageMut::packed(self.format, width, height, slot.bytes_mut())
            .map_err(|e| Error::process(e.to_string()))?;
        frame.copy_scaled_to(&mut target)?;
        let message = Message::Slot(slot.number().to_ne_bytes());
        Ok(Some((ShownFrame { frame, shown: ShownPixels::Slot(slot) }, message)))
    }
}
