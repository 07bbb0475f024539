//! The half of a COMMAND that reads what it gives back.

use std::cell::RefCell;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use super::exchange::{ShownFrame, ShownPixels, Terms, UNTOUCHED};
use super::lines::{Lines, LinesError, NextLine};
use super::shared_memory::Slot;
use super::{EXIT_TIMEOUT, RunningCommand, exit_text};
use crate::error::{Error, ErrorKind, Hint, Result, counted, os_words};
use crate::image::bands::{BandSet, differ};
use crate::image::{Drawing, Frame, FrameData, Image, PixelBuffer, PixelFormat};
use crate::options::{CommandAnswer, FrameTransport};
use crate::protocol::pipe::{self, Guard, Transfer};
use crate::time::stop::Stop;

/// The half that reads from the program's stdout.
pub(crate) struct CommandOutput {
    answers: Answers,
    format: PixelFormat,
    /// Width and height of what the program sees.
    size: (u32, u32),
    /// Data that comes beside pixels.
    data: Option<Lines>,
    received: u64,
    running: Arc<RunningCommand>,
    stop: Stop,
}

/// What comes back for a frame.
enum Answers {
    Pixels(OwnedFd),
    /// The number of the slot that the frame is in.
    Slots(OwnedFd),
    /// A line of data.
    Data(Lines),
}

impl CommandOutput {
    /// Reads `answers`; at most `limit` frames are inside the program at once.
    pub(super) fn new(
        answers: OwnedFd,
        data: Option<OwnedFd>,
        terms: Terms,
        size: (u32, u32),
        limit: usize,
        running: &Arc<RunningCommand>,
        stop: &Stop,
    ) -> CommandOutput {
        let answers = match (terms.answer, terms.transport) {
            (CommandAnswer::Data, _) => Answers::Data(Lines::new(answers, limit + 1)),
            (CommandAnswer::Pixels, FrameTransport::Pipe) => Answers::Pixels(answers),
            (CommandAnswer::Pixels, FrameTransport::Shm) => Answers::Slots(answers),
        };
        CommandOutput {
            answers,
            format: terms.format,
            size,
            data: data.map(|from| Lines::new(from, limit + 1)),
            received: 0,
            running: Arc::clone(running),
            stop: stop.clone(),
        }
    }

    fn descriptor(&self) -> &OwnedFd {
        match &self.answers {
            Answers::Pixels(from) | Answers::Slots(from) => from,
            Answers::Data(lines) => lines.descriptor(),
        }
    }

    /// Reads the answer to `asked`, the frame sent longest ago.
    ///
    /// # Errors
    /// Where the program ends, or writes what is no answer.
    pub(crate) fn answer(&mut self, asked: ShownFrame) -> Result<Frame> {
        let ShownFrame { mut frame, shown } = asked;
        match (&self.answers, shown) {
            (Answers::Data(_), _) => self.read_line(&mut frame)?,
            (Answers::Slots(_), ShownPixels::Slot(slot)) => self.read_slot(&mut frame, &slot)?,
            (_, ShownPixels::Piped(pixels)) => self.read_pixels(&mut frame, &pixels)?,
            (Answers::Pixels(_), ShownPixels::Slot(_)) | (_, ShownPixels::Lent) => {}
        }
        self.received += 1;
        // In this order: what is shown meanwhile may be answered already.
        let is_ahead = matches!(&self.answers, Answers::Data(lines) if lines.has_more());
        let surplus = is_ahead || pipe::unread(self.descriptor().as_fd()) > 0;
        if surplus && self.running.owed() == 0 {
            return Err(self.running.wrote_too_much(self.received));
        }
        self.take_data(&mut frame)?;
        Ok(frame)
    }

    fn read_pixels(&mut self, frame: &mut Frame, shown: &PixelBuffer) -> Result<()> {
        let mut answer = frame.blank_view(self.format)?;
        let mut same = true;
        let original = shown.as_slice();
        // While it is in the nearest cache: most programs change no frame, or a part of all.
        self.read_answer(answer.as_mut_slice(), |at, piece| {
            same = same && original.get(at..at + piece.len()) == Some(piece);
        })?;
        if !same {
            let changed = changed_bands(&shown.image(), &answer.image());
            frame.replace(answer, changed);
        }
        Ok(())
    }

