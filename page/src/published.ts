// The names of streams that are published, and which of them no pipeline knows.

import type { Pipeline, StreamStatus } from "./api";

/** The path of a stream's URLs. Its application may be empty. */
export const nameOf = ({ app, name }: { app: string; name: string }): string => (app ? `${app}/${name}` : name);

/** The page of a stream. */
export const pageOfStream = ({ app, name }: { app: string; name: string }): string =>
  `#/streams/${encodeURIComponent(app)}/${encodeURIComponent(name)}`;

/** Those that no pipeline reads or writes. */
export function without(all: StreamStatus[], pipelines: Pipeline[]): StreamStatus[] {
  const known = new Set(
    pipelines
      .flatMap(({ play }) => [play.input?.flv, play.output?.flv])
      .filter((url): url is string => !!url)
      .map((url) => decodeURIComponent(new URL(url).pathname)),
  );
  return all.filter((stream) => !known.has(`/${nameOf(stream)}.flv`));
}
