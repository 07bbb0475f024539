// What the server tells of its pipelines and models, kept up by its events; it may be gone and come back.

import { api, ask, Problem, type Line, type Listing, type Model, type Pipeline, type Point, type Stats } from "./api";
import { pause, Signal, untilSeen, whenHiddenFor } from "./signal";

/** How the page stands to the server. */
export type Link = "connecting" | "connected" | "gone" | "unauthorized";

/** The server sends something at least every 15 s. */
const SILENCE_MS = 40_000;
/** A browser has six connections to a server for all its tabs: one that nobody sees gives its up. */
const UNSEEN_MS = 60_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 4_000;

class Fleet {
  link: Link = "connecting";
  readonly pipelines = new Map<string, Pipeline>();
  readonly models = new Map<string, Model>();
  keys = { publish: false, play: false };
  /** Where the server is reached, without a stream's name. */
  urls: { rtmp: string | null; http: string | null } = { rtmp: null, http: null };
  fileError: string | null = null;

  /** The link changed. */
  readonly linked = new Signal<Link>();
  /** A pipeline was added, changed, or (null) removed. */
  readonly changed = new Signal<{ name: string; pipeline: Pipeline | null }>();
  /** A model was added, changed, measured, or (null) removed. */
  readonly modelChanged = new Signal<{ name: string; model: Model | null }>();
  readonly measured = new Signal<{ name: string; point: Point | null }>();
  readonly logged = new Signal<{ name: string; line: Line }>();

  private renewed = new AbortController();

  all(): Pipeline[] {
    return [...this.pipelines.values()].toSorted((a, b) => a.name.localeCompare(b.name));
  }

  /** Follows the server for ever. */
  async follow(): Promise<void> {
    let wait = FIRST_WAIT_MS;
    const never = new AbortController().signal;
    for (;;) {
      await untilSeen(never);
      try {
        await this.listen(() => (wait = FIRST_WAIT_MS));
      } catch (error) {
        if (error instanceof Problem && error.status === 401) {
          this.enter("unauthorized");
          await this.again(Infinity);
          continue;
        }
      }
      if (document.hidden) {
        this.enter("connecting");
        continue;
      }
      this.enter("gone");
      await this.again(wait);
      wait = Math.min(wait * 1.5, LONGEST_WAIT_MS);
    }
  }

  /** Tries now, where it waits for the next try or for a token. */
  retry(): void {
    this.renewed.abort();
  }

  private async again(ms: number): Promise<void> {
    this.renewed = new AbortController();
    // A timer of more than 2^31 ms fires at once.
    await pause(Math.min(ms, 2 ** 31 - 1), this.renewed.signal);
  }

  private enter(link: Link): void {
    // A token that was refused is told of again.
    if (this.link === link && link !== "unauthorized") return;
    this.link = link;
    this.linked.tell(link);
  }

  private async listen(connected: () => void): Promise<void> {
    const over = new AbortController();
    let watchdog = setTimeout(() => over.abort(), SILENCE_MS);
    whenHiddenFor(UNSEEN_MS, () => over.abort(), over.signal);
    try {
      const response = await ask("/events", { signal: over.signal });
      // After the events began, so that nothing is missed in between.
      this.take(await api.list());
      this.takeModels(await api.models());
      connected();
      this.enter("connected");
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => over.abort(), SILENCE_MS);
        const events = (text + value).split("\n\n");
        text = events.pop()!;
        events.forEach((event) => this.hear(event));
      }
    } finally {
      clearTimeout(watchdog);
      over.abort();
    }
  }

  private take({ pipelines, file_error, publish_key, play_key, urls }: Listing): void {
    this.urls = urls ?? this.urls;
    this.fileError = file_error;
    this.keys = { publish: publish_key ?? false, play: play_key ?? false };
    const names = new Set(pipelines.map((pipeline) => pipeline.name));
    for (const name of [...this.pipelines.keys()]) if (!names.has(name)) this.put(name, null);
    for (const pipeline of pipelines) this.put(pipeline.name, pipeline);
  }

  private takeModels(models: Model[]): void {
    const names = new Set(models.map((model) => model.name));
    for (const name of [...this.models.keys()]) if (!names.has(name)) this.putModel(name, null);
    for (const model of models) this.putModel(model.name, model);
  }

  private putModel(name: string, model: Model | null): void {
    if (model) this.models.set(name, model);
    else this.models.delete(name);
    this.modelChanged.tell({ name, model });
  }

  private put(name: string, pipeline: Pipeline | null): void {
    if (pipeline) this.pipelines.set(name, pipeline);
    else this.pipelines.delete(name);
    this.changed.tell({ name, pipeline });
  }

  private hear(event: string): void {
    const kind = /^event: (.*)$/m.exec(event)?.[1];
    const text = /^data: (.*)$/m.exec(event)?.[1];
    if (!kind || !text) return;
    const data = JSON.parse(text);
    if (kind === "pipeline") this.put(data.name, data as Pipeline);
    else if (kind === "removed") this.put(data.name, null);
    else if (kind === "model") this.putModel(data.name, data as Model);
    else if (kind === "model_removed") this.putModel(data.name, null);
    else if (kind === "log") this.logged.tell({ name: data.name, line: data as Line });
    else if (kind === "stats") {
      const pipeline = this.pipelines.get(data.name);
      if (!pipeline) return;
      pipeline.stats = data.now as Stats | null;
      this.measured.tell({ name: data.name, point: data.point as Point | null });
    }
  }
}

/** The one server that this page is of. */
export const fleet = new Fleet();
