//! libav's own messages: to `tracing` under the target `libav`, never with a secret in them.

use std::cell::{Cell, RefCell};
use std::sync::Once;
use std::sync::atomic::{AtomicI32, Ordering};

use ffmpeg_sys_next as ff;

/// How much of libav's own messages are passed on, by FFmpeg's `-loglevel` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
#[non_exhaustive]
pub enum LogLevel {
    /// Nothing.
    Quiet = -8,
    /// What libav calls an error.
    Error = 16,
    /// Warnings too.
    Warning = 24,
    /// What FFmpeg shows by default.
    Info = 32,
    /// Details.
    Verbose = 40,
    /// For debugging.
    Debug = 48,
    /// Everything.
    Trace = 56,
}

static LEVEL: AtomicI32 = AtomicI32::new(LogLevel::Quiet as i32);

thread_local! {
    static LAST_ERROR: RefCell<Option<String>> = const { RefCell::new(None) };
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
    static IS_SILENT: Cell<bool> = const { Cell::new(false) };
    /// What is said meanwhile, where it is collected.
    static COLLECTED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Whether libav's messages come to us: its callback takes a C argument list, whose type the
/// bindings have for this platform.
const CAUGHT: bool = cfg!(all(target_arch = "x86_64", not(windows)));

/// Sets how much of libav's own messages reaches `tracing` (target `libav`); nothing by default.
pub fn set_level(level: LogLevel) {
    LEVEL.store(level as i32, Ordering::Relaxed);
    init();
    // Where its messages can't be caught, and so not redacted, libav stays silent.
    let level =
        if CAUGHT { (level as i32).max(LogLevel::Error as i32) } else { LogLevel::Quiet as i32 };
    // SAFETY: sets one integer.
    unsafe { ff::av_log_set_level(level) };
}

/// The last error that libav logged on this thread since the last call.
pub(super) fn take_last_error() -> Option<String> {
    LAST_ERROR.with(|last| last.borrow_mut().take())
}

/// Does something of which libav's messages are not wanted.
pub(crate) fn silently<T>(work: impl FnOnce() -> T) -> T {
    IS_SILENT.set(true);
    let done = work();
    IS_SILENT.set(false);
    done
}

/// What libav says in the course of `work`, up to what FFmpeg shows by default, with its line ends. Where
/// its messages can't be caught they go to stderr as they are.
pub(super) fn said_during(work: impl FnOnce()) -> String {
    init();
    COLLECTED.with_borrow_mut(|said| *said = Some(String::new()));
    let set_level = |level: LogLevel| {
        if !CAUGHT {
            // SAFETY: sets one integer.
            unsafe { ff::av_log_set_level(level as i32) };
        }
    };
    set_level(LogLevel::Info);
    work();
    set_level(LogLevel::Quiet);
    COLLECTED.take().unwrap_or_default()
}

/// Prepares libav once: devices, network, and where its messages go.
pub(crate) fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: registering devices and initialising the network layer take no arguments and are
        // done once; the callback has the type libav declares and lives for ever.
        unsafe {
            ff::avdevice_register_all();
            ff::avformat_network_init();
            #[cfg(all(target_arch = "x86_64", not(windows)))]
            ff::av_log_set_callback(Some(receive));
            let level = LEVEL.load(Ordering::Relaxed).max(LogLevel::Error as i32);
            ff::av_log_set_level(if CAUGHT { level } else { LogLevel::Quiet as i32 });
        }
    });
}

#[cfg(all(target_arch = "x86_64", not(windows)))]
unsafe extern "C" fn receive(
    from: *mut libc::c_void,
    level: libc::c_int,
    format: *const libc::c_char,
    arguments: *mut ff::__va_list_tag,
) {
    // A thread that shuts down has no such mark.
    let is_silent = IS_SILENT.try_with(Cell::get).unwrap_or(false);
    let collects = COLLECTED.try_with(|said| said.try_borrow().is_ok_and(|said| said.is_some()));
    let is_collected = collects.unwrap_or(false) && level <= LogLevel::Info as i32;
    // SAFETY: reads one integer.
    if is_silent || !is_collected && level > unsafe { ff::av_log_get_level() } {
        return;
    }
    let mut text = [0u8; 1024];
    let mut prefix: libc::c_int = 0;
    // SAFETY: libav passes these arguments to its callback for exactly this call; the buffer is
    // writable and its true size is passed, and libav ends what it writes with a NUL.
    unsafe {
        let size = text.len() as libc::c_int;
        ff::av_log_format_line2(
            from,
            level,
            format,
            arguments,
            text.as_mut_ptr().cast(),
            size,
            &mut prefix,
        );
    }
    let end = text.iter().position(|&b| b == 0).unwrap_or(text.len());
    let piece = String::from_utf8_lossy(&text[..end]);
    if !is_collected {
        return pass_on(level, &piece);
    }
    let collect = |said: &RefCell<Option<String>>| {
        if let Ok(mut said) = said.try_borrow_mut() {
            said.get_or_insert_default().push_str(&piece);
        }
    };
    // A thread that shuts down collects nothing.
    let _ = COLLECTED.try_with(collect);
}

/// Joins what libav writes in pieces, and passes on whole lines.
fn pass_on(level: i32, piece: &str) {
    // A message logged while this thread is shutting down has nowhere to go.
    let _ = LINE.try_with(|line| {
        let Ok(mut line) = line.try_borrow_mut() else { return };
        line.push_str(piece);
        if !piece.ends_with('\n') && line.len() < 4096 {
            return;
        }
        let text = crate::url::redact::text(line.trim());
        line.clear();
        if text.is_empty() {
            return;
        }
        if level <= LogLevel::Error as i32 {
            // "[libx264 @ 0x55...] " says where in memory, which helps nobody.
            let bare = text
                .strip_prefix('[')
                .and_then(|t| t.split_once("] "))
                .map_or(text.as_str(), |(_, m)| m);
            let _ = LAST_ERROR.try_with(|last| *last.borrow_mut() = Some(bare.to_owned()));
        }
        if level > LEVEL.load(Ordering::Relaxed) {
            return;
        }
        match level {
            ..=16 => tracing::error!(target: "libav", "{text}"),
            17..=24 => tracing::warn!(target: "libav", "{text}"),
            25..=32 => tracing::info!(target: "libav", "{text}"),
            33..=40 => tracing::debug!(target: "libav", "{text}"),
            41..=48 => tracing::debug!(target: "libav::debug", "{text}"),
            _ => tracing::trace!(target: "libav", "{text}"),
        }
    });
}
