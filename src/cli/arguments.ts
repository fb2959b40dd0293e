import { parseArgs } from "node:util";
import { nearest } from "../domain/nearest.ts";
import {
  ALL_OPTIONS,
  COMMAND_NAMES,
  COMMANDS,
  type CommandName,
  commandsOf,
  GROUPS,
  type GroupName,
  groupNamed,
  optionsOf,
  SETTING_OPTIONS,
} from "./commands.ts";

export interface Arguments {
  readonly command: CommandName;
  /** The command or group of `help COMMAND` and `COMMAND --help`; undefined: all commands. */
  readonly topic: CommandName | GroupName | undefined;
  /** Settings given as flags, by the name of the flag. */
  readonly flags: Readonly<Record<string, string>>;
  /** Every option as it was given, by its name. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly operands: readonly string[];
  readonly json: boolean;
  /** `check --repair --from BACKUP`. */
  readonly repair: boolean;
  readonly from: string | undefined;
  /** `backup DIR --verify`, `restore DIR --partial --keep-webhooks`. */
  readonly folder: string | undefined;
  readonly verify: boolean;
  readonly partial: boolean;
  readonly keepWebhooks: boolean;
  /** `epoch --renew --pause-webhooks`. */
  readonly renew: boolean;
  readonly pauseWebhooks: boolean;
}

/** Options by their names. */
export interface OptionValues {
  readonly text: (option: string) => string | undefined;
  readonly texts: (option: string) => readonly string[];
  readonly has: (option: string) => boolean;
}

export const optionValues = (values: Arguments["values"]): OptionValues => ({
  text: (option) => textOf(values[option]),
  texts: (option) => (Array.isArray(values[option]) ? values[option].map(String) : []),
  has: (option) => values[option] === true,
});

/** The command line is invalid; the message says what is wrong and what to do. */
export class UsageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "UsageError";
  }
}

const PARSED_OPTIONS = Object.fromEntries(
  Object.entries(ALL_OPTIONS).map(([name, { value, repeats = false }]) => [
    name,
    { type: value === undefined ? ("boolean" as const) : ("string" as const), multiple: repeats, ...shortOf(name) },
  ]),
);

function shortOf(name: string): { short?: string } {
  if (name === "help") return { short: "h" };
  return name === "version" ? { short: "v" } : {};
}