    fn read_slot(&mut self, frame: &mut Frame, slot: &Slot) -> Result<()> {
        let mut number = [0; 4];
        self.read_answer(&mut number, |_, _| ())?;
        let number = u32::from_ne_bytes(number);
        if number & !UNTOUCHED != slot.number() {
            self.running.kill();
            let cause = format!(
                "it gave back the memory of another frame than the one sent longest ago: slot {} for {}",
                number & !UNTOUCHED,
                slot.number()
            );
            return Err(self.running.error(cause));
        }
        if number & UNTOUCHED == 0 {
            let (width, height) = self.size;
            let image = Image::packed(self.format, width, height, slot.bytes());
            let image = image.map_err(|e| Error::process(e.to_string()))?;
            frame.set_changed(&image)?;
        }
        Ok(())
    }

    /// Fills `bytes` with the answer.
    fn read_answer(&mut self, bytes: &mut [u8], mut seen: impl FnMut(usize, &[u8])) -> Result<()> {
        let whole = bytes.len();
        let (Answers::Pixels(from) | Answers::Slots(from)) = &self.answers else { return Ok(()) };
        let running = &self.running;
        let guard = AnswerGuard { running, data: self.data.as_mut().map(RefCell::new) };
        let read = pipe::read_all(from.as_fd(), bytes, &self.stop, &guard, |at, piece| {
            seen(at, piece);
            running.answers(at + piece.len() == whole);
        });
        match read {
            Ok(Transfer::Done) => Ok(()),
            Ok(Transfer::Closed(bytes)) => Err(self.ended_early(bytes, whole)),
            Ok(Transfer::Stuck) => {
                self.running.kill();
                if let Some(wrong) = self.data.as_mut().and_then(Lines::take_failure) {
                    return Err(self.bad_line(wrong));
                }
                Err(self.running.error("it did not give its last frames back and was killed"))
            }
            Err(e) => Err(self
                .running
                .error(format!("its stdout can't be read: {}", os_words(&e)))
                .because(e)),
        }
    }

    fn read_line(&mut self, frame: &mut Frame) -> Result<()> {
        let Answers::Data(lines) = &mut self.answers else { return Ok(()) };
        let line = match lines.wait(&self.stop, &*self.running) {
            Ok(NextLine::Line(line)) => line,
            Ok(NextLine::Closed) => return Err(self.ended_early(0, 0)),
            Ok(NextLine::Stuck) => {
                self.running.kill();
                return Err(self
                    .running
                    .error("it did not give its last frames back and was killed"));
            }
            Err(e) => return Err(self.bad_line(e)),
        };
        self.running.answers(true);
        let Some(data) = self.data_of(&line)? else { return Ok(()) };
        let drawing = Drawing::of(&data).map_err(|e| self.failed(e))?;
        // A frame that nothing is drawn on stays as it was decoded.
        if !drawing.is_empty() {
            let drawn = frame.draw().and_then(|mut draw| draw.drawing(&drawing, self.size));
            drawn.map_err(|e| self.failed(e))?;
        }
        frame.set_data(Some(&data))
    }

