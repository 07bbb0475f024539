//! Which device decodes a stream, and what is said where none can.

use std::sync::Arc;

use crate::av::{AvFrame, DecodeOn, Device, DeviceDecoder, PixFmt, StreamInfo, device_decoders};
use crate::error::{End, Error, ErrorKind, Hint, Result, Setting, Stage, sentence};
use crate::image::picture::convert;
use crate::options::{DecodeBy, InputOptions, StreamDecoding, StreamPlace};

/// The device that decodes a stream.
pub(super) struct DecodingDevice {
    device: Arc<Device>,
    decoder: DeviceDecoder,
    /// Nothing else will do.
    is_required: bool,
    /// The pixel format that filters get.
    output: Option<PixFmt>,
}

impl DecodingDevice {
    /// The device for a stream; `None` where the processor decodes it. `decoder` is the name of the one
    /// that must decode.
    ///
    /// # Errors
    /// Where the device that was asked for can't be had.
    pub(super) fn choose(
        (stream, place): (&StreamInfo, StreamPlace),
        options: &InputOptions,
        decoder: Option<&str>,
    ) -> Result<Option<DecodingDevice>> {
        let decoding = options.hardware.of(place);
        // A cover is one picture.
        if decoding.by == DecodeBy::Processor || place.is_cover {
            return Ok(None);
        }
        let codec = stream.params.codec();
        let able = able(decoding.by, decoder, &device_decoders(codec));
        let spec = |able: &DeviceDecoder| decoding.device(able.kind, &options.hardware.devices);
        let found = match decoding.by {
            DecodeBy::Processor => None,
            DecodeBy::Any => able.iter().find_map(|able| {
                let device = spec(able).open_if_there()?;
                Some((*able, device))
            }),
            DecodeBy::Kind(kind) => {
                let Some(able) = able.first() else {
                    let named = decoder.map(|name| format!("decoder {name}"));
                    let who = named.as_deref().unwrap_or("no decoder of FFmpeg's libraries here");
                    let can = if decoder.is_some() { "can't decode" } else { "can decode" };
                    let why = format!("{who} {can} {} on such a device", codec.name());
                    return Err(refused(kind.name(), &why).of_kind(ErrorKind::Usage));
                };
                check_output(decoding.output, able)?;
                let opened = spec(able).open(Stage::Decode);
                Some((*able, opened.map_err(|error| error.about(hwaccel()))?))
            }
        };
        let Some((decoder, device)) = found else {
            say_fallback(options, codec.name());
            return Ok(None);
        };
        check_output(decoding.output, &decoder)?;
        let StreamDecoding { by, output, .. } = decoding;
        let is_required = matches!(by, DecodeBy::Kind(_));
        Ok(Some(DecodingDevice { device, decoder, is_required, output }))
    }

    /// The name of the decoder that uses it.
    pub(super) fn decoder(&self) -> &'static str {
        self.decoder.name
    }

    /// How a decoder is told.
    pub(super) fn on(&self) -> DecodeOn<'_> {
        let (format, is_required) = (self.decoder.format, self.is_required);
        DecodeOn { device: &self.device, format, is_required }
    }

    /// Whether filters get its pictures where they are.
    pub(super) fn keeps_pictures(&self) -> bool {
        self.output.is_some_and(PixFmt::is_hardware)
    }

    /// The picture in the pixel format that was asked for, which is in memory.
    pub(super) fn given_out(&self, picture: AvFrame) -> Result<AvFrame> {
        let Some(output) = self.output.filter(|o| !o.is_hardware() && picture.is_on_device())
        else {
            return Ok(picture);
        };
        let fetched = picture.download(Some(output)).map_err(|e| e.in_stage(Stage::Decode))?;
        convert(&fetched, output)
    }

    /// What it means that the device can't decode the stream as it is now: the processor goes on, or
    /// nothing does.
    ///
    /// # Errors
    /// Where nothing else will do.
    pub(super) fn cannot(&self, stream: &str, options: &InputOptions) -> Result<()> {
        if self.is_required {
            let why = format!("the device can't decode {stream}");
            return Err(refused(self.decoder.kind.name(), &why));
        }
        say_fallback(options, stream);
        Ok(())
    }
}

/// What a stream is, in the words of an error about its decoder.
pub(super) fn described(stream: &StreamInfo) -> String {
    let (params, codec) = (&stream.params, stream.params.codec().name());
    let (width, height) = (params.width(), params.height());
    match params.profile_name() {
        Some(profile) => format!("{codec} of profile {profile}, {width}x{height}"),
        None => format!("{codec}, {width}x{height}"),
    }
}

/// Those of a codec's decoders on devices that may be used, the first one first.
fn able(by: DecodeBy, name: Option<&str>, all: &[DeviceDecoder]) -> Vec<DeviceDecoder> {
    let may = |decoder: &&DeviceDecoder| match (by, name) {
        (DecodeBy::Processor, _) => false,
        (DecodeBy::Kind(kind), _) if decoder.kind != kind => false,
        (_, Some(name)) => decoder.name == name,
        // As FFmpeg: the kind decides which decoder it is.
        (DecodeBy::Kind(_), None) => true,
        (DecodeBy::Any, None) => decoder.is_usual,
    };
    all.iter().filter(may).copied().collect()
}

/// Refuses pictures in a device's format that isn't the decoder's.
fn check_output(output: Option<PixFmt>, decoder: &DeviceDecoder) -> Result<()> {
    let Some(output) = output.filter(|o| o.is_hardware() && *o != decoder.format) else {
        return Ok(());
    };
    let given = Setting::ffmpeg("hwaccel_output_format").of(End::Input).to(output.name());
    let (kind, own) = (decoder.kind.name(), decoder.format.name());
    let cause = sentence!("{} can't be: pictures on a {} device are {}", &given, kind, own);
    Err(Error::usage(cause).hint(Hint::LeaveOut(given)))
}

fn hwaccel() -> Setting {
    Setting::ffmpeg("hwaccel").of(End::Input)
}

fn refused(kind: &str, why: &str) -> Error {
    let cause = sentence!("{} is not possible: {}", hwaccel().to(kind.to_owned()), why);
    let error = Error::new(ErrorKind::InvalidData, Stage::Decode, cause);
    error.hint(Hint::Use(vec![hwaccel().to("auto")]))
}

fn say_fallback(options: &InputOptions, what: &str) {
    if options.hardware.is_first_fallback() {
        tracing::warn!("no device can decode {what}: the processor does");
    }
}

#[cfg(test)]
pub(super) mod tests;
