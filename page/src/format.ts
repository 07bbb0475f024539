// Figures as people read them.

const NONE = "–";

function scaled(value: number, step: number, units: string[]): string {
  let unit = 0;
  while (value >= step && unit < units.length - 1) {
    value /= step;
    unit += 1;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Bits a second. */
export const bitRate = (bits: number | null | undefined): string =>
  bits == null ? NONE : scaled(bits, 1000, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"]);

export const bytes = (count: number | null | undefined): string =>
  count == null ? NONE : scaled(count, 1024, ["B", "KiB", "MiB", "GiB"]);

export const milliseconds = (ms: number | null | undefined): string =>
  ms == null ? NONE : ms < 10 ? `${ms.toFixed(1)} ms` : ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;

export const rate = (fps: number | null | undefined): string => (fps == null ? NONE : fps.toFixed(1));

export const count = (number: number | null | undefined): string =>
  number == null ? NONE : number.toLocaleString("en");

export const percent = (value: number | null | undefined): string =>
  value == null ? NONE : `${Math.round(value)} %`;

/** A span of time, in its two largest units. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  if (minutes) return `${minutes} min ${seconds % 60} s`;
  return `${seconds} s`;
}

/** The time of day of a moment. */
export const timeOfDay = (ms: number): string => new Date(ms).toLocaleTimeString("en-GB");

/** A text as a sentence: a capital first, a full stop last. */
export const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

/** "a", "a and b", "a, b and c". */
export function list(items: string[], joint: "and" | "or"): string {
  const last = items.at(-1) ?? "";
  return items.length < 2 ? last : `${items.slice(0, -1).join(", ")} ${joint} ${last}`;
}

/** A value within a sentence; a long one is cut. */
export const quote = (text: string): string => `“${text.length > 60 ? `${text.slice(0, 60)}…` : text}”`;
