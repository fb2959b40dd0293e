export interface Option {
  /** Placeholder of the value, in capitals; undefined: the option has no value. */
  readonly value?: string;
  /** Whether it may be given several times. */
  readonly repeats?: true;
  readonly help: string;
}

/** A command as the parser accepts it and `--help` prints it. */
export interface Command {
  /** The operand in the usage line; square brackets: optional. */
  readonly operand?: string;
  /** How many there may be; default: one where `operand` names it. */
  readonly operands?: number;
  readonly summary: string;
  /** Further sentences after the summary. */
  readonly details?: string;
  /** What a line of standard output is with `--json`. */
  readonly json: string;
  /** What exit codes other than 0 and 2 mean. */
  readonly exits: Readonly<Record<number, string>>;
  readonly options: Readonly<Record<string, Option>>;
  /** Flags of settings that the command accepts. */
  readonly flags: "all" | readonly string[];
  readonly examples: readonly (readonly [command: string, meaning: string])[];
}

/** Commands whose names begin with the same word, such as `key create` and `key list`. */
export interface CommandGroup {
  readonly summary: string;
  /** The command that the word alone stands for: `share ALBUM` is `share create ALBUM`. */
  readonly short?: string;
}

export const JSON_OPTION: Option = { help: "Print JSON, one document per line." };

/** Options of every command that talks to a store. */
export const CONNECTION = {
  url: { value: "URL", help: "URL of the store. Overrides IMAGE_STORE_URL and the profile." },
  key: { value: "KEY", help: "API key. Overrides IMAGE_STORE_KEY and the profile; - reads it from standard input." },
  json: JSON_OPTION,
} satisfies Record<string, Option>;

export const REMOTE_EXITS = { 1: "The store or a file failed, or the command was interrupted." };

/** Of a quota. */
export const LIMITS = {
  "max-bytes": { value: "SIZE", help: "Maximum bytes of images, such as 10GiB, or none for no limit." },
  "max-images": { value: "COUNT", help: "Maximum number of images, or none for no limit." },
} satisfies Record<string, Option>;
