// One stream in one <video>, opened again for as long as somebody looks at it.

import mpegts from "mpegts.js";
import { h, say } from "./dom";
import { loaderFor } from "./flv";
import { pause, untilSeen, whenHiddenFor } from "./signal";
import { FirstTimestamp } from "./timestamp";

// What goes wrong is told on the page.
mpegts.LoggingControl.enableAll = false;

const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 4_000;
/** A picture that stands for so long is a stream to open again. */
const STUCK_MS = 8_000;
/** What nobody sees or hears is not played for longer than this. */
const UNSEEN_MS = 20_000;

const PLAY_KEY = "frameloom-play-key";

/** A moment that was on the screen. */
interface Shown {
  /** On the stream's own clock. */
  timestampMs: number;
  /** On the page's clock, `performance.now()`. */
  atMs: number;
}

export class Player {
  readonly video = h("video", { playsinline: true, muted: true });
  readonly element: HTMLElement;
  /** The last picture. */
  shown: Shown | null = null;

  private readonly note = h("p", { class: "note", role: "status" });
  private engine: mpegts.Player | null = null;
  private clock = new FirstTimestamp();

  /** Plays `url` whenever `isThere` says that it can be, until `signal` is aborted. */
  constructor(
    what: string,
    private readonly url: string,
    private readonly isThere: () => Promise<boolean>,
    private readonly signal: AbortSignal,
  ) {
    this.video.muted = true;
    this.video.setAttribute("aria-label", `${what}, live`);
    this.element = h("div", { class: "screen" }, this.video, this.note);
    this.note.textContent = "Waiting for the stream …";
    this.watchPictures();
    void this.play();
  }

  /** Where the stream's clock stands in the picture that is shown, in milliseconds. */
  position(): number | null {
    const base = this.clock.value;
    return base == null || !this.engine ? null : base + this.video.currentTime * 1000;
  }

  /** The same of the newest picture that is here. */
  edge(): number | null {
    const { buffered } = this.video;
    const base = this.clock.value;
    return base == null || buffered.length === 0 ? null : base + buffered.end(buffered.length - 1) * 1000;
  }

  /** Leaps to a moment, where it is here. */
  seek(timestampMs: number): void {
    const seconds = (timestampMs - (this.clock.value ?? 0)) / 1000;
    const { buffered } = this.video;
    const last = buffered.length - 1;
    if (last >= 0 && seconds >= buffered.start(last) && seconds < buffered.end(last)) this.video.currentTime = seconds;
  }

  private async play(): Promise<void> {
    let wait = FIRST_WAIT_MS;
    while (!this.signal.aborted) {
      await untilSeen(this.signal);
      if (await this.isThere().catch(() => false)) {
        const begun = performance.now();
        const told = await this.playOnce();
        if (this.signal.aborted) return;
        // Whatever it was, it did play.
        if (performance.now() - begun > 5000) wait = FIRST_WAIT_MS;
        this.tell(told);
      } else {
        this.tell("Waiting for the stream …");
      }
      await pause(wait, this.signal);
      wait = Math.min(wait * 1.6, LONGEST_WAIT_MS);
    }
  }

  /** Plays to the end; says why it is one. */
  private async playOnce(): Promise<string> {
    if (!mpegts.getFeatureList().mseLivePlayback) return "This browser can't play live streams here.";
    const over = new AbortController();
    const leave = (): void => over.abort();
    this.signal.addEventListener("abort", leave, { once: true });
    this.clock = new FirstTimestamp();
    const url = new URL(this.url, location.href);
    const key = sessionStorage.getItem(PLAY_KEY);
    if (key) url.searchParams.set("key", key);
    const engine = mpegts.createPlayer(
      { type: "flv", isLive: true, url: url.href },
      {
        customLoader: loaderFor(this.clock),
        enableStashBuffer: false,
        lazyLoad: false,
        deferLoadAfterSourceOpen: false,
        autoCleanupSourceBuffer: true,
        autoCleanupMaxBackwardDuration: 30,
        autoCleanupMinBackwardDuration: 10,
      },
    );
    let why = "The stream ended. Waiting for it to come back …";
    engine.on(mpegts.Events.ERROR, (kind: string, detail: string, info: { code: number; msg: string }) => {
      why = this.reason(kind, detail, info);
      over.abort();
    });
    engine.on(mpegts.Events.LOADING_COMPLETE, () => over.abort());
    whenHiddenFor(UNSEEN_MS, () => {
      if (!this.video.muted) return;
      why = "It goes on in a moment …";
      over.abort();
    }, over.signal);
    this.engine = engine;
    engine.attachMediaElement(this.video);
    engine.load();
    // Where there is no sound to be heard yet, browsers let it begin.
    void Promise.resolve(engine.play()).catch(() => undefined);
    let at = 0;
    let since = performance.now();
    while (!over.signal.aborted) {
      await pause(500, over.signal);
      if (this.video.currentTime !== at || document.hidden) {
        at = this.video.currentTime;
        since = performance.now();
      } else if (performance.now() - since > STUCK_MS) {
        why = "No picture came for a while. Trying again …";
        break;
      } else if (this.video.paused) {
        void this.video.play().catch(() => undefined);
      }
    }
    over.abort();
    this.signal.removeEventListener("abort", leave);
    this.engine = null;
    this.shown = null;
    engine.destroy();
    return why;
  }

  private reason(kind: string, detail: string, info: { code: number; msg: string }): string {
    if (info.code === 403) {
      this.askForKey();
      return "The server asks its players for a key.";
    }
    if (info.code === 404) return "Nobody publishes this stream now. Waiting for it …";
    if (kind === mpegts.ErrorTypes.NETWORK_ERROR) return "The server does not answer. Trying again …";
    if (detail === mpegts.ErrorDetails.MEDIA_CODEC_UNSUPPORTED) return `This browser can't play it: ${info.msg}.`;
    return `It can't be played: ${info.msg}. Trying again …`;
  }

  private askForKey(): void {
    if (this.element.querySelector("form")) return;
    const field = h("input", { type: "password", "aria-label": "Play key", autocomplete: "off", required: true });
    const form = h("form", { class: "key" }, field, h("button", {}, "Use this key"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      sessionStorage.setItem(PLAY_KEY, field.value);
      form.remove();
    });
    this.element.append(form);
  }

  private tell(text: string): void {
    say(this.note, text);
    this.note.hidden = false;
  }

  private watchPictures(): void {
    const next = (_now: number, picture: VideoFrameCallbackMetadata): void => {
      if (this.signal.aborted) return;
      this.note.hidden = true;
      const base = this.clock.value;
      if (base != null) {
        this.shown = { timestampMs: base + picture.mediaTime * 1000, atMs: picture.expectedDisplayTime };
      }
      this.video.requestVideoFrameCallback(next);
    };
    if ("requestVideoFrameCallback" in this.video) this.video.requestVideoFrameCallback(next);
    // Browsers that don't tell of each picture: how far both are apart isn't known there.
    else (this.video as HTMLVideoElement).addEventListener("timeupdate", () => (this.note.hidden = true), { signal: this.signal });
  }
}
