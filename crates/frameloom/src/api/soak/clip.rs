//! Pictures that a simulated camera sends over and over.

use crate::av::CodecParams;
use crate::codec::configuration::StreamMessage;
use crate::codec::encode::VideoEncoder;
use crate::image::{Frame, PixelBuffer, PixelFormat};
use crate::options::OutputOptions;
use crate::protocol::Target;
use crate::run::plan_writer::plan_writer;
use crate::time::{Rate, TimeBase};

/// Encoded pictures, of which each GOP begins with a keyframe.
pub(super) struct Clip {
    pub(super) params: CodecParams,
    pub(super) packets: Vec<Vec<u8>>,
}

impl Clip {
    /// So many pictures of a size in pixels, with a keyframe every `gop`. `paint` makes each one's RGB.
    pub(super) fn encode(
        (width, height): (u32, u32),
        count: usize,
        gop: usize,
        paint: impl Fn(usize, &mut [u8]),
    ) -> Clip {
        let options = [("preset", "ultrafast".to_owned()), ("g", gop.to_string())];
        let options = options
            .iter()
            .fold(OutputOptions::new(), |all, (name, value)| all.with(name, value).unwrap());
        let target = Target::resolve("rtmp://camera/live/a", &options).unwrap();
        let plan = plan_writer(&target, &options).unwrap();
        let mut encoder = VideoEncoder::new(plan, true, Rate::new(2, 1)).unwrap();
        let mut buffer = PixelBuffer::new(PixelFormat::Rgb24, width, height).unwrap();
        let mut messages = Vec::new();
        for n in 0..count {
            paint(n, buffer.as_mut_slice());
            let pts = TimeBase::MILLIS.at(500 * i64::try_from(n).unwrap());
            encoder.send(Frame::from_image(&buffer.image(), pts).unwrap()).unwrap();
            messages.extend(std::iter::from_fn(|| encoder.receive()));
        }
        encoder.drain().unwrap();
        messages.extend(std::iter::from_fn(|| encoder.receive()));
        let (mut params, mut packets) = (None, Vec::new());
        for message in messages {
            match message {
                StreamMessage::Configuration(to) => params = Some(to.params.share().unwrap()),
                StreamMessage::Packet(packet) => packets.push(packet),
            }
        }
        let is_key = |n: usize| n.is_multiple_of(gop);
        assert!(packets.iter().enumerate().all(|(n, packet)| packet.av.is_key() == is_key(n)));
        let packets: Vec<_> = packets.iter().map(|packet| packet.av.data().to_vec()).collect();
        assert_eq!(packets.len(), count);
        Clip { params: params.unwrap(), packets }
    }
}

impl std::fmt::Debug for Clip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.params.width(), self.params.height())
    }
}
