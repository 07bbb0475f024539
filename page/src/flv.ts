// Reads a live FLV over HTTP for mpegts.js, and notes the stream's own clock on the way.

import mpegts from "mpegts.js";
import { credentials } from "./api";
import type { FirstTimestamp } from "./timestamp";

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
