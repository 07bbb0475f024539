// Why something was not done, in sentences for people, and at which field.

import type { Expected, Piece, ProblemDetails, Settings } from "./api";
import { list, quote, sentence } from "./format";

/** What is wrong, and at which of a form's fields. */
export interface Fault {
  text: string;
  /** The setting that the field is for; none where it is about no field. */
  field: string | null;
  /** Of a field with several lines, the one that is wrong: its number, or what it begins with. */
  line: number | string | null;
}

/** What a form knows of itself. */
export interface Form {
  /** What people call a setting; none where the form has no field for it. */
  label: (key: string) => string | undefined;
  /** What was sent. */
  sent: Settings & { name?: string };
}

const NO_FORM: Form = { label: () => undefined, sent: {} };

/** Most names that are listed. */
const MOST_NAMES = 10;

/** The API's answer in words: by its data, never by its text. */
export function inWords(told: ProblemDetails, form: Form = NO_FORM): Fault {
  const path = told.key?.split(".") ?? [];
  // One field is for both of these keys.
  const first = path[0] === "inputs" ? "input" : path[0];
  const field = first != null && form.label(first) != null ? first : null;
  return { text: text(told, path, form), field, line: field ? line(path) : null };
}

function line([field, first]: string[]): number | string | null {
  if (field === "outputs" || field === "inputs" || field === "input") return /^\d+$/.test(first ?? "") ? Number(first) : null;
  return field === "input_options" || field === "output_options" ? (first ?? null) : null;
}

function text(told: ProblemDetails, path: string[], form: Form): string {
  const [field = "", ...rest] = path;
  const name = nameOf(path, form);
  const others = list(told.pipelines ?? [], "and");
  switch (told.status) {
    case 0:
      return "The server does not answer. Try again in a moment; what you wrote is still here.";
    case 401:
      return "The server wants its token first: enter it at the top of this page.";
    case 403:
      return "You have no right to change anything from here. Open the page at the server's own address.";
    case 413:
      return "This is more than the server takes. Make it shorter.";
  }
  switch (told.kind) {
    case "name_taken":
      return `There is a pipeline named ${form.sent.name ?? "so"} already. Choose another name.`;
    case "output_taken":
      return `Another pipeline writes to this address already: ${others}. Choose another address.`;
    case "circle":
      return `The output would come back as the input, in a circle: ${(told.pipelines ?? []).join(" → ")}. Choose another input or output.`;
    case "no_pipeline":
      return "This pipeline is not there any more: somebody has removed it.";
    case "no_model":
      return field === "model" ? `The server's file has no model of this name.${near(told.near)}` : "This model is not there any more: the server's file has it no longer.";
    case "changed":
      return "Somebody else has changed this pipeline since you opened this form. Press Change again to replace what they did, or Cancel to look at it first.";
    case "full":
      return "The server can't take this at the moment. Try again later.";
    case "not_saved":
      return "It is done, but the server could not write it to its file. It is lost when the server is started again.";
    case "hidden":
      return "A secret that is shown as *** can't be read from here again. Write it in full.";
    case "wrong_name":
      return "A name has up to 64 letters, digits, and any of _ - . and does not begin with a dot.";
    case "no_program":
      return `The server's machine has no program named ${quote(program(form.sent))}. Check how it is written, or write it with its folder.`;
    case "missing":
      return missing(field);
    case "unknown":
      return `There is no option named ${quote(rest.at(-1) ?? field)}.${near(told.near)}`;
    case "wrong_type": {
      const value = valueAt(form.sent, path);
      const isText = typeof value === "string" || typeof value === "number";
      if (isText && rest.length > 0) return `${name} takes no value. Write it alone on its line.`;
      const isInput = field === "input" || field === "inputs";
      if (isInput && rest.length < 2) return "An input is a URL or the name of a file.";
      return field === "outputs" && rest.length < 2 ? "An output is a URL or the name of a file." : `${name} has a value of another kind than it takes.`;
    }
    case "wrong_value": {
      const value = valueAt(form.sent, path);
      // A filter graph as a whole says nothing of the one value in it.
      const isPlain = (typeof value === "string" || typeof value === "number") && field !== "filter" && field !== "filter_complex";
      const first = isPlain && told.expected ? `${name} can't be ${quote(String(value))}.` : said(told.cause, form) || `${name} has a value that can't be.`;
      const expected = told.expected ? takes(told.expected) : "";
      return `${first}${near(told.near)}${expected && ` ${expected}`}`;
    }
  }
  if (field === "on_demand") return "This needs an output that is played from this server, and it has none.";
  const cause = said(told.cause, form);
  return cause ? [cause, said(told.advice, form)].filter(Boolean).join(" ") : sentence(told.detail);
}

