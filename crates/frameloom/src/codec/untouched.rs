//! Video of which only what code touched is encoded: which packets of the source go out as they are, and which
//! frames are encoded in their place. A pure state machine: it has no codec and no clock.

use std::collections::VecDeque;

use crate::time::Timestamp;

/// A packet of the source, in the order of decoding.
#[derive(Clone, Debug)]
pub(crate) struct SourcePacket<P> {
    pub(crate) pts: Timestamp,
    /// Not every container says it of a stream's first packets.
    pub(crate) dts: Option<Timestamp>,
    /// Nothing behind it, in the order of decoding, refers to what is before it or is shown before it.
    pub(crate) is_idr: bool,
    pub(crate) item: P,
}

/// A frame behind the code, in the order of showing.
#[derive(Clone, Debug)]
pub(crate) struct SeenFrame<F> {
    pub(crate) pts: Timestamp,
    pub(crate) is_touched: bool,
    pub(crate) item: F,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SwitchStep<P, F> {
    /// A packet goes out as it is.
    Copy(P),
    /// An encoder is begun, for frames that follow.
    Begin,
    /// A frame is encoded, in place of a packet where there is one.
    Encode(F, Option<P>),
    /// The encoder gives out what it holds, and ends.
    Finish,
}

/// When copying goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SwitchRules {
    /// For so long before the source's IDR nothing was touched.
    pub(crate) after: Timestamp,
    /// A packet whose frame code never saw must not go out: the frame counts as touched.
    pub(crate) needs_every_frame: bool,
}

/// The switch between packets that go out as they are, and frames that are encoded.
pub(crate) struct UntouchedSwitch<P, F> {
    rules: SwitchRules,
    /// Packets that did not leave and were not replaced, in the order of decoding.
    packets: VecDeque<SourcePacket<P>>,
    state: SwitchState<F>,
    /// When something was touched last.
    touched: Option<Timestamp>,
    /// What is to be done; of packets that go out with their dts.
    steps: VecDeque<(Option<Timestamp>, SwitchStep<P, F>)>,
    /// Frames that are inside the encoder, by their pts, each with the dts of the packet that it replaced.
    replaced: VecDeque<(Timestamp, Option<Timestamp>)>,
    /// The last dts that went out.
    last_dts: Option<Timestamp>,
    /// Nothing is copied, whatever comes.
    never_copies: bool,
}

enum SwitchState<F> {
    /// Packets go out once their frames are known to be untouched.
    Copying {
        /// Up to here everything is.
        known: Option<Timestamp>,
        /// Frames whose packets have not left, in the order of showing.
        frames: VecDeque<(Timestamp, F)>,
    },
    /// Frames are encoded, up to an IDR of the source. `is_begun` says that there were some.
    Encoding { is_begun: bool },
}

impl<P, F> UntouchedSwitch<P, F> {
    /// Copying begins with the source's first IDR.
    pub(crate) fn new(rules: SwitchRules) -> UntouchedSwitch<P, F> {
        UntouchedSwitch {
            rules,
            packets: VecDeque::new(),
            state: SwitchState::Encoding { is_begun: false },
            touched: None,
            steps: VecDeque::new(),
            replaced: VecDeque::new(),
            last_dts: None,
            never_copies: false,
        }
    }

    /// Encodes every frame from now on. Call it before the first one.
    pub(crate) fn never_copy(&mut self) {
        self.never_copies = true;
    }

    /// Up to where packets went out, in the order of decoding.
    pub(crate) fn position(&self) -> Timestamp {
        self.last_dts.unwrap_or(Timestamp::ZERO)
    }

    /// Takes a packet of the source, before its frame comes.
    pub(crate) fn packet(&mut self, packet: SourcePacket<P>) {
        self.packets.push_back(packet);
        self.copy_known();
    }

    /// Takes a frame that comes behind the code.
    pub(crate) fn frame(&mut self, frame: SeenFrame<F>) {
        let SeenFrame { pts, is_touched, item } = frame;
        match &mut self.state {
            SwitchState::Copying { .. } => {
                if is_touched || self.misses_frame_before(pts) {
                    self.touch(pts);
                    return self.encode(pts, item);
                }
                if let SwitchState::Copying { known, frames } = &mut self.state {
                    *known = Some(pts);
                    frames.push_back((pts, item));
                }
                self.copy_known();
            }
            SwitchState::Encoding { is_begun } => {
                if is_touched {
                    self.touched = Some(pts);
                    return self.encode(pts, item);
                }
                let is_begun = *is_begun;
                if !self.may_copy_from(pts) {
                    return self.encode(pts, item);
                }
                if is_begun {
                    self.steps.push_back((None, SwitchStep::Finish));
                }
                // What stands before the IDR had no frame.
                while self.packets.front().is_some_and(|packet| packet.pts != pts || !packet.is_idr)
                {
                    self.packets.pop_front();
                }
                let frames = VecDeque::from([(pts, item)]);
                self.state = SwitchState::Copying { known: Some(pts), frames };
                self.copy_known();
            }
        }
    }

