//! Devices that decode, encode and filter, and the pictures that they hold.

use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use ffmpeg_sys_next as ff;

use super::names::list_until;
use super::{AvError, AvFrame, CodecId, Dict, PixFmt, c_string, listing, text};

/// A kind of device, such as `vaapi`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeviceKind(ff::AVHWDeviceType);

impl DeviceKind {
    /// By FFmpeg's name for it, whether this build of libav has it or not.
    pub(crate) fn named(name: &str) -> Option<DeviceKind> {
        // SAFETY: looks up a static table; the string is NUL-terminated.
        let kind = unsafe { ff::av_hwdevice_find_type_by_name(c_string(name).as_ptr()) };
        (kind != ff::AVHWDeviceType::AV_HWDEVICE_TYPE_NONE).then_some(DeviceKind(kind))
    }

    pub(crate) fn name(self) -> &'static str {
        // SAFETY: looks up a static table, whose names are static.
        unsafe { text(ff::av_hwdevice_get_type_name(self.0)) }
    }

    /// Whether this build of libav has it.
    pub(crate) fn is_built(self) -> bool {
        listing::device_types().contains(&self.name())
    }
}

impl fmt::Debug for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An open device.
pub(crate) struct Device(Reference);

impl Device {
    /// Opens one. Without a name it is the kind's usual one.
    pub(crate) fn open(
        kind: DeviceKind,
        name: Option<&str>,
        options: &[(String, String)],
    ) -> Result<Device, AvError> {
        super::init();
        let options = options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut options = Dict::from_pairs(options);
        let name = name.map(c_string);
        let name = name.as_ref().map_or(ptr::null(), |name| name.as_ptr());
        let mut device = ptr::null_mut();
        // SAFETY: the strings are NUL-terminated and outlive the call, which only reads the options;
        // where it succeeds, the reference is ours.
        let status = unsafe {
            ff::av_hwdevice_ctx_create(&mut device, kind.0, name, *options.as_mut_ptr(), 0)
        };
        AvError::check(status)?;
        Ok(Device(Reference(device)))
    }

    /// The same device as another kind of them sees it.
    pub(crate) fn derive(kind: DeviceKind, from: &Device) -> Result<Device, AvError> {
        let mut device = ptr::null_mut();
        // SAFETY: a valid device, of which libav takes a reference of its own; where it succeeds, the
        // new reference is ours.
        let status =
            unsafe { ff::av_hwdevice_ctx_create_derived(&mut device, kind.0, from.0.0, 0) };
        AvError::check(status)?;
        Ok(Device(Reference(device)))
    }

    /// The pixel formats that its pictures can have; empty where it doesn't say.
    pub(crate) fn contents(&self) -> Vec<PixFmt> {
        // SAFETY: a valid device; what is returned is null or ours to free, and its list is null or
        // ends with NONE.
        unsafe {
            let mut limits = ff::av_hwdevice_get_hwframe_constraints(self.0.0, ptr::null());
            let Some(known) = limits.as_ref() else { return Vec::new() };
            let formats = formats_at(known.valid_sw_formats);
            ff::av_hwframe_constraints_free(&mut limits);
            formats
        }
    }

    /// A reference for a structure of libav that frees it.
    pub(super) fn reference(&self) -> Result<*mut ff::AVBufferRef, AvError> {
        self.0.another()
    }
}

/// How many pictures a device holds that makes room for no more.
const FIXED_POOL: libc::c_int = 32;

/// Room for pictures on a device, all of one format and size.
pub(crate) struct Surfaces(Reference);

impl Surfaces {
    /// Of a pixel format that is the device's own, and of that of what it holds in it.
    pub(crate) fn new(
        device: &Device,
        formats: (PixFmt, PixFmt),
        size: (u32, u32),
    ) -> Result<Surfaces, AvError> {
        Surfaces::on(&device.0, formats, size)
    }

    /// Others on the same device, of the same format.
    pub(crate) fn beside(&self, size: (u32, u32)) -> Result<Surfaces, AvError> {
        let (format, contents) = self.formats();
        // SAFETY: a field of a valid structure, which is a valid reference.
        let device = unsafe { ff::av_buffer_ref(self.context().device_ref) };
        if device.is_null() {
            return Err(AvError::no_memory());
        }
        Surfaces::on(&Reference(device), (PixFmt(format), PixFmt(contents)), size)
    }

