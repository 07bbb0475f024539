// Settings with several values as the text of a field, and back: nothing is lost on the way.

import type { End, Options } from "./api";

/** One a line. With options of its own, it is written as JSON. */
export function endsAsText(value: End | End[]): string {
  const list = Array.isArray(value) ? value : [value];
  return list.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join("\n");
}

/** The lines that say something. */
export function linesOf(text: string): string[] {
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}

/** `name = value` on each line; one that is given several times has as many lines. */
export function optionsAsText(options: Options): string {
  const line = (name: string, one: unknown): string => `${name} = ${one}`;
  const lines = ([name, value]: [string, Options[string]]): string[] => (Array.isArray(value) ? value.map((one) => line(name, one)) : [line(name, value)]);
  return Object.entries(options).flatMap(lines).join("\n");
}

export function optionsOf(lines: string[]): Options {
  const value = (text: string): string | boolean => (text === "true" ? true : text === "false" ? false : text);
  const options: Options = {};
  for (const line of lines) {
    const at = line.indexOf("=");
    const [name, given] = at < 0 ? [line, true] : [line.slice(0, at).trim(), value(line.slice(at + 1).trim())];
    const before = options[name];
    if (before == null) options[name] = given;
    else options[name] = [...(Array.isArray(before) ? before : [String(before)]), String(given)];
  }
  return options;
}

/** A graph as it is; several as JSON, because each may have several lines. */
export function graphsAsText(value: string | string[]): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

export function graphsOf(text: string): string | string[] {
  // No graph begins so: a label has no quotes.
  return /^\[\s*"/.test(text) ? (JSON.parse(text) as string[]) : text;
}
