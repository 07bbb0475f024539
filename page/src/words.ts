// A command line's words, as a shell would split them, and back.

/** Splits at blanks; quotes and backslashes keep them. */
export function split(line: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quote = "";
  for (let at = 0; at < line.length; at += 1) {
    const c = line[at]!;
    if (quote) {
      if (c === quote) quote = "";
      else if (c === "\\" && quote === '"' && at + 1 < line.length && '"\\'.includes(line[at + 1]!)) word += line[(at += 1)]!;
      else word += c;
    } else if (c === '"' || c === "'") {
      quote = c;
      word ??= "";
    } else if (c === "\\" && at + 1 < line.length) {
      word = (word ?? "") + line[(at += 1)]!;
    } else if (/\s/.test(c)) {
      if (word != null) words.push(word);
      word = null;
    } else {
      word = (word ?? "") + c;
    }
  }
  if (quote) throw new Error(`A quote ${quote} is not closed.`);
  if (word != null) words.push(word);
  return words;
}

/** The line that `split` makes these words of. */
export function join(words: string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");
}