    /// Attaches the line that has come for a frame, if one has. A program writes it before the frame.
    fn take_data(&mut self, frame: &mut Frame) -> Result<()> {
        let Some(lines) = &mut self.data else { return Ok(()) };
        let line = match lines.next(&self.stop, &Nobody) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(e) => return Err(self.bad_line(e)),
        };
        match self.data_of(&line)? {
            Some(data) => frame.set_data(Some(&data)),
            None => Ok(()),
        }
    }

    /// What a line says; nothing where it is empty.
    fn data_of(&self, line: &str) -> Result<Option<FrameData>> {
        if line.trim().is_empty() {
            return Ok(None);
        }
        FrameData::from_json(line).map(Some).map_err(|e| self.failed(e))
    }

    /// The error for an answer that is none; the program is killed.
    fn failed(&self, error: Error) -> Error {
        self.running.is_wrong();
        let error = error.of_kind(ErrorKind::Process).at(self.running.name());
        error.hint(Hint::OnlyDataInLines)
    }

    fn bad_line(&self, error: LinesError) -> Error {
        let cause = match error {
            LinesError::Pipe(e) => {
                let cause = format!("its lines can't be read: {}", os_words(&e));
                return self.running.error(cause).because(e);
            }
            LinesError::Many => return self.running.wrote_too_much(self.received),
            LinesError::Long => format!(
                "it wrote a line that is longer than {}",
                counted(FrameData::MAX_BYTES as u64, "byte")
            ),
            LinesError::NoText => "it wrote a line that is no UTF-8".to_owned(),
        };
        self.failed(self.running.error(cause))
    }

    fn ended_early(&self, bytes: usize, whole: usize) -> Error {
        let status = self.running.end(self.running.farewell);
        let status = status.map_or_else(|| "no exit status".to_owned(), exit_text);
        let n = counted(self.received, "frame");
        if bytes > 0 {
            let cause = format!(
                "it ended ({status}) in the middle of a frame: {bytes} of {whole} bytes, after {n}"
            );
            let error = self.running.error(cause);
            return if self.received == 0 { error.hint(Hint::OnlyFramesOnStdout) } else { error };
        }
        self.running
            .error(format!("it ended ({status}) before it gave every frame back, after {n}"))
            .hint(Hint::AnswerToTheEnd)
    }

    /// Waits for the program's end after every frame was answered.
    ///
    /// # Errors
    /// Where it writes on, or ends with a failure.
    pub(crate) fn finish(&mut self) -> Result<()> {
        if matches!(&self.answers, Answers::Data(lines) if lines.has_more()) {
            return Err(self.running.wrote_too_much(self.received));
        }
        let deadline = Instant::now() + EXIT_TIMEOUT;
        let patient = Stop::new();
        let mut rest = [0u8; 1];
        // A stopped pipeline waits no longer than its patience; this one is as patient from now on.
        patient.stop();
        match pipe::read_all(
            self.descriptor().as_fd(),
            &mut rest,
            &patient,
            &*self.running,
            |_, _| (),
        ) {
            Ok(Transfer::Closed(_)) => {}
            Ok(Transfer::Stuck) => {
                self.running.kill();
                return Err(self
                    .running
                    .error("it did not end when its frames did, and was killed"));
            }
            Ok(Transfer::Done) => {
                return Err(self.running.wrote_too_much(self.received));
            }
            Err(e) => {
                return Err(self
                    .running
                    .error(format!("its stdout can't be read: {}", os_words(&e)))
                    .because(e));
            }
        }
        match self.running.wait(deadline.saturating_duration_since(Instant::now())) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(self.running.error(format!(
                "it ended with {} after {}",
                exit_text(status),
                counted(self.received, "frame")
            ))),
            None => Err(self.running.error("it did not end when its frames did, and was killed")),
        }
    }

    /// Whether there is something to read, or it is closed.
    pub(crate) fn is_readable(&self) -> bool {
        pipe::is_readable(self.descriptor().as_fd())
    }

    /// The error for a program whose stdout became readable with no frame to answer.
    pub(crate) fn unasked(&mut self) -> Error {
        if matches!(&self.answers, Answers::Data(lines) if lines.has_more()) {
            return self.running.wrote_too_much(self.received);
        }
        let mut one = [0u8; 1];
        match pipe::read_all(
            self.descriptor().as_fd(),
            &mut one,
            &self.stop,
            &*self.running,
            |_, _| (),
        ) {
            Ok(Transfer::Done) => self.running.wrote_too_much(self.received),
            _ => self.ended_early(0, 0),
        }
    }

    /// Ends the program where the pipeline takes no more of its frames.
    pub(crate) fn abandon(&self) {
        self.running.kill();
    }
}

/// The bands in which two pictures of one format and size differ.
fn changed_bands(one: &Image<'_>, other: &Image<'_>) -> BandSet {
    let height = one.height();
    let mut changed = BandSet::none(height);
    for rows in BandSet::each(height) {
        if differ(&one.band(rows.clone()), &other.band(rows.clone())) {
            changed.insert(&rows);
        }
    }
    changed
}

/// A program whose answer is waited for. Its data is gathered meanwhile: a pipe that is full would keep it
/// from answering.
struct AnswerGuard<'a> {
    running: &'a RunningCommand,
    data: Option<RefCell<&'a mut Lines>>,
}

impl Guard for AnswerGuard<'_> {
    fn moved(&self) {
        self.running.moved();
    }

    fn gives_up(&self) -> bool {
        if let Some(mut data) = self.data.as_ref().and_then(|data| data.try_borrow_mut().ok()) {
            data.gather(&Stop::new(), &Nobody);
            if data.has_failed() {
                return true;
            }
        }
        self.running.gives_up()
    }
}

/// Nobody, where nothing is waited for.
struct Nobody;

impl Guard for Nobody {
    fn moved(&self) {}

    fn gives_up(&self) -> bool {
        true
    }
}
