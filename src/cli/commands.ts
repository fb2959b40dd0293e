import type { Setting } from "../config/setting.ts";
import { SETTINGS } from "../config/settings.ts";
import { type Command, type CommandGroup, JSON_OPTION, type Option } from "./command.ts";
import { COMPLETION_COMMANDS, type CompletionCommandName } from "./completion/commands.ts";
import { KEY_COMMANDS, KEY_GROUP, type KeyCommandName } from "./key-commands.ts";
import { CURSOR_GROUP, QUOTA_GROUP } from "./remote/admin-commands.ts";
import { REMOTE_COMMANDS, type RemoteCommandName } from "./remote/commands.ts";
import { SHARE_GROUP, TICKET_GROUP } from "./remote/link-commands.ts";
import { WEBHOOK_GROUP } from "./remote/webhook-commands.ts";

export type CommandName =
  | "serve"
  | "check"
  | "backup"
  | "restore"
  | "epoch"
  | KeyCommandName
  | "openapi"
  | RemoteCommandName
  | CompletionCommandName
  | "help"
  | "version";

export const COMMANDS: Readonly<Record<CommandName, Command>> = {
  serve: {
    summary: "Serve the store. This is the default command.",
    details: "On SIGTERM or SIGINT it finishes running requests and exits.",
    json: "a line of the log",
    exits: { 1: "The store could not start.", 70: "The catalog failed beyond repair. Start the store again." },
    options: { json: JSON_OPTION },
    flags: "all",
    examples: [
      ["image-store --data /var/lib/image-store", "Serve that folder on http://127.0.0.1:8080."],
      [
        "image-store serve --host 0.0.0.0 --api-keys-file keys",
        "Serve other machines. Clients need a key from that file.",
      ],
    ],
  },
  check: {
    summary: "Verify the bytes of every image and look for blobs without a record.",
    details:
      "It may run beside a server. It prints damaged images and blobs without a record, and exits with 1 if it finds any.",
    json: "a finding or a repair, then the totals",
    exits: { 1: "It found damaged images or blobs without a record, or it failed." },
    options: {
      repair: { help: "Repair images whose bytes are intact elsewhere, and copy doubtful bytes to quarantine." },
      from: {
        value: "BACKUP",
        help: "With --repair: take lost bytes from the backup in that folder.",
      },
      json: JSON_OPTION,
    },
    flags: ["data"],
    examples: [
      ["image-store check --data /var/lib/image-store", "Verify the store in that folder."],
      ["image-store check --repair", "Repair damaged images. Nothing is removed."],
      ["image-store check --repair --from /mnt/backup/store", "Use the bytes of a backup too."],
    ],
  },
  backup: {
    operand: "DIR",
    summary: "Copy the store into a folder.",
    details: "It may run beside a server. A folder with an earlier backup of the store gets only new images.",
    json: "a damaged image, then the totals",
    exits: { 1: "Images are damaged, or the backup failed." },
    options: { verify: { help: "Also read the bytes that the folder already has." }, json: JSON_OPTION },
    flags: ["data"],
    examples: [
      ["image-store backup /mnt/backup/store", "Copy the store in ./data. A second run copies only new images."],
      ["image-store backup /mnt/backup/store --verify", "Also verify the earlier copies."],
    ],
  },
  restore: {
    operand: "DIR",
    summary: "Restore a backup into an empty data folder.",
    json: "a damaged image, then the totals",
    exits: { 1: "Images are damaged, or the restore failed." },
    options: {
      partial: {
        help: "Restore a damaged backup. Images without bytes get 503 until they are uploaded again.",
      },
      "keep-webhooks": { help: "Let webhooks go on. Without it they are paused, so that a copy sends nothing." },
      json: JSON_OPTION,
    },
    flags: ["data"],
    examples: [
      ["image-store restore /mnt/backup/store --data ./restored", "Restore into ./restored."],
      ["image-store restore /mnt/backup/store --partial", "Restore as much as a damaged backup has."],
      ["image-store restore /mnt/backup/store --keep-webhooks", "Replace a lost store, which sent webhooks."],
    ],
  },
  epoch: {
    summary: "Print the epoch of the event log.",
    json: "the epoch",
    exits: { 1: "There is no store, or it is in use." },
    options: {
      renew: { help: "Begin a new epoch. Required after you restore the catalog to an earlier time." },
      "pause-webhooks": { help: "With --renew: pause all webhooks, so that a copy of a store sends nothing." },
      json: JSON_OPTION,
    },
    flags: ["data"],
    examples: [
      ["image-store epoch", "Print the epoch of the store in ./data."],
      ["image-store epoch --renew", "Begin a new epoch before a node starts on a restored database."],
      ["image-store epoch --renew --pause-webhooks", "The same for a copy of a store that is in use."],
    ],
  },
  ...KEY_COMMANDS,
  openapi: {
    summary: "Print the OpenAPI description of the API.",
    json: "the description, in one line",
    exits: {},
    options: { json: JSON_OPTION },
    flags: [],
    examples: [
      ["image-store openapi > openapi.json", "Write the description to a file."],
      ["image-store openapi | jq '.paths | keys'", "List the paths of the API."],
    ],
  },
  ...REMOTE_COMMANDS,
  ...COMPLETION_COMMANDS,
  help: {
    operand: "[COMMAND]",
    operands: 2,
    summary: "Print help.",
    json: "a command with its options and exit codes",
    exits: {},
    options: { json: JSON_OPTION },
    flags: [],
    examples: [
      ["image-store help", "List the commands and the settings."],
      ["image-store help key create", "Print the help of one command."],
    ],
  },
  version: {
    summary: "Print the version.",
    json: "the version",
    exits: {},
    options: { json: JSON_OPTION },
    flags: [],
    examples: [
      ["image-store version", "Print the version."],
      ["image-store --version", "Print the version."],
    ],
  },
};

