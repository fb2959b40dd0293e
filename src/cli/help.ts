import type { Setting } from "../config/setting.ts";
import { PREFIX, SETTING_GROUPS } from "../config/settings.ts";
import type { Option } from "./command.ts";
import {
  COMMAND_NAMES,
  COMMANDS,
  type CommandName,
  commandsOf,
  GROUPS,
  type GroupName,
  groupNamed,
  optionsOf,
} from "./commands.ts";

const WIDTH = 100;

const INTRODUCTION = "Image Store: albums and images behind a REST API, with an event for every change.";
const VALUES = "Sizes: 1048576, 256KiB, 100MiB, 1GiB. Times: 500ms, 30s, 15m, 1h, 30d.";
const EXIT_CODES =
  "Exit codes: 0 success, 1 failure or findings, 2 invalid usage or configuration, 70 fatal catalog failure.";

/** The help of one command, or the list of all commands and settings. */
export function helpText(topic?: CommandName | GroupName): string {
  if (topic === undefined) return overview();
  const group = groupNamed(topic);
  return group === undefined ? commandHelp(topic as CommandName) : groupHelp(group);
}

/** As `--json` prints it. */
export const helpDocument = (name: CommandName) => ({
  command: name,
  usage: usage(name),
  summary: COMMANDS[name].summary,
  options: Object.entries(optionsOf(name)).map(([option, { value = null, help }]) => ({ name: option, value, help })),
  exitCodes: exitCodesOf(name),
});

/** What each exit code of the command means. */
export const exitCodesOf = (name: CommandName): Readonly<Record<number, string>> => ({
  0: "Success.",
  2: "The command line or the configuration is not valid.",
  ...COMMANDS[name].exits,
});

function overview(): string {
  const rows = COMMAND_NAMES.map((name): readonly [string, string] => {
    const group = groupNamed(name.split(" ", 1)[0] ?? "");
    return group === undefined ? [usage(name), COMMANDS[name].summary] : groupRow(group);
  });
  const commands = [...new Map(rows).entries()];
  const settings = Object.entries(SETTING_GROUPS).map(
    ([title, group]) => `${title}:\n${Object.entries(group).map(settingHelp).join("")}`,
  );
  return [
    `${INTRODUCTION}\n`,
    `Commands:\n${table(commands)}`,
    'Run "image-store COMMAND --help" for the options of a command and for examples.\n',
    "Settings are environment variables; a flag overrides its variable.\n",
    ...settings,
    `${VALUES}\n${EXIT_CODES}\n`,
  ].join("\n");
}

const groupRow = (group: GroupName): readonly [string, string] => [
  `image-store ${group} COMMAND`,
  `${GROUPS[group].summary} (${commandsOf(group)
    .map((name) => name.slice(group.length + 1))
    .join(", ")})`,
];

function settingHelp([name, { flag, help, default: standard, defaultHelp }]: [string, Setting<unknown>]): string {
  const fallback = standard || defaultHelp;
  const text = fallback === undefined ? help : `${help} [${fallback}]`;
  const indent = " ".repeat(6);
  return `  ${PREFIX}${name}${flag === undefined ? "" : `, --${flag}`}\n${indent}${wrap(text, indent)}\n`;
}

function groupHelp(group: GroupName): string {
  const names = commandsOf(group);
  const examples = names.map((name) => COMMANDS[name].examples[0]).filter((example) => example !== undefined);
  return [
    `Usage: image-store ${group} COMMAND [OPTIONS]\n`,
    `${GROUPS[group].summary}\n`,
    `Commands:\n${table(names.map((name) => [usage(name), COMMANDS[name].summary] as const))}`,
    `Examples:\n${examples.map(exampleText).join("")}`,
    `Run "image-store ${group} COMMAND --help" for the options of a command.\n`,
  ].join("\n");
}

const exampleText = ([command, meaning]: readonly [string, string]): string => `  ${command}\n      ${meaning}\n`;

function commandHelp(name: CommandName): string {
  const { summary, details, examples } = COMMANDS[name];
  const options = Object.entries(optionsOf(name)).map(
    ([option, description]) => [written(option, description), description.help] as const,
  );
  return [
    `Usage: ${usage(name)} [OPTIONS]\n`,
    `${wrap(details === undefined ? summary : `${summary} ${details}`, "")}\n`,
    `Options:\n${table(options)}`,
    `Examples:\n${examples.map(exampleText).join("")}`,
    `Exit codes:\n${table(Object.entries(exitCodesOf(name)))}`,
    ...(COMMANDS[name].flags.length === 0 ? [] : ['Environment variables: run "image-store help".\n']),
  ].join("\n");
}

export function usage(name: CommandName): string {
  const { operand } = COMMANDS[name];
  return `image-store ${name}${operand === undefined ? "" : ` ${operand}`}`;
}

const written = (name: string, { value }: Option): string =>
  `${name === "help" ? "-h, " : ""}--${name}${value === undefined ? "" : ` ${value}`}`;

function table(rows: readonly (readonly [left: string, right: string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length)) + 4;
  return rows.map(([left, right]) => `  ${left.padEnd(width - 2)}${wrap(right, " ".repeat(width))}\n`).join("");
}

/** Breaks the text into lines of at most {@link WIDTH}; all but the first begin with `indent`. */
function wrap(text: string, indent: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && indent.length + last.length + word.length < WIDTH)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join(`\n${indent}`);
}