    fn on(
        device: &Reference,
        (format, contents): (PixFmt, PixFmt),
        (width, height): (u32, u32),
    ) -> Result<Surfaces, AvError> {
        let side = |n: u32| libc::c_int::try_from(n).map_err(|_| AvError::errno(libc::EINVAL));
        // SAFETY: a valid device; null is checked. The structure is filled in before it is
        // initialized, as the function wants.
        unsafe {
            let frames = ff::av_hwframe_ctx_alloc(device.0);
            if frames.is_null() {
                return Err(AvError::no_memory());
            }
            let this = Surfaces(Reference(frames));
            let context = &mut *(*frames).data.cast::<ff::AVHWFramesContext>();
            (context.format, context.sw_format) = (format.0, contents.0);
            (context.width, context.height) = (side(width)?, side(height)?);
            if context.format == ff::AVPixelFormat::AV_PIX_FMT_QSV {
                context.initial_pool_size = FIXED_POOL;
            }
            AvError::check(ff::av_hwframe_ctx_init(frames))?;
            Ok(this)
        }
    }

    /// Those that a picture is one of; `None` for one in memory.
    pub(crate) fn of(picture: &AvFrame) -> Option<Surfaces> {
        // SAFETY: a valid frame, whose field is null or a valid reference.
        let frames = unsafe { (*picture.as_ptr()).hw_frames_ctx };
        if frames.is_null() {
            return None;
        }
        // SAFETY: a valid reference; null is checked.
        let frames = unsafe { ff::av_buffer_ref(frames) };
        (!frames.is_null()).then_some(Surfaces(Reference(frames)))
    }

    fn context(&self) -> &ff::AVHWFramesContext {
        // SAFETY: such a reference's data is this structure.
        unsafe { &*(*self.0.0).data.cast::<ff::AVHWFramesContext>() }
    }

    pub(super) fn formats(&self) -> (ff::AVPixelFormat, ff::AVPixelFormat) {
        (self.context().format, self.context().sw_format)
    }

    /// Puts a picture of their size and contents on the device.
    pub(crate) fn upload(&self, picture: &AvFrame) -> Result<AvFrame, AvError> {
        let mut surface = AvFrame::empty()?;
        // SAFETY: valid frames and surfaces; the new one is blank.
        unsafe {
            AvError::check(ff::av_hwframe_get_buffer(self.0.0, surface.as_mut_ptr(), 0))?;
            AvError::check(ff::av_hwframe_transfer_data(
                surface.as_mut_ptr(),
                picture.as_ptr(),
                0,
            ))?;
        }
        surface.copy_props(picture)?;
        surface.hold(picture.share()?)?;
        Ok(surface)
    }

    /// A reference for a structure of libav that frees it.
    pub(super) fn reference(&self) -> Result<*mut ff::AVBufferRef, AvError> {
        self.0.another()
    }
}

/// One of the references to something of libav's that counts them.
struct Reference(*mut ff::AVBufferRef);

impl Reference {
    fn another(&self) -> Result<*mut ff::AVBufferRef, AvError> {
        // SAFETY: a valid reference; null is checked.
        let another = unsafe { ff::av_buffer_ref(self.0) };
        if another.is_null() { Err(AvError::no_memory()) } else { Ok(another) }
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // SAFETY: gives back the reference that is ours.
        unsafe { ff::av_buffer_unref(&mut self.0) };
    }
}

// SAFETY: counts are atomic, and libav locks what its devices share between threads.
unsafe impl Send for Reference {}
// SAFETY: nothing behind &self is changed but such counts.
unsafe impl Sync for Reference {}

impl AvFrame {
    /// Whether a device holds the picture, and memory doesn't.
    pub(crate) fn is_on_device(&self) -> bool {
        // SAFETY: a valid frame.
        unsafe { !(*self.as_ptr()).hw_frames_ctx.is_null() }
    }

    /// What tells pictures of different surfaces apart; 0 for those in memory.
    pub(crate) fn surfaces_id(&self) -> usize {
        // SAFETY: a valid frame, whose field is null or a valid reference.
        unsafe { (*self.as_ptr()).hw_frames_ctx.as_ref() }.map_or(0, |frames| frames.data as usize)
    }

    /// Whether what put it on its device may still be at work, and read memory that was given back: it is so
    /// with FFmpeg's Vulkan before 8.0. Fetching the picture waits for it.
    pub(crate) fn may_be_unfinished(&self) -> bool {
        cfg!(not(ffmpeg_8_0)) && self.format().is_some_and(|format| format.name() == "vulkan")
    }

    /// Keeps another frame for as long as there is this one: what copies it may still be at work.
    fn hold(&mut self, other: AvFrame) -> Result<(), AvError> {
        let held = Box::into_raw(Box::new(other));
        let size = std::mem::size_of::<AvFrame>();
        // SAFETY: the box is given away to the reference, which gives it back to `let_go` once, or is taken
        // back here where there is none; the frame frees the reference that it had, and later this one.
        unsafe {
            let reference = ff::av_buffer_create(held.cast(), size, Some(let_go), held.cast(), 0);
            if reference.is_null() {
                drop(Box::from_raw(held));
                return Err(AvError::no_memory());
            }
            let frame = &mut *self.as_mut_ptr();
            ff::av_buffer_unref(&mut frame.opaque_ref);
            frame.opaque_ref = reference;
        }
        Ok(())
    }

