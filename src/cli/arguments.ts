import { parseArgs } from "node:util";
import { SETTINGS, type Setting } from "../config/settings.ts";

const COMMANDS = ["serve", "check", "key", "openapi", "help", "version"] as const;
type Command = (typeof COMMANDS)[number];

export interface Arguments {
  readonly command: Command;
  /** Settings given as flags, by flag name. */
  readonly flags: Readonly<Record<string, string>>;
  /** `key NAME --rights read,write`. */
  readonly keyName: string | undefined;
  readonly rights: string | undefined;
}

/** The command line was not understood; the message says what of it. */
export class UsageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "UsageError";
  }
}

const settings: readonly Setting<unknown>[] = Object.values(SETTINGS);
const OPTIONS = {
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
  rights: { type: "string" },
  ...Object.fromEntries(
    settings.flatMap(({ flag, default: fallback }) =>
      flag === undefined ? [] : [[flag, { type: fallback === "false" ? "boolean" : "string" }] as const],
    ),
  ),
} as const;

/** @throws UsageError */
export function parseArguments(argv: readonly string[]): Arguments {
  const { values, positionals } = parse(argv);
  const [word = "serve", ...rest] = positionals;
  const command = values["help"] ? "help" : values["version"] ? "version" : COMMANDS.find((known) => known === word);
  if (command === undefined) throw new UsageError(`There is no command "${word}".`);
  const { rights, help: _help, version: _version, ...flags } = values;
  if (command !== "help" && command !== "version") {
    if (rest.length > (command === "key" ? 1 : 0)) throw new UsageError(`"${rest.at(-1)}" is one argument too many.`);
    if (rights !== undefined && command !== "key") throw new UsageError("--rights belongs to the command key.");
  }
  return {
    command,
    flags: Object.fromEntries(Object.entries(flags).map(([name, value]) => [name, String(value)])),
    keyName: rest[0],
    rights: typeof rights === "string" ? rights : undefined,
  };
}

function parse(argv: readonly string[]): { values: Record<string, unknown>; positionals: string[] } {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}