/** @throws UsageError */
export function parseArguments(argv: readonly string[]): Arguments {
  const { values, positionals } = parse(argv);
  const { repair, from, verify, partial, renew, help, version } = values;
  const { named, rest } = findNamed(positionals, help === true);
  const { command, topic } = choose(named, { help: help === true, version: version === true, positionals });
  if (command === named) requireFit(command, rest, values);
  if (command === "check" && from !== undefined && repair !== true)
    throw new UsageError(`--from belongs to --repair. ${seeHelp("check")}`);
  if (command === "epoch" && values["pause-webhooks"] === true && renew !== true)
    throw new UsageError(`--pause-webhooks belongs to --renew. ${seeHelp("epoch")}`);
  return {
    command,
    topic,
    flags: {
      ...Object.fromEntries(
        Object.entries(values)
          .filter(([name]) => Object.hasOwn(SETTING_OPTIONS, name))
          .map(([name, value]) => [name, String(value)]),
      ),
      ...(command === "serve" && values["json"] === true ? { "log-format": "json" } : {}),
    },
    values,
    operands: rest,
    json: values["json"] === true,
    folder: rest[0],
    repair: repair === true,
    from: textOf(from),
    verify: verify === true,
    partial: partial === true,
    keepWebhooks: values["keep-webhooks"] === true,
    renew: renew === true,
    pauseWebhooks: values["pause-webhooks"] === true,
  };
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

interface Asked {
  readonly help: boolean;
  readonly version: boolean;
  readonly positionals: readonly string[];
}

interface Named {
  /** A group, where help is asked for it. */
  readonly named: CommandName | GroupName;
  /** What stands behind its name. */
  readonly rest: readonly string[];
}

/** `--help` and `--version` override the command. */
function choose(named: Named["named"], asked: Asked): Pick<Arguments, "command" | "topic"> {
  const { help, version, positionals } = asked;
  if (help) return { command: "help", topic: positionals.length === 0 ? undefined : named };
  if (version) return { command: "version", topic: undefined };
  if (named === "help") return { command: "help", topic: topicOf(positionals.slice(1)) };
  return { command: named as CommandName, topic: undefined };
}

const topicOf = (words: readonly string[]): Arguments["topic"] =>
  words.length === 0 ? undefined : findNamed(words, true).named;

/** The command that the first words name, or the first two of a group. */
function findNamed([word, ...rest]: readonly string[], isHelp: boolean): Named {
  if (word === undefined) return { named: "serve", rest };
  const group = groupNamed(word);
  if (group === undefined) return { named: findCommand(word), rest };
  const [action, ...others] = rest;
  const command = commandsOf(group).find((name) => name === `${group} ${action}`);
  if (command !== undefined) return { named: command, rest: others };
  const short = COMMAND_NAMES.find((name) => name === GROUPS[group].short);
  if (isHelp && action === undefined) return { named: group, rest };
  if (short !== undefined) return { named: short, rest };
  const actions = commandsOf(group).map((name) => name.slice(group.length + 1));
  if (action === undefined) throw new UsageError(`"${group}" needs one of ${actions.join(", ")}. ${seeHelp(group)}`);
  throw new UsageError(`Unknown command "${group} ${action}".${suggest(action, actions)} ${seeHelp(group)}`);
}

const WORDS = COMMAND_NAMES.filter((name) => !name.includes(" "));

function findCommand(word: string): CommandName {
  const found = WORDS.find((known) => known === word);
  if (found !== undefined) return found;
  throw new UsageError(
    `Unknown command "${word}".${suggest(word, [...WORDS, ...Object.keys(GROUPS)])} ${seeHelp(undefined)}`,
  );
}

const ARGUMENTS = ["no argument", "one argument", "at most two arguments"];

function requireFit(command: CommandName, rest: readonly string[], values: Readonly<Record<string, unknown>>): void {
  const { operand, operands = operand === undefined ? 0 : 1 } = COMMANDS[command];
  if (rest.length > operands)
    throw new UsageError(`"${command}" takes ${ARGUMENTS[operands]}, not "${rest[operands]}". ${seeHelp(command)}`);
  const accepted = optionsOf(command);
  const foreign = Object.keys(values).find((name) => !Object.hasOwn(accepted, name));
  if (foreign === undefined) return;
  const [owner = "serve", ...others] = COMMAND_NAMES.filter((name) => Object.hasOwn(optionsOf(name), foreign));
  const owners = [owner, ...others].map((name) => `"${name}"`).join(", ");
  throw new UsageError(
    `"${command}" has no option --${foreign}, which belongs to ${owners}. ${seeHelp(others.length === 0 ? owner : command)}`,
  );
}

function parse(argv: readonly string[]): { values: Record<string, unknown>; positionals: string[] } {
  try {
    return parseArgs({ args: [...argv], options: PARSED_OPTIONS, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(`${explain(error as Error & { readonly code?: string }, argv)} ${seeHelp(undefined)}`, {
      cause: error,
    });
  }
}

/** Replaces the parser's message, which is written for programmers. */
function explain({ code, message }: Error & { readonly code?: string }, argv: readonly string[]): string {
  const option = /'(-[^ '=]*)/.exec(message)?.[1] ?? "";
  if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
    const known = Object.keys(ALL_OPTIONS).map((name) => `--${name}`);
    return `Unknown option ${option || argv.find((word) => word.startsWith("-"))}.${suggest(option, known)}`;
  }
  const name = /--([\w-]+)/.exec(message)?.[1] ?? "";
  const value = ALL_OPTIONS[name]?.value;
  if (value === undefined) return `Option --${name} takes no value.`;
  return `Option --${name} needs a value: --${name} ${value}, or --${name}=${value} if it begins with a dash.`;
}

function suggest(word: string, known: readonly string[]): string {
  const meant = nearest(word, known);
  return meant === undefined ? "" : ` Did you mean ${meant.startsWith("-") ? meant : `"${meant}"`}?`;
}

/** The last sentence of every usage error. */
export const seeHelp = (command: CommandName | GroupName | undefined): string =>
  `Run "image-store ${command === undefined ? "" : `${command} `}--help" for help.`;