    /// The pixel format of what it holds, in memory or on a device.
    pub(crate) fn contents(&self) -> Option<PixFmt> {
        // SAFETY: a valid frame, whose field is null or a valid reference with this structure behind it.
        let surfaces = unsafe {
            let frames = (*self.as_ptr()).hw_frames_ctx.as_ref();
            frames.and_then(|frames| frames.data.cast::<ff::AVHWFramesContext>().as_ref())
        };
        surfaces.map_or_else(|| self.format(), |surfaces| Some(PixFmt(surfaces.sw_format)))
    }

    /// A copy in memory of a picture on a device: in `format` where the device gives it so, else in that of
    /// its contents, else as the device gives it.
    pub(crate) fn download(&self, format: Option<PixFmt>) -> Result<AvFrame, AvError> {
        let mut copy = AvFrame::empty()?;
        let given = self.download_formats();
        let wanted = format.into_iter().chain(self.contents()).find(|f| given.contains(f));
        // SAFETY: valid frames, of which the new one is blank but for the format that it is to have;
        // without one libav takes the device's first.
        unsafe {
            if let Some(wanted) = wanted {
                (*copy.as_mut_ptr()).format = wanted.raw();
            }
            AvError::check(ff::av_hwframe_transfer_data(copy.as_mut_ptr(), self.as_ptr(), 0))?;
        }
        copy.copy_props(self)?;
        // SAFETY: a valid frame. What it was copied from need not be held any more. Of pictures on a device, decoders cut off right and bottom alone.
        unsafe {
            ff::av_buffer_unref(&mut (*copy.as_mut_ptr()).opaque_ref);
            let f = &*copy.as_ptr();
            if f.crop_left > 0 || f.crop_top > 0 {
                let flags = ff::AV_FRAME_CROP_UNALIGNED as libc::c_int;
                AvError::check(ff::av_frame_apply_cropping(copy.as_mut_ptr(), flags))?;
            }
        }
        Ok(copy)
    }

    fn download_formats(&self) -> Vec<PixFmt> {
        let mut formats = ptr::null_mut();
        let from = ff::AVHWFrameTransferDirection::AV_HWFRAME_TRANSFER_DIRECTION_FROM;
        // SAFETY: a valid frame on a device; where it succeeds, the list ends with NONE and is ours to
        // free.
        unsafe {
            let surfaces = (*self.as_ptr()).hw_frames_ctx;
            if surfaces.is_null()
                || ff::av_hwframe_transfer_get_formats(surfaces, from, &mut formats, 0) < 0
            {
                return Vec::new();
            }
            let list = formats_at(formats);
            ff::av_free(formats.cast());
            list
        }
    }
}

/// Frees a frame that another one held.
unsafe extern "C" fn let_go(held: *mut libc::c_void, _data: *mut u8) {
    // SAFETY: the box that was given away with the reference, whose last owner calls this once.
    drop(unsafe { Box::from_raw(held.cast::<AvFrame>()) });
}

/// A list of libav's that ends with NONE.
///
/// # Safety
/// `list` is null or points to such a list.
unsafe fn formats_at(list: *const ff::AVPixelFormat) -> Vec<PixFmt> {
    // SAFETY: this function's contract.
    let formats = unsafe { list_until(list, ff::AVPixelFormat::AV_PIX_FMT_NONE) };
    formats.into_iter().map(PixFmt).collect()
}

/// A decoder that leaves its pictures on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceDecoder {
    /// As it is found by name.
    pub(crate) name: &'static str,
    pub(crate) kind: DeviceKind,
    /// That of its pictures.
    pub(crate) format: PixFmt,
    /// It is the one that libav takes where none is named.
    pub(crate) is_usual: bool,
}

/// The decoders of a codec that leave their pictures on a device, in libav's order.
pub(crate) fn device_decoders(codec: CodecId) -> Vec<DeviceDecoder> {
    let mut found = Vec::new();
    let mut at = ptr::null_mut();
    // SAFETY: walks libav's static tables, which end with null.
    unsafe {
        let usual = ff::avcodec_find_decoder(codec.0);
        while let Some(decoder) = ff::av_codec_iterate(&mut at).as_ref() {
            if decoder.id != codec.0 || ff::av_codec_is_decoder(decoder) == 0 {
                continue;
            }
            let is_usual = ptr::eq(decoder, usual);
            let ways = ways(decoder).filter(|way| way.takes_device && way.format.is_hardware());
            found.extend(ways.filter_map(|DeviceWay { kind, format, .. }| {
                Some(DeviceDecoder { name: text(decoder.name), kind: kind?, format, is_usual })
            }));
        }
    }
    found
}

