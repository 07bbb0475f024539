//! Bitstream filters between a stream's packets and the container (FFmpeg's `-bsf`).

use std::sync::Arc;

use crate::av::{AvError, BitstreamFilter, Received};
use crate::codec::configuration::StreamConfiguration;
use crate::codec::packet::Packet;
use crate::error::{End, Error, ErrorKind, Result, Setting, Stage};

/// The filters of one stream.
pub(super) struct StreamFilter {
    /// In FFmpeg's language.
    list: String,
    /// For the configuration that holds now.
    open: Option<OpenFilter>,
}

struct OpenFilter {
    filter: BitstreamFilter,
    /// The last packet that was sent, without its content.
    last: Option<Packet>,
}

impl StreamFilter {
    pub(super) fn new(list: String) -> StreamFilter {
        StreamFilter { list, open: None }
    }

    /// Opens the filters for what holds from the next packet on. Gives what those before held back, and
    /// what holds behind the filters.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where they don't take such a stream.
    pub(super) fn configure(
        &mut self,
        configuration: &StreamConfiguration,
    ) -> Result<(Vec<Packet>, Arc<StreamConfiguration>)> {
        let held = self.drain()?;
        let StreamConfiguration { params, time_base, .. } = configuration;
        let codec = params.codec().name();
        let refused = |e: AvError| {
            let cause = format!("'{}' does not take {codec}: {}", self.list, e.cause());
            self.error(e, ErrorKind::Usage, cause)
        };
        let mut filter = BitstreamFilter::parse(&self.list).map_err(refused)?;
        filter.open(params, *time_base).map_err(refused)?;
        let behind = StreamConfiguration {
            params: filter.params().map_err(refused)?,
            time_base: filter.time_base(),
            ..*configuration
        };
        self.open = Some(OpenFilter { filter, last: None });
        Ok((held, Arc::new(behind)))
    }

    /// What comes of a packet.
    ///
    /// # Errors
    /// Where a filter fails.
    pub(super) fn filter(&mut self, mut packet: Packet) -> Result<Vec<Packet>> {
        let Some(open) = &mut self.open else { return Ok(vec![packet]) };
        let sent = open.filter.send(Some(&mut packet.av));
        open.last = Some(packet);
        sent.map_err(|e| self.failed(e))?;
        self.receive()
    }

    /// What the filters held back.
    ///
    /// # Errors
    /// Where a filter fails.
    pub(super) fn drain(&mut self) -> Result<Vec<Packet>> {
        let Some(open) = &mut self.open else { return Ok(Vec::new()) };
        let sent = open.filter.send(None);
        sent.map_err(|e| self.failed(e))?;
        let held = self.receive()?;
        self.open = None;
        Ok(held)
    }

    fn receive(&mut self) -> Result<Vec<Packet>> {
        let mut packets = Vec::new();
        while let Some(OpenFilter { filter, last }) = &mut self.open {
            match filter.receive() {
                Ok(Received::Item(av)) => {
                    let Some(last) = last else { break };
                    packets.push(Packet { av, time_base: filter.time_base(), ..*last });
                }
                Ok(Received::Again | Received::End) => break,
                Err(e) => return Err(self.failed(e)),
            }
        }
        Ok(packets)
    }

    fn failed(&self, e: AvError) -> Error {
        let cause = format!("'{}': {}", self.list, e.cause());
        self.error(e, ErrorKind::InvalidData, cause)
    }

    fn error(&self, e: AvError, kind: ErrorKind, cause: String) -> Error {
        let error = e.in_stage(Stage::Sink).of_kind(kind).reworded(cause);
        error.about(Setting::ffmpeg("bsf").of(End::Output))
    }
}
