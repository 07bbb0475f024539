//! Pictures made unrecognisable.

use super::canvas::{Bounds, Canvas};

/// Blurs what lies within some pixels. `radius` is how far, in pixels, a pixel is spread.
pub(super) fn blur(canvas: &mut Canvas<'_>, bounds: Bounds, radius: f64) {
    canvas.change(bounds, |grid, size, shared| {
        // Three means one after the other are close to a Gaussian (Kutskir; W3C Filter Effects).
        let reach = |shared: usize| (radius / shared as f64).round().max(1.0) as usize;
        for _ in 0..3 {
            mean_of_rows(grid, size, reach(shared.0));
            mean_of_columns(grid, size, reach(shared.1));
        }
    });
}

fn mean_of_rows(grid: &mut [u16], (width, _): (usize, usize), reach: usize) {
    let mut line = Vec::new();
    let window = Window::new(width, reach);
    for row in grid.chunks_exact_mut(width.max(1)) {
        line.clear();
        line.extend_from_slice(row);
        let mut sum = window.first(|n| u32::from(line[n]));
        for (n, value) in row.iter_mut().enumerate() {
            *value = window.mean(n, sum);
            sum = window.next(n, sum, |n| u32::from(line[n]));
        }
    }
}

fn mean_of_columns(grid: &mut [u16], (width, height): (usize, usize), reach: usize) {
    let before = grid.to_vec();
    let row = |y: usize| &before[y * width..(y + 1) * width];
    let window = Window::new(height, reach);
    let mut sums = vec![0u32; width];
    for y in 0..height.min(reach + 1) {
        sums.iter_mut().zip(row(y)).for_each(|(sum, value)| *sum += u32::from(*value));
    }
    for (y, out) in grid.chunks_exact_mut(width.max(1)).enumerate() {
        let factor = window.factor(y);
        for (value, sum) in out.iter_mut().zip(&sums) {
            *value = (*sum as f32 * factor + 0.5) as i32 as u16;
        }
        if y + reach + 1 < height {
            let entering = row(y + reach + 1);
            sums.iter_mut().zip(entering).for_each(|(sum, value)| *sum += u32::from(*value));
        }
        if y >= reach {
            let leaving = row(y - reach);
            sums.iter_mut().zip(leaving).for_each(|(sum, value)| *sum -= u32::from(*value));
        }
    }
}

/// The values on either side of one, as far as they are there.
struct Window {
    length: usize,
    reach: usize,
}

impl Window {
    fn new(length: usize, reach: usize) -> Window {
        Window { length, reach }
    }

    /// One by how many values there are round the `n`th.
    #[inline]
    fn factor(&self, n: usize) -> f32 {
        let begin = n.saturating_sub(self.reach);
        let end = (n + self.reach + 1).min(self.length);
        1.0 / (end - begin) as f32
    }

    /// The sum round the first value.
    fn first(&self, value: impl Fn(usize) -> u32) -> u32 {
        (0..self.length.min(self.reach + 1)).map(value).sum()
    }

    #[inline]
    fn mean(&self, n: usize, sum: u32) -> u16 {
        (sum as f32 * self.factor(n) + 0.5) as i32 as u16
    }

    /// The sum round the value behind the `n`th.
    #[inline]
    fn next(&self, n: usize, sum: u32, value: impl Fn(usize) -> u32) -> u32 {
        let entering = n + self.reach + 1;
        let sum = if entering < self.length { sum + value(entering) } else { sum };
        if n >= self.reach { sum - value(n - self.reach) } else { sum }
    }
}

/// Makes blocks of one colour each of what lies within some pixels. `block` is their side in pixels.
pub(super) fn pixelate(canvas: &mut Canvas<'_>, bounds: Bounds, block: f64) {
    canvas.change(bounds, |grid, (width, height), shared| {
        let side = |shared: usize| (block / shared as f64).round().max(1.0) as usize;
        let (across, down) = (side(shared.0), side(shared.1));
        for top in (0..height).step_by(down) {
            for left in (0..width).step_by(across) {
                let (right, bottom) = ((left + across).min(width), (top + down).min(height));
                let places =
                    || (top..bottom).flat_map(|y| (left..right).map(move |x| y * width + x));
                let sum: u64 = places().map(|place| u64::from(grid[place])).sum();
                let count = ((right - left) * (bottom - top)) as u64;
                let mean = ((sum + count / 2) / count) as u16;
                places().for_each(|place| grid[place] = mean);
            }
        }
    });
}