const GROUP_NAMES = ["key", "share", "ticket", "cursor", "webhook", "quota"] as const;
export type GroupName = (typeof GROUP_NAMES)[number];

export const GROUPS: Readonly<Record<GroupName, CommandGroup>> = {
  key: KEY_GROUP,
  share: SHARE_GROUP,
  ticket: TICKET_GROUP,
  cursor: CURSOR_GROUP,
  webhook: WEBHOOK_GROUP,
  quota: QUOTA_GROUP,
};

export const groupNamed = (word: string): GroupName | undefined => GROUP_NAMES.find((known) => known === word);

/** The commands of the group: `key create` and so on. */
export const commandsOf = (group: GroupName): readonly CommandName[] =>
  COMMAND_NAMES.filter((name) => name.startsWith(`${group} `));

const FLAG_VALUES: Readonly<Record<string, string>> = {
  host: "ADDRESS",
  port: "PORT",
  data: "DIR",
  "kafka-url": "URL",
  "public-url": "URL",
  "api-keys-file": "FILE",
  "max-upload": "SIZE",
  "log-level": "LEVEL",
  "log-format": "FORMAT",
};

/** The flags of settings as options. A flag whose default is `false` has no value. */
export const SETTING_OPTIONS: Readonly<Record<string, Option>> = Object.fromEntries(
  Object.values<Setting<unknown>>(SETTINGS).flatMap(({ flag, help, default: fallback, defaultHelp }) => {
    if (flag === undefined) return [];
    if (fallback === "false") return [[flag, { help }]];
    const standing = fallback || defaultHelp;
    const shown = standing === undefined ? help : `${help} [${standing}]`;
    return [[flag, { value: FLAG_VALUES[flag] ?? "VALUE", help: shown }]];
  }),
);

const HELP: Option = { help: "Print this help." };

/** Every option of the command: its own, then the flags of settings. */
export function optionsOf(name: CommandName): Readonly<Record<string, Option>> {
  const { options, flags } = COMMANDS[name];
  const settings = Object.entries(SETTING_OPTIONS).filter(([flag]) => flags === "all" || flags.includes(flag));
  return { ...options, ...Object.fromEntries(settings), help: HELP };
}

/** Every option of every command, for the parser. */
export const ALL_OPTIONS: Readonly<Record<string, Option>> = {
  ...SETTING_OPTIONS,
  ...Object.assign({}, ...Object.values(COMMANDS).map(({ options }) => options)),
  help: HELP,
  version: { help: "Print the version." },
};

export const COMMAND_NAMES = Object.keys(COMMANDS) as readonly CommandName[];