    /// Says that what is shown from `pts` on is no frame of the source: it is encoded, by whoever calls this,
    /// behind the steps that come of it.
    pub(crate) fn hold(&mut self, pts: Timestamp) {
        self.touch(pts);
        self.begin();
        self.replaced.push_back((pts, None));
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self) {
        if let SwitchState::Copying { known, frames } = &mut self.state {
            if !self.rules.needs_every_frame {
                *known = self.packets.iter().map(|packet| packet.pts).max().or(*known);
            } else if let Some((last, _)) = frames.back() {
                // Their packets stand behind one whose frame never came.
                let last = *last;
                self.touch(last);
            }
            self.copy_known();
        }
        if let SwitchState::Encoding { is_begun } = &mut self.state
            && std::mem::take(is_begun)
        {
            self.steps.push_back((None, SwitchStep::Finish));
        }
    }

    /// The same where packets that are still waiting are not to go out.
    pub(crate) fn finish_encoding(&mut self) {
        self.packets.clear();
        self.finish();
    }

    /// What is to be done next.
    pub(crate) fn next_step(&mut self) -> Option<SwitchStep<P, F>> {
        let (dts, step) = self.steps.pop_front()?;
        self.last_dts = self.last_dts.max(dts);
        Some(step)
    }

    /// The dts for the next packet of the encoder, which gives them in the order in which frames were sent to
    /// it: that of the packet in whose place it stands.
    pub(crate) fn encoded_dts(&mut self, pts: Timestamp) -> Timestamp {
        // Frames that the encoder left out.
        while pop_if(&mut self.replaced, |(at, _)| *at < pts).is_some() {}
        let of_packet = pop_if(&mut self.replaced, |(at, _)| *at == pts).and_then(|(_, dts)| dts);
        let after_last = |dts: Timestamp| self.last_dts.is_none_or(|last| last < dts);
        let dts = of_packet.filter(|dts| *dts <= pts && after_last(*dts)).unwrap_or_else(|| {
            // Pictures that the source has not are one tick behind each other until it is there again.
            self.last_dts.map_or(pts, |last| last.plus(pts.base().at(1)).min(pts))
        });
        self.last_dts = Some(dts);
        dts
    }

    /// Whether a packet is shown before `pts` whose frame never came, and that matters.
    fn misses_frame_before(&self, pts: Timestamp) -> bool {
        let SwitchState::Copying { known, frames } = &self.state else { return false };
        self.rules.needs_every_frame
            && self.packets.iter().any(|packet| {
                packet.pts < pts
                    && known.is_none_or(|known| packet.pts > known)
                    && !frames.iter().any(|(at, _)| *at == packet.pts)
            })
    }

    /// Whether copying may go on with the frame at `pts`.
    fn may_copy_from(&self, pts: Timestamp) -> bool {
        let is_quiet =
            !self.never_copies && self.touched.is_none_or(|at| at.plus(self.rules.after) <= pts);
        is_quiet && self.packets.iter().any(|packet| packet.is_idr && packet.pts == pts)
    }

    /// Sends out packets whose frames are known to be untouched.
    fn copy_known(&mut self) {
        let SwitchState::Copying { known: Some(known), frames } = &mut self.state else { return };
        while let Some(packet) = pop_if(&mut self.packets, |packet| packet.pts <= *known) {
            frames.retain(|(at, _)| *at != packet.pts);
            self.steps.push_back((packet.dts, SwitchStep::Copy(packet.item)));
        }
    }

    /// From here on frames are encoded, those first whose packets have not left.
    fn touch(&mut self, pts: Timestamp) {
        self.touched = Some(pts);
        if let SwitchState::Copying { frames, .. } = &mut self.state {
            let frames = std::mem::take(frames);
            self.state = SwitchState::Encoding { is_begun: false };
            frames.into_iter().for_each(|(at, frame)| self.encode(at, frame));
        }
    }

    fn begin(&mut self) {
        if let SwitchState::Encoding { is_begun } = &mut self.state
            && !std::mem::replace(is_begun, true)
        {
            self.steps.push_back((None, SwitchStep::Begin));
        }
    }

    fn encode(&mut self, pts: Timestamp, frame: F) {
        self.begin();
        // A packet of the next GOP belongs to a frame that is still to come.
        let replaced = pop_if(&mut self.packets, |packet| !packet.is_idr || packet.pts <= pts);
        self.replaced.push_back((pts, replaced.as_ref().and_then(|packet| packet.dts)));
        let replaced = replaced.map(|packet| packet.item);
        self.steps.push_back((None, SwitchStep::Encode(frame, replaced)));
    }
}

fn pop_if<T>(queue: &mut VecDeque<T>, is_it: impl FnOnce(&T) -> bool) -> Option<T> {
    if queue.front().is_some_and(is_it) { queue.pop_front() } else { None }
}

#[cfg(test)]
mod tests;
