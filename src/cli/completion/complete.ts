import { ROLES } from "../../domain/access.ts";
import {
  COMMAND_NAMES,
  COMMANDS,
  type CommandName,
  commandsOf,
  GROUPS,
  type GroupName,
  groupNamed,
  optionsOf,
} from "../commands.ts";
import { nextSlots, type Slot, slotOf } from "./slots.ts";

export interface Candidate {
  readonly value: string;
  readonly help: string;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** What the shell adds of the file system. */
  readonly paths: readonly ("files" | "folders")[];
  /** Whether the candidates are names, which a shell must quote. */
  readonly areNames: boolean;
  /** Whether a candidate may go on, so no space follows it. */
  readonly goesOn: boolean;
}

/** The values that options were given before the cursor, and the operands. */
export interface ReadWords {
  readonly operands: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  /** The option that the word at the cursor is the value of. */
  readonly pending: string | undefined;
}

/** Names of the store that begin with the text: of albums, or of images where it has a slash. Empty without a store. */
export type ReadNames = (text: string, given: ReadWords["options"]) => Promise<readonly Candidate[]>;

const NOTHING: Completion = { candidates: [], paths: [], areNames: false, goesOn: false };

/** @param words the words behind the program; the last is the one at the cursor */
export async function complete(words: readonly string[], readNames: ReadNames): Promise<Completion> {
  const current = words.at(-1) ?? "";
  const read = readWords(words.slice(0, -1));
  const { command, group, given } = findCommand(read.operands);
  if (read.pending !== undefined) return offer(valueSlots(command ?? "serve", read.pending), current, read, readNames);
  if (current.startsWith("-")) return optionsFor(command ?? "serve", current, read);
  if (group !== undefined && command === undefined) return startingWith(current, actionsOf(group));
  if (command === undefined) return read.operands.length > 0 ? NOTHING : startingWith(current, topWords());
  const actions = group !== undefined && given.length === 0 && read.operands.length === 1 ? actionsOf(group) : [];
  const slots = nextSlots(COMMANDS[command].operand ?? "", given);
  const found = await offer(slots, current, read, readNames);
  return { ...found, candidates: [...startingWith(current, actions).candidates, ...found.candidates] };
}

/** Options need no command to be told from operands: their names are the same everywhere. */
function readWords(words: readonly string[]): ReadWords {
  const operands: string[] = [];
  const options: Record<string, string> = {};
  let pending: string | undefined;
  for (const word of words) {
    const [, name, value] = /^--([\w-]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (pending !== undefined) {
      options[pending] = word;
      pending = undefined;
    } else if (name === undefined) operands.push(word);
    else if (value !== undefined) options[name] = value;
    else if (takesValue(name)) pending = name;
    else options[name] = "";
  }
  return { operands, options, pending };
}

const takesValue = (option: string): boolean =>
  COMMAND_NAMES.some((name) => optionsOf(name)[option]?.value !== undefined);

interface Found {
  readonly command: CommandName | undefined;
  readonly group: GroupName | undefined;
  /** The operands behind the name of the command. */
  readonly given: readonly string[];
}

function findCommand([word, ...rest]: readonly string[]): Found {
  if (word === undefined) return { command: undefined, group: undefined, given: [] };
  const group = groupNamed(word);
  if (group === undefined) return { command: COMMAND_NAMES.find((name) => name === word), group, given: rest };
  const command = commandsOf(group).find((name) => name === `${group} ${rest[0]}`);
  if (command !== undefined) return { command, group, given: rest.slice(1) };
  return { command: COMMAND_NAMES.find((name) => name === GROUPS[group].short), group, given: rest };
}

const topWords = (): readonly Candidate[] => [
  // The scripts alone use `complete`.
  ...COMMAND_NAMES.filter((name) => !name.includes(" ") && name !== "complete").map((value) => ({
    value,
    help: COMMANDS[value].summary,
  })),
  ...Object.entries(GROUPS).map(([value, { summary }]) => ({ value, help: summary })),
];

const actionsOf = (group: GroupName): readonly Candidate[] =>
  commandsOf(group).map((name) => ({ value: name.slice(group.length + 1), help: COMMANDS[name].summary }));

const startingWith = (text: string, candidates: readonly Candidate[]): Completion => ({
  ...NOTHING,
  candidates: candidates.filter(({ value }) => value.startsWith(text)),
});

/** Those that were given are left out, unless they may be given again. */
function optionsFor(command: CommandName, current: string, { options }: ReadWords): Completion {
  const accepted = Object.entries(optionsOf(command));
  const left = accepted.filter(([name, { repeats }]) => repeats === true || !Object.hasOwn(options, name));
  return startingWith(
    current,
    left.map(([name, { help }]) => ({ value: `--${name}`, help })),
  );
}

const VALUES: Readonly<Record<string, readonly string[]>> = {
  "if-exists": ["replace", "fail", "keep", "keep-both"],
  role: [...ROLES.keys(), "admin"],
  rights: [...ROLES.keys()],
  "log-format": ["json", "pretty"],
  "log-level": ["trace", "debug", "info", "warn", "error", "silent"],
  from: ["oldest", "latest"],
};

function valueSlots(command: CommandName, option: string): readonly Slot[] {
  const slot = slotOf(optionsOf(command)[option]?.value ?? "");
  const words = VALUES[option];
  if (slot !== undefined) return [slot];
  return words === undefined ? [] : [{ kind: "words", words }];
}

async function offer(
  slots: readonly Slot[],
  current: string,
  { options }: ReadWords,
  readNames: ReadNames,
): Promise<Completion> {
  const has = (...kinds: readonly Slot["kind"][]) => slots.some(({ kind }) => kinds.includes(kind));
  const words = slots.flatMap((slot) => (slot.kind === "words" ? slot.words : []));
  const fixed = [...words.map((value) => ({ value, help: "" })), ...(has("command") ? topWords() : [])];
  const isImage = has("image", "albumOrImage");
  const wantsNames = has("album") ? !current.includes("/") : isImage;
  const names = wantsNames ? await readNames(current, options) : [];
  const isOpen = isImage && !current.includes("/");
  const { candidates } = startingWith(current, fixed);
  return {
    candidates: [
      ...candidates,
      ...names.map(({ value, help }) => ({ value: isOpen && !has("albumOrImage") ? `${value}/` : value, help })),
    ],
    paths: (["files", "folders"] as const).filter((kind) => has(kind)),
    areNames: names.length > 0 || has("files", "folders"),
    goesOn: isOpen || candidates.some(({ value }) => value.endsWith("/")),
  };
}
