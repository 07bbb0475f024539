// The API below /api/v1: what it tells, and how it is asked. openapi.json describes it.

export type State = "stopped" | "starting" | "running" | "waiting" | "restarting" | "failed";

/** A kind of state that a person must act on. */
export type AlertKind =
  | "input_lost"
  | "output_lost"
  | "code_failing"
  | "code_hanging"
  | "recording_stopped"
  | "disk_full"
  | "memory_limit"
  | "process_hung"
  | "process_ended";

export interface Alert {
  kind: AlertKind;
  since_ms: number;
  /** Its number, from 0, where it is about one of several inputs. */
  input?: number | null;
  output: number | null;
  text: string;
}

/** Where a stream of the server is played, and published. */
export interface PlayUrls {
  rtmp: string | null;
  flv: string | null;
}

/** What is counted of one input. */
export interface InputStats {
  url: string;
  state: "ok" | "lost";
  lost_for_ms: number | null;
  reconnects: number;
  frames_in: number;
  packets_in: number;
}

/** What a pipeline counts; the names are those of `--stats=json`. */
export interface Stats {
  frames_in: number;
  frames_out: number;
  frames_edited: number;
  frames_dropped: number;
  frames_skipped: number;
  frames_held: number;
  frames_copied: number;
  frames_bypassed: number;
  errors: number;
  restarts: number;
  fps: number;
  bit_rate: number;
  latency_ms: number | null;
  latency_p99_ms: number | null;
  reconnects: number;
  packets_dropped: number;
  input: "ok" | "lost";
  inputs?: InputStats[];
  outputs: { state: "ok" | "lost" | "removed"; reconnects: number; packets_dropped: number; latency_ms: number | null }[];
  /** Added to a timestamp of the input, it gives that of the same picture at the outputs. */
  input_offset_ms?: number | null;
  cpu_percent: number;
  memory_bytes: number;
}

export interface Pipeline {
  name: string;
  settings: Settings;
  /** Rises with each change of its settings. */
  version: number;
  state: State;
  since_ms: number;
  restarts: number;
  pid: number | null;
  error: string | null;
  alerts: Alert[];
  stats: Stats | null;
  play: { input: PlayUrls | null; output: PlayUrls | null };
}

/** What a model does. */
export interface ModelStats {
  clients: number;
  /** Requests that wait. */
  queue: number;
  fps: number;
  /** Mean time of the last batches. */
  batch_ms: number | null;
  /** Since the server's start. */
  batches: number;
  frames: number;
}

/** A model of the server's file, which several pipelines use. */
export interface Model {
  name: string;
  state: State;
  since_ms: number;
  restarts: number;
  pid: number | null;
  error: string | null;
  stats: ModelStats | null;
  cpu_percent: number;
  memory_bytes: number;
}

/** One that may be given several times has a list. */
export type Options = Record<string, string | number | boolean | string[]>;

/** An input or an output, by itself or with options of its own. */
export type End = string | { url: string; options?: Options };

export interface Settings {
  /** One of these two is there. */
  input?: End | End[];
  inputs?: End | End[];
  outputs?: End | End[];
  filter_complex?: string | string[];
  command?: string[];
  input_options?: Options;
  output_options?: Options;
  [key: string]: unknown;
}

/** One second of a pipeline's last ten minutes. */
export interface Point {
  time_ms: number;
  fps: number;
  latency_median_ms: number | null;
  latency_p99_ms: number | null;
  bits_per_second: number;
  frames_dropped: number;
  frames_bypassed: number;
  cpu_percent: number;
  memory_bytes: number;
}

/** A line of a pipeline's log; with a state, it tells that the pipeline came to it. */
export interface Line {
  time_ms: number;
  text: string;
  /** Of what the pipeline's process says; what its COMMAND prints has none. */
  level?: "error" | "warning" | "info" | "debug" | "trace";
  state?: State;
  alert?: AlertKind;
  is_over?: boolean;
}