/// A way in which a codec works with devices.
struct DeviceWay {
    kind: Option<DeviceKind>,
    format: PixFmt,
    /// It is given a device.
    takes_device: bool,
    /// It is given surfaces.
    takes_surfaces: bool,
}

fn ways(codec: &ff::AVCodec) -> impl Iterator<Item = DeviceWay> {
    (0..).map_while(move |n| {
        // SAFETY: a static codec; what is returned is null or static.
        let way = unsafe { ff::avcodec_get_hw_config(codec, n).as_ref() }?;
        let has = |method: libc::c_int| way.methods & method != 0;
        let device = ff::AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX as libc::c_int;
        let surfaces = ff::AV_CODEC_HW_CONFIG_METHOD_HW_FRAMES_CTX as libc::c_int;
        let is_kind = way.device_type != ff::AVHWDeviceType::AV_HWDEVICE_TYPE_NONE;
        Some(DeviceWay {
            kind: is_kind.then_some(DeviceKind(way.device_type)),
            format: PixFmt(way.pix_fmt),
            takes_device: has(device),
            takes_surfaces: has(surfaces),
        })
    })
}

/// The kind of device whose pictures an encoder takes, and their format.
pub(super) fn surfaces_for(encoder: &ff::AVCodec) -> Option<(DeviceKind, PixFmt)> {
    let mut ways = ways(encoder).filter(|way| way.takes_surfaces);
    ways.find_map(|way| Some((way.kind?, way.format)))
}

/// The kind of device that an encoder may be told to encode on, though its pictures are in memory.
pub(super) fn device_for(encoder: &ff::AVCodec) -> Option<DeviceKind> {
    ways(encoder).filter(|way| way.takes_device).find_map(|way| way.kind)
}

/// A decoder's device, and whether it must be had.
#[derive(Clone, Copy)]
pub(crate) struct DecodeOn<'a> {
    pub(crate) device: &'a Device,
    /// That of its pictures.
    pub(crate) format: PixFmt,
    /// Nothing else will do: what the device can't decode is an error.
    pub(crate) is_required: bool,
}

/// What a decoder is to answer when libav asks for a pixel format.
pub(super) struct FormatChoice {
    format: ff::AVPixelFormat,
    is_required: bool,
    /// It couldn't be had.
    is_missing: AtomicBool,
}

impl FormatChoice {
    /// Tells a decoder that isn't open yet. The choice must outlive it.
    pub(super) fn tell(
        context: &mut ff::AVCodecContext,
        on: &DecodeOn<'_>,
    ) -> Result<Box<FormatChoice>, AvError> {
        let choice = Box::new(FormatChoice {
            format: on.format.0,
            is_required: on.is_required,
            is_missing: AtomicBool::new(false),
        });
        context.hw_device_ctx = on.device.reference()?;
        context.opaque = (&raw const *choice).cast_mut().cast();
        context.get_format = Some(choose_format);
        Ok(choice)
    }

    /// Whether the device can't decode the stream as it is now.
    pub(super) fn is_missing(&self) -> bool {
        self.is_missing.load(Ordering::Relaxed)
    }
}

/// Chooses the device's format where libav still offers it: it doesn't where the device can't decode the
/// stream, and asks again without it where that shows later.
unsafe extern "C" fn choose_format(
    context: *mut ff::AVCodecContext,
    formats: *const ff::AVPixelFormat,
) -> ff::AVPixelFormat {
    // SAFETY: libav's own context, in which the choice was put that outlives it; it may have been
    // copied for another thread, and what it points to is only read, or atomic. The list ends with NONE.
    unsafe {
        let choice = &*(*context).opaque.cast_const().cast::<FormatChoice>();
        let offered = list_until(formats, ff::AVPixelFormat::AV_PIX_FMT_NONE);
        if offered.contains(&choice.format) {
            return choice.format;
        }
        choice.is_missing.store(true, Ordering::Relaxed);
        match choice.is_required {
            true => ff::AVPixelFormat::AV_PIX_FMT_NONE,
            false => ff::avcodec_default_get_format(context, formats),
        }
    }
}

/// Whether the system finds a library of this name.
pub(crate) fn has_library(name: &str) -> bool {
    // SAFETY: the string is NUL-terminated; what is loaded is a driver that libav would load next, and
    // is let go of at once.
    unsafe {
        let library = libc::dlopen(c_string(name).as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL);
        if !library.is_null() {
            libc::dlclose(library);
        }
        !library.is_null()
    }
}
