import { parseArgs } from "node:util";
import { SETTINGS, type Setting } from "../config/settings.ts";

const COMMANDS = ["serve", "check", "backup", "restore", "epoch", "key", "openapi", "help", "version"] as const;
type Command = (typeof COMMANDS)[number];

export interface Arguments {
  readonly command: Command;
  /** Settings given as flags, by flag name. */
  readonly flags: Readonly<Record<string, string>>;
  /** `key NAME --rights read,write`. */
  readonly keyName: string | undefined;
  readonly rights: string | undefined;
  /** `check --repair`. */
  readonly repair: boolean;
  /** `backup DIR --verify`, `restore DIR --partial`. */
  readonly folder: string | undefined;
  readonly verify: boolean;
  readonly partial: boolean;
  /** `epoch --renew`. */
  readonly renew: boolean;
}

/** The command line was not understood; the message says what of it. */
export class UsageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "UsageError";
  }
}

/** Commands that take one operand. */
const OPERANDS: readonly Command[] = ["key", "backup", "restore"];
/** Options of one command alone. */
const OWN_OPTIONS = { rights: "key", repair: "check", verify: "backup", partial: "restore", renew: "epoch" } as const;

const settings: readonly Setting<unknown>[] = Object.values(SETTINGS);
const OPTIONS = {
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
  rights: { type: "string" },
  repair: { type: "boolean" },
  verify: { type: "boolean" },
  partial: { type: "boolean" },
  renew: { type: "boolean" },
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
  const { rights, repair, verify, partial, renew, help: _help, version: _version, ...flags } = values;
  if (command !== "help" && command !== "version") {
    if (rest.length > (OPERANDS.includes(command) ? 1 : 0))
      throw new UsageError(`"${rest.at(-1)}" is one argument too many.`);
    for (const [option, owner] of Object.entries(OWN_OPTIONS))
      if (values[option] !== undefined && command !== owner)
        throw new UsageError(`--${option} belongs to the command ${owner}.`);
  }
  return {
    command,
    flags: Object.fromEntries(Object.entries(flags).map(([name, value]) => [name, String(value)])),
    keyName: rest[0],
    rights: typeof rights === "string" ? rights : undefined,
    folder: rest[0],
    repair: repair === true,
    verify: verify === true,
    partial: partial === true,
    renew: renew === true,
  };
}

function parse(argv: readonly string[]): { values: Record<string, unknown>; positionals: string[] } {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}
