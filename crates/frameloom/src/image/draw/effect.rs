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
    for row in grid.chunks_mut(width.max(1)) {
        line.clear();
        line.extend(row.iter().map(|value| u32::from(*value)));
        sliding_mean(&line, reach, |n, mean| row[n] = mean);
    }
}

fn mean_of_columns(grid: &mut [u16], (width, height): (usize, usize), reach: usize) {
    let mut line = Vec::new();
    for x in 0..width {
        line.clear();
        line.extend((0..height).map(|y| u32::from(grid[y * width + x])));
        sliding_mean(&line, reach, |n, mean| grid[n * width + x] = mean);
    }
}

/// The mean of `reach` values on either side of each, as far as they are there.
fn sliding_mean(line: &[u32], reach: usize, mut set: impl FnMut(usize, u16)) {
    let (mut sum, mut begin, mut end) = (0u32, 0, 0);
    for n in 0..line.len() {
        while end < line.len() && end <= n + reach {
            sum += line[end];
            end += 1;
        }
        while begin + reach < n {
            sum -= line[begin];
            begin += 1;
        }
        let count = (end - begin) as u32;
        set(n, ((sum + count / 2) / count) as u16);
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
