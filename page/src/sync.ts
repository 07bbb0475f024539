// Two players that show the same moment: the output a little behind the live edge, and the input at
// the picture that the output was made of.

import type { Player } from "./player";

const LOOK_MS = 200;
/** How far behind the newest picture the output is shown: enough for an uneven network. */
const BEHIND_MS = 600;
const MOST_BEHIND_MS = 3_000;
/** Differences below are not seen, and above are leapt over. */
const GOOD_MS = 25;
const LEAP_MS = 1_500;
/** How much faster or slower than life; more is heard. */
const MOST_RATE = 0.1;

export interface Sync {
  /** How far the output is behind its newest picture. */
  behindMs: number | null;
  /** By how much the input's picture is ahead of the output's; `null` where nobody knows. */
  apartMs: number | null;
}

/**
 * Keeps both together until `signal` is aborted, as soon as they are there. `offset` is the
 * pipeline's `input_offset_ms`.
 */
export function keepTogether(
  players: { input: () => Player | null; output: () => Player | null },
  offset: () => number | null,
  tell: (sync: Sync) => void,
  signal: AbortSignal,
): void {
  let behind = BEHIND_MS;
  const stalled = ({ target }: Event): void => {
    // To wait at the beginning is no sign of an uneven network.
    if ((target as HTMLVideoElement).currentTime < 3) return;
    behind = Math.min(behind * 1.4, MOST_BEHIND_MS);
  };
  const heard = new WeakSet<Player>();
  const hear = (player: Player | null): void => {
    if (!player || heard.has(player)) return;
    heard.add(player);
    player.video.addEventListener("waiting", stalled, { signal });
  };

  const look = (): void => {
    const [input, output] = [players.input(), players.output()];
    hear(input);
    hear(output);
    const edge = output?.edge() ?? null;
    if (output && edge != null) steer(output, edge - behind);
    if (input) {
      const newest = input.edge();
      const shown = output?.position() ?? null;
      const shift = offset();
      const same = shown != null && shift != null ? shown - shift : null;
      // Without an output that tells, the input is as far behind as the output would be.
      if (newest != null) steer(input, same != null && same < newest ? same : newest - behind);
    }
    const shown = output?.position() ?? null;
    tell({
      behindMs: edge != null && shown != null ? edge - shown : null,
      apartMs: apart(input, output, offset()),
    });
  };
  const timer = setInterval(look, LOOK_MS);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}

function steer(player: Player, target: number): void {
  const at = player.position();
  if (at == null || player.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
  const late = target - at;
  if (Math.abs(late) > LEAP_MS) {
    player.seek(target);
    return;
  }
  const rate = Math.abs(late) < GOOD_MS ? 1 : 1 + Math.max(-MOST_RATE, Math.min(MOST_RATE, late / 1000));
  if (player.video.playbackRate !== rate) player.video.playbackRate = rate;
}

/** By what was on the screen last, and when. */
function apart(input: Player | null, output: Player | null, offset: number | null): number | null {
  if (!input?.shown || !output?.shown || offset == null) return null;
  const since = output.shown.atMs - input.shown.atMs;
  if (Math.abs(since) > 1000) return null;
  return input.shown.timestampMs + since + offset - output.shown.timestampMs;
}
