/** What may stand at a place of a command line. */
export type Slot =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "files" | "folders" | "album" | "image" | "albumOrImage" | "command" };

const KINDS: readonly (readonly [pattern: RegExp, slot: Slot])[] = [
  [/^ALBUM\[\/IMAGE\]$/, { kind: "albumOrImage" }],
  [/^ALBUM\/IMAGE$/, { kind: "image" }],
  [/^(SRC|DST|SOURCE|TARGET)$/, { kind: "albumOrImage" }],
  [/^(ALBUM|PATTERN)$/, { kind: "album" }],
  [/^FILE$/, { kind: "files" }],
  [/^(DIR|BACKUP)$/, { kind: "folders" }],
  [/^COMMAND$/, { kind: "command" }],
  [/^s3:/, { kind: "words", words: ["s3://"] }],
  [/^SHELL$/, { kind: "words", words: ["bash", "zsh", "fish"] }],
];

/** By the placeholder of a usage line; undefined where nothing is known. */
export function slotOf(placeholder: string): Slot | undefined {
  const bare = placeholder
    .replace(/…$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/…$/, "");
  if (/^[a-z-]+$/.test(bare)) return { kind: "words", words: [bare] };
  return KINDS.find(([pattern]) => pattern.test(bare))?.[1];
}

/**
 * What the next operand may be, by the operands of a usage line such as `store | album ALBUM | key ID` or `FILE… ALBUM`.
 * @param given the operands before it
 */
export function nextSlots(operand: string, given: readonly string[]): readonly Slot[] {
  const alternatives = operand.split(" | ").map((text) => text.split(" "));
  return alternatives.filter((tokens) => fits(tokens, given)).flatMap((tokens) => placesAt(tokens, given.length));
}

/** Whether the literal words of the usage are those that were given. */
const fits = (tokens: readonly string[], given: readonly string[]): boolean =>
  given.every((word, index) => !/^[a-z-]+$/.test(tokens[index] ?? "") || tokens[index] === word);

function placesAt(tokens: readonly string[], index: number): readonly Slot[] {
  const repeated = tokens.findIndex((token) => /…\]?$/.test(token));
  const possible = tokens.filter(
    (_, place) => place === index || (repeated >= 0 && repeated <= place && place < index),
  );
  return possible.map(slotOf).filter((slot) => slot !== undefined);
}
