use super::*;
use crate::av::{DeviceKind, MediaKind};
use crate::codec::configuration::StreamMessage;
use crate::codec::decode::VideoDecoder;
use crate::codec::encode::{VideoEncoder, VideoPlan};
use crate::codec::packet::Packet;
use crate::codec::window::Window;
use crate::image::device::tests::test_device;
use crate::image::{Frame, PixelBuffer, PixelFormat};
use crate::options::HardwareDevices;
use crate::stats::Stats;
use crate::time::TimeBase;
use crate::time::clock::RealClock;

#[test]
fn the_decoder_follows_from_the_kind_of_device() {
    let kind = |name| DeviceKind::named(name).unwrap();
    let (vaapi, cuda, qsv) = (kind("vaapi"), kind("cuda"), kind("qsv"));
    let format = PixFmt::named("vaapi").unwrap();
    let decoder = |name, kind, is_usual| DeviceDecoder { name, kind, format, is_usual };
    let all = [
        decoder("h264", vaapi, true),
        decoder("h264", cuda, true),
        decoder("h264_qsv", qsv, false),
        decoder("h264_cuvid", cuda, false),
    ];
    for (by, name, expected) in [
        (DecodeBy::Processor, None, &[][..]),
        (DecodeBy::Any, None, &[("h264", vaapi), ("h264", cuda)]),
        (DecodeBy::Any, Some("h264_cuvid"), &[("h264_cuvid", cuda)]),
        (DecodeBy::Any, Some("libopenh264"), &[]),
        (DecodeBy::Kind(vaapi), None, &[("h264", vaapi)]),
        (DecodeBy::Kind(cuda), None, &[("h264", cuda), ("h264_cuvid", cuda)]),
        (DecodeBy::Kind(cuda), Some("h264_cuvid"), &[("h264_cuvid", cuda)]),
        (DecodeBy::Kind(qsv), None, &[("h264_qsv", qsv)]),
        (DecodeBy::Kind(qsv), Some("h264"), &[]),
        (DecodeBy::Kind(kind("drm")), None, &[]),
    ] {
        let able = able(by, name, &all);
        let found: Vec<_> = able.iter().map(|decoder| (decoder.name, decoder.kind)).collect();
        assert_eq!(found, expected, "{by:?} {name:?}");
    }
}

/// H.264 in this pixel format.
fn coded(format: &str, frames: i64) -> (StreamInfo, Vec<Packet>) {
    let plan = VideoPlan {
        encoder: "libx264".to_owned(),
        filter: Some(format!("format={format}")),
        size: None,
        rate: None,
        pixel_format: None,
        options: vec![("qp".to_owned(), "20".to_owned())],
        is_live: false,
        window: Window::default(),
        frames: None,
        constant_rate: false,
        has_no_pts: false,
        aspect: None,
        formats: &[],
        keeps_alpha: false,
        is_edited: true,
        devices: HardwareDevices::default(),
        keyframes: None,
        passes: None,
    };
    let mut encoder = VideoEncoder::new(plan, true, None).unwrap();
    for n in 0..frames {
        let mut pixels = PixelBuffer::new(PixelFormat::Rgb24, 64, 48).unwrap();
        pixels.image_mut().row_mut(u32::try_from(n).unwrap()).fill(200);
        let at = TimeBase::MILLIS.at(n * 40);
        encoder.send(Frame::from_image(&pixels.image(), at).unwrap()).unwrap();
    }
    encoder.drain().unwrap();
    let (mut stream, mut packets) = (None, Vec::new());
    while let Some(message) = encoder.receive() {
        match message {
            StreamMessage::Packet(packet) => packets.push(packet),
            StreamMessage::Configuration(configuration) => {
                let params = configuration.params.share().unwrap();
                stream = Some(StreamInfo::of_params(0, params, configuration.time_base));
            }
        }
    }
    (stream.unwrap(), packets)
}

fn decode(decoder: Result<VideoDecoder>, packets: &[Packet]) -> Result<Vec<Vec<u8>>> {
    let mut decoder = decoder?;
    packets.iter().try_for_each(|packet| decoder.send(packet))?;
    decoder.drain()?;
    decoder.finish()?;
    let frames = std::iter::from_fn(|| decoder.receive());
    frames.map(|frame| Ok(frame.image(PixelFormat::Yuv420p)?.to_packed_vec())).collect()
}

