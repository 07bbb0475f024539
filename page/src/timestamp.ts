// The clock of a live FLV: mpegts.js counts from the first picture, and tells nobody from where.

const AUDIO = 8;
const VIDEO = 9;
const FILE_HEADER = 9;
const TAG_HEADER = 11;
const SIZE_OF_PREVIOUS = 4;

/** Finds the timestamp of the first picture or sound in an FLV, in milliseconds. */
export class FirstTimestamp {
  /** Once it is known. */
  value: number | null = null;
  private rest: Uint8Array | null = new Uint8Array(0);

  push(bytes: Uint8Array): void {
    if (!this.rest) return;
    const all = new Uint8Array(this.rest.length + bytes.length);
    all.set(this.rest);
    all.set(bytes, this.rest.length);
    let at = FILE_HEADER + SIZE_OF_PREVIOUS;
    const view = new DataView(all.buffer);
    while (at + TAG_HEADER + 2 <= all.length) {
      const kind = view.getUint8(at) & 0x1f;
      const size = view.getUint32(at) & 0xffffff;
      const timestamp = (view.getUint32(at + 4) >>> 8) | (view.getUint8(at + 7) << 24);
      if (size >= 2 && isMedia(kind, view.getUint8(at + TAG_HEADER), view.getUint8(at + TAG_HEADER + 1))) {
        this.value = timestamp >>> 0;
        this.rest = null;
        return;
      }
      at += TAG_HEADER + size + SIZE_OF_PREVIOUS;
    }
    this.rest = all;
  }
}

/** Whether a tag has a picture or sound in it, and not what decoders need before. */
function isMedia(kind: number, first: number, second: number): boolean {
  if (kind === AUDIO) {
    const format = first >> 4;
    if (format === 9) return (first & 0x0f) === 1; // Enhanced RTMP: coded frames
    return format !== 10 || second === 1; // AAC
  }
  if (kind !== VIDEO) return false;
  if (first & 0x80) return (first & 0x0f) === 1 || (first & 0x0f) === 3; // Enhanced RTMP
  return (first & 0x0f) !== 7 || second === 1; // H.264
}