/** A stream that somebody publishes to the server. */
export interface StreamStatus {
  app: string;
  name: string;
  publisher: { address: string; since_seconds: number; client: string };
  video: { codec: string; width: number | null; height: number | null } | null;
  audio: { codec: string } | null;
  bit_rate: number;
  players: { protocol: string }[];
}

export interface ServerStatus {
  version: string;
  uptime_seconds: number;
  memory: { held_bytes: number; limit_bytes: number; limit_reached: number; is_at_limit: boolean };
  streams: StreamStatus[];
}

export interface Listing {
  pipelines: Pipeline[];
  file_error: string | null;
  urls?: { rtmp: string | null; http: string | null };
  publish_key?: boolean;
  play_key?: boolean;
}

/** A piece of a sentence: text, or a setting. */
export type Piece = string | { setting: string; value?: string };

/** What a setting takes. */
export interface Expected {
  kind: string;
  least?: string;
  greatest?: string;
  names?: string[];
  near?: string[];
}

/** Why a request was not done, as data. */
export interface ProblemDetails {
  /** 0 where the server does not answer. */
  status: number;
  /** In the server's words. */
  detail: string;
  kind?: string;
  /** The setting that it is about: `outputs.1`, `output_options.g`. */
  key?: string;
  expected?: Expected;
  near?: string[];
  pipelines?: string[];
  cause?: Piece[];
  advice?: Piece[];
}

/** A request that was not done. */
export class Problem extends Error {
  readonly status: number;

  constructor(readonly details: ProblemDetails) {
    super(details.detail);
    this.status = details.status;
  }
}

const TOKEN = "frameloom-token";

/** The API's token, for this tab. */
export const token = {
  get: (): string | null => sessionStorage.getItem(TOKEN),
  set: (value: string): void => sessionStorage.setItem(TOKEN, value),
};

/** The headers that say who asks. */
export function credentials(): Record<string, string> {
  const value = token.get();
  return value ? { Authorization: `Bearer ${value}` } : {};
}

/** Asks the API; a failure is a `Problem`. */
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      ...init,
      headers: { ...credentials(), ...init.headers },
      cache: "no-store",
    });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Problem({ status: 0, detail: "the server does not answer" });
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => null);
  const detail = typeof told?.detail === "string" ? told.detail : response.statusText;
  throw new Problem({ ...told, status: response.status, detail });
}

const at = (name: string): string => `/pipelines/${encodeURIComponent(name)}`;

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  return (await ask(path, init)).json() as Promise<T>;
}

const body = (method: string, value: unknown): RequestInit => ({
  method,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(value),
});

export const api = {
  list: () => json<Listing>("/pipelines"),
  models: async () => (await json<{ models: Model[] }>("/models")).models,
  restartModel: (name: string) => ask(`/models/${encodeURIComponent(name)}/restart`, { method: "POST" }),
  status: () => json<ServerStatus>("/status"),
  add: (settings: Settings & { name: string }) => json<Pipeline>("/pipelines", body("POST", settings)),
  /** With a version, only where nobody else has changed it meanwhile. */
  change: (name: string, settings: Settings, version?: number) => {
    const { headers, ...put } = body("PUT", settings);
    const match = version == null ? {} : { "If-Match": `"${version}"` };
    return json<Pipeline>(at(name), { ...put, headers: { ...headers, ...match } });
  },
  remove: (name: string) => ask(at(name), { method: "DELETE" }),
  order: (name: string, order: "start" | "stop" | "restart") => ask(`${at(name)}/${order}`, { method: "POST" }),
  history: async (name: string) => (await json<{ history: Point[] }>(`${at(name)}/stats`)).history,
  log: async (name: string, lines: number) => (await json<{ lines: Line[] }>(`${at(name)}/log?lines=${lines}`)).lines,
  picture: async (name: string, end: "input" | "output", signal: AbortSignal) =>
    (await ask(`${at(name)}/${end}.jpg`, { signal })).blob(),
};