fn stats() -> Stats {
    Stats::new(None, Arc::new(RealClock))
}

/// libav offers what a device of another kind could decode, and finds out afterwards that this one can't; of
/// 4:4:4 it offers nothing to begin with.
#[test]
fn what_the_device_cannot_decode_is_an_error_or_for_the_processor() {
    let Some((_, device)) = test_device() else { return };
    let options = InputOptions::new();
    for format in ["yuv420p", "yuv444p"] {
        let (stream, packets) = coded(format, 5);
        let name = (&stream, None);
        let on_device = |is_required| DecodingDevice {
            device: Arc::clone(&device),
            decoder: DeviceDecoder {
                name: "h264",
                kind: DeviceKind::named("vaapi").unwrap(),
                format: PixFmt::named("vaapi").unwrap(),
                is_usual: true,
            },
            is_required,
            output: None,
        };
        let plain = VideoDecoder::open_on(name, None, &options, false, stats());
        let expected = decode(plain, &packets).unwrap();
        assert_eq!(expected.len(), 5);
        let any = VideoDecoder::open_on(name, Some(on_device(false)), &options, false, stats());
        assert!(decode(any, &packets).unwrap() == expected, "{format}");
        let one = VideoDecoder::open_on(name, Some(on_device(true)), &options, false, stats());
        let error = decode(one, &packets).unwrap_err();
        assert_eq!(error.stage(), Stage::Decode);
        let said = error.to_string();
        let mentions = "-hwaccel vaapi is not possible: the device can't decode h264";
        assert!(said.contains(mentions) && said.contains("64x48"), "{said}");
        assert!(said.contains("use -hwaccel auto"), "{said}");
    }
    assert!(!options.hardware.is_first_fallback(), "nothing was said of it");
}

/// What no decoder on such a device can is refused before a device is opened.
#[test]
fn a_codec_that_no_device_decodes_is_refused() {
    let (stream, packets) = coded("yuv420p", 2);
    let place = StreamPlace::only(MediaKind::Video);
    let Some(kind) = DeviceKind::named("opencl").filter(|kind| kind.is_built()) else { return };
    let options = InputOptions::new().decode_by(kind.name()).unwrap();
    let opened = VideoDecoder::open((&stream, place), &options, false, stats());
    let error = decode(opened, &packets).unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Usage, Stage::Decode));
    let said = error.to_string();
    assert!(said.contains("-hwaccel opencl is not possible: no decoder"), "{said}");
    let options = InputOptions::new().decode_by("none").unwrap();
    let opened = VideoDecoder::open((&stream, place), &options, false, stats());
    assert_eq!(decode(opened, &packets).unwrap().len(), 2);
}

/// Pictures that stay on the device are marked so, and others are brought into the format that was asked for.
#[test]
fn pictures_are_given_out_where_and_how_they_were_asked_for() {
    use crate::av::Surfaces;
    let Some((spec, device)) = test_device() else { return };
    let [vulkan, nv12] = ["vulkan", "nv12"].map(|name| PixFmt::named(name).unwrap());
    let surfaces = Surfaces::new(&device, (vulkan, nv12), (64, 48)).unwrap();
    let picture = AvFrame::picture(nv12, 64, 48).unwrap();
    let given_out = |output: Option<&str>| {
        let device = DecodingDevice {
            device: Arc::clone(&device),
            decoder: DeviceDecoder {
                name: "h264",
                kind: spec.kind,
                format: vulkan,
                is_usual: true,
            },
            is_required: true,
            output: output.and_then(PixFmt::named),
        };
        let picture = device.given_out(surfaces.upload(&picture).unwrap()).unwrap();
        (picture.format().unwrap().name(), device.keeps_pictures())
    };
    assert_eq!(given_out(None), ("vulkan", false));
    assert_eq!(given_out(Some("vulkan")), ("vulkan", true));
    assert_eq!(given_out(Some("nv12")), ("nv12", false));
    assert_eq!(given_out(Some("yuv420p")), ("yuv420p", false));
}