/** What a form's setting or an option of FFmpeg's is called. */
function nameOf(path: string[], form: Form): string {
  const [field = "", ...rest] = path;
  const option = rest.at(-1);
  if (option != null && !/^\d+$/.test(option)) return option;
  return form.label(field) ?? field;
}

function missing(field: string): string {
  switch (field) {
    case "name":
      return "The name is empty: it is needed.";
    case "input":
    case "inputs":
      return "The input is empty. Write a stream's URL, or the name of a file.";
    case "command":
      return "The environment and the model are for the command, and there is none.";
    case "outputs":
      return "It has neither outputs nor a command: at least one of them is needed.";
    default:
      return `${field} is empty: it is needed.`;
  }
}

function program(sent: Settings): string {
  return sent.command?.[0] ?? "";
}

const near = (names: string[] | undefined): string => (names?.length ? ` Did you mean ${list(names, "or")}?` : "");

/** What a setting takes, as a sentence. */
export function takes(expected: Expected): string {
  const { least, greatest } = expected;
  const all = expected.names ?? [];
  const shown = all.slice(0, MOST_NAMES);
  const rest = all.length - shown.length;
  const names = rest > 0 ? `${shown.join(", ")} or one of ${rest} others` : list(shown, "or");
  const number = (what: string): string => {
    const range = least != null && greatest != null ? ` from ${least} to ${greatest}` : least != null ? ` from ${least} on` : greatest != null ? ` up to ${greatest}` : "";
    return `It takes ${what}${range}${names && `, or ${names}`}.`;
  };
  switch (expected.kind) {
    case "whole_number":
      return number("a whole number");
    case "number":
      return number("a number");
    case "fraction":
      return number("a number or a fraction");
    case "flags":
      return names ? `It takes ${names}, each with + or - before it.` : number("a whole number");
    case "yes_or_no":
      return "It takes 1 or 0.";
    case "name":
      return names && `It takes ${names}.`;
    case "size":
      return "It takes a size such as 960x540.";
    case "rate":
      return "It takes a rate such as 25 or 30000/1001.";
    case "time":
      return "It takes a time such as 1.5 or 200ms.";
    case "color":
      return "It takes a colour's name, or #RRGGBB.";
    case "pixel_format":
      return "It takes a pixel format such as yuv420p.";
    case "sample_format":
      return "It takes a sample format such as s16.";
    case "channel_layout":
      return "It takes mono, stereo, 5.1 and the like.";
    case "pairs":
      return "It takes NAME=VALUE, several of them with : between.";
    case "bytes":
      return "It takes hexadecimal digits.";
    default:
      return "";
  }
}

/** A sentence with the form's names for settings. */
function said(pieces: Piece[] | undefined, form: Form): string {
  if (!pieces?.length) return "";
  const words = pieces.map((piece) => {
    if (typeof piece === "string") return piece;
    const label = form.label(piece.setting);
    if (piece.value == null) return quote(label ?? piece.setting);
    return quote(label ? `${label}: ${piece.value}` : `${piece.setting} = ${piece.value}`);
  });
  return sentence(words.join(""));
}

/** What stands at the end of these keys and numbers. */
function valueAt(sent: unknown, path: string[]): unknown {
  let value = sent;
  for (const [at, step] of path.entries()) {
    if (typeof value !== "object" || value == null) {
      // One output may stand without a list.
      return at === 1 && path[0] === "outputs" && step === "0" ? value : undefined;
    }
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}
