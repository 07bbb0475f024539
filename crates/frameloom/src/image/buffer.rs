//! Owned pictures, and the pool their memory comes from and goes back to.

use std::{
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Image, ImageError, ImageMut, PixelFormat, check_packed, checked_frame_bytes};

/// A picture that owns its bytes, without padding. Dropped, it gives them back to the pool it was
/// taken from, if any.
pub struct PixelBuffer {
    format: PixelFormat,
    width: u32,
    height: u32,
    data: Vec<u8>,
    pool: Option<BufferPool>,
}

impl PixelBuffer {
    /// A picture of `width` x `height` pixels, every byte 0, that belongs to no pool.
    ///
    /// # Errors
    ///
    /// [`ImageError`] where the size is empty or too large.
    pub fn new(format: PixelFormat, width: u32, height: u32) -> Result<Self, ImageError> {
        let bytes = checked_frame_bytes(format, width, height)?;
        Ok(Self { format, width, height, data: vec![0; bytes], pool: None })
    }

    /// A picture over bytes that are there already. It belongs to no pool.
    ///
    /// # Errors
    ///
    /// [`ImageError`] where the size is empty or too large, or `data` isn't exactly
    /// [`PixelFormat::frame_bytes`] long.
    pub fn from_vec(
        format: PixelFormat,
        width: u32,
        height: u32,
        data: Vec<u8>,
    ) -> Result<Self, ImageError> {
        check_packed(format, width, height, data.len())?;
        Ok(Self { format, width, height, data, pool: None })
    }

    /// The format of the bytes.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// Pixels across.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Pixels down.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The picture, read-only.
    pub fn image(&self) -> Image<'_> {
        Image::over_packed(self.format, self.width, self.height, &self.data)
    }

    /// The picture, writable.
    pub fn image_mut(&mut self) -> ImageMut<'_> {
        ImageMut::over_packed(self.format, self.width, self.height, &mut self.data)
    }

    /// The whole picture, rows and planes one after the other.
    pub fn as_slice(&self) -> &[u8] {
        &self.data
    }

    /// The whole picture, rows and planes one after the other.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// The bytes themselves, which then don't go back to a pool.
    pub fn into_vec(mut self) -> Vec<u8> {
        self.pool = None;
        mem::take(&mut self.data)
    }
}

impl Drop for PixelBuffer {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.give(mem::take(&mut self.data));
        }
    }
}

impl fmt::Debug for PixelBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PixelBuffer")
            .field("format", &self.format)
            .field("width", &self.width)
            .field("height", &self.height)
            .finish_non_exhaustive()
    }
}

/// Memory for pictures, kept from one frame to the next: fresh memory would cost a page fault and
/// the zeroing of every page, which takes longer than the colour conversion that fills it.
///
/// A clone is the same pool. The pool keeps a bounded number of idle buffers and lends any number.
#[derive(Clone)]
pub struct BufferPool {
    idle: Arc<Mutex<Vec<Vec<u8>>>>,
    max_idle: usize,
}

impl BufferPool {
    /// A pool that keeps at most `max_idle` buffers while nobody uses them. It is empty at first.
    pub fn new(max_idle: usize) -> Self {
        Self { idle: Arc::default(), max_idle }
    }

    /// A picture of `width` x `height` pixels. Its bytes are whatever the last user of that memory
    /// left there, or 0 where it is new.
    ///
    /// # Errors
    ///
    /// [`ImageError`] where the size is empty or too large.
    pub fn take(
        &self,
        format: PixelFormat,
        width: u32,
        height: u32,
    ) -> Result<PixelBuffer, ImageError> {
        let bytes = checked_frame_bytes(format, width, height)?;
        let recycled = {
            let mut idle = self.lock();
            // The last one given back is the likeliest to be in a cache still.
            let found = idle.iter().rposition(|data| data.len() == bytes);
            found.map(|index| idle.remove(index))
        };
        let data = recycled.unwrap_or_else(|| vec![0; bytes]);
        Ok(PixelBuffer { format, width, height, data, pool: Some(self.clone()) })
    }

    /// The number of buffers that wait to be used.
    pub fn idle(&self) -> usize {
        self.lock().len()
    }

    fn give(&self, data: Vec<u8>) {
        let mut idle = self.lock();
        if idle.len() >= self.max_idle {
            // After a change of the picture size the old buffers would block the pool for ever.
            match idle.iter().position(|old| old.len() != data.len()) {
                Some(stale) => drop(idle.remove(stale)),
                None => return,
            }
        }
        idle.push(data);
    }

    /// A thread that panicked while it held the lock has left a list that is still whole.
    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferPool")
            .field("idle", &self.idle())
            .field("max_idle", &self.max_idle)
            .finish()
    }
}
