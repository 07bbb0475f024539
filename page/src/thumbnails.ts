// Small pictures that are taken anew every few seconds, one after the other: each costs the server
// a moment's work.

import { api } from "./api";
import { h, say } from "./dom";
import { fleet } from "./fleet";
import { stateOf } from "./parts";
import { pause } from "./signal";

const BETWEEN_MS = 250;
/** For how long a picture is good. */
const FRESH_MS = 4_000;

/** The picture of one pipeline's output. */
export class Thumbnail {
  readonly element: HTMLElement;
  takenAt = 0;
  private readonly image: HTMLImageElement;
  private readonly note = h("span", { class: "note" });
  private url: string | null = null;

  constructor(readonly name: string) {
    this.image = h("img", { alt: `What comes out of ${name}`, hidden: true });
    this.element = h("div", { class: "thumbnail" }, this.image, this.note);
  }

  isWorthwhile(now: number): boolean {
    const pipeline = fleet.pipelines.get(this.name);
    if (pipeline?.state !== "running") {
      this.say(pipeline ? stateOf(pipeline).text : "");
      return false;
    }
    return now - this.takenAt > FRESH_MS && this.isSeen();
  }

  show(picture: Blob): void {
    this.forget();
    this.url = URL.createObjectURL(picture);
    this.image.src = this.url;
    this.image.hidden = false;
    this.note.hidden = true;
  }

  say(text: string): void {
    say(this.note, text);
    this.note.hidden = false;
    this.image.hidden = true;
  }

  forget(): void {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
  }

  private isSeen(): boolean {
    const { top, bottom } = this.element.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  }
}

/** Keeps those of `all()` fresh that are on the screen. */
export async function keepFresh(all: () => Thumbnail[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await pause(BETWEEN_MS, signal);
    if (document.hidden || fleet.link !== "connected" || signal.aborted) continue;
    const now = Date.now();
    const due = all().filter((thumbnail) => thumbnail.isWorthwhile(now));
    const oldest = due.toSorted((a, b) => a.takenAt - b.takenAt)[0];
    if (!oldest) continue;
    oldest.takenAt = now;
    try {
      oldest.show(await api.picture(oldest.name, "output", signal));
    } catch {
      if (!signal.aborted) oldest.say("No picture");
    }
  }
  for (const thumbnail of all()) thumbnail.forget();
}
