// Reads a live FLV over HTTP for mpegts.js, and notes the stream's own clock on the way: mpegts.js
// counts from the first picture, and tells nobody from where.

import mpegts from "mpegts.js";
import { credentials } from "./api";

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

/** A loader that shows every byte to `clock`. */
export function loaderFor(clock: FirstTimestamp) {
  return class extends mpegts.BaseLoader {
    private over = new AbortController();
    private received = 0;

    constructor() {
      super("fetch-live-flv");
      this._needStash = true;
    }

    override open(source: { url: string }): void {
      this._status = mpegts.LoaderStatus.kConnecting;
      void this.read(source.url);
    }

    override abort(): void {
      this.over.abort();
      this._status = mpegts.LoaderStatus.kComplete;
    }

    override destroy(): void {
      this.abort();
      super.destroy();
    }

    private async read(url: string): Promise<void> {
      const { OK: _, HTTP_STATUS_CODE_INVALID, EXCEPTION } = mpegts.LoaderErrors;
      try {
        const response = await fetch(url, {
          headers: credentials(),
          cache: "no-store",
          signal: this.over.signal,
        });
        if (!response.ok || !response.body) {
          this.fail(HTTP_STATUS_CODE_INVALID, response.status, (await response.text()).trim());
          return;
        }
        this._status = mpegts.LoaderStatus.kBuffering;
        const reader = response.body.getReader();
        for (;;) {
          const { done, value } = await reader.read();
          if (this.over.signal.aborted) return;
          if (done) break;
          clock.push(value);
          const from = this.received;
          this.received += value.length;
          this.onDataArrival(value.slice().buffer, from, this.received);
        }
        this._status = mpegts.LoaderStatus.kComplete;
        this.onComplete(0, this.received - 1);
      } catch (error) {
        if (!this.over.signal.aborted) this.fail(EXCEPTION, -1, String(error));
      }
    }

    private fail(kind: typeof mpegts.LoaderErrors.EXCEPTION | typeof mpegts.LoaderErrors.HTTP_STATUS_CODE_INVALID, code: number, msg: string): void {
      this._status = mpegts.LoaderStatus.kError;
      this.onError(kind as never, { code, msg });
    }
  };
}
