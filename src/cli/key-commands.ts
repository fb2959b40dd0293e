import { RIGHTS, ROLES } from "../domain/access.ts";
import { CONNECTION, type Command, JSON_OPTION, LIMITS, type Option } from "./command.ts";

export const KEY_GROUP = { summary: "Make, list, change and revoke API keys.", short: "key entry" };

export type KeyCommandName = "key create" | "key list" | "key show" | "key update" | "key revoke" | "key entry";

const rightsHelp = (): string => {
  const roles = [...ROLES].map(([role, rights]) => `${role} (${rights.join(", ")})`);
  return `Rights, separated by commas: ${RIGHTS.join(", ")}. Or roles: ${roles.join(", ")}.`;
};

const RIGHTS_OPTION: Option = { value: "RIGHTS", help: rightsHelp() };

const GRANT = {
  role: { value: "ROLE", help: "Role of the key: viewer, uploader, editor or admin." },
  rights: RIGHTS_OPTION,
  albums: {
    value: "PATTERN",
    repeats: true,
    help: "Name of an album, or the beginning of names and *. May be given several times. Without it, all albums.",
  },
} satisfies Record<string, Option>;

const EXPIRES: Option = {
  value: "WHEN",
  help: "When the key expires: a time from now such as 30d, 2027-01-01T00:00:00Z, or never.",
};

const WHERE =
  "With --data, it changes the catalog of the store itself, also while the store runs or before its first start, and needs no key. " +
  "Without --url, IMAGE_STORE_URL and a profile, that is the default.";

const EXITS = { 1: "The store failed, refused the request, or has no such key." };
const KEY_JSON = "the key, as the API has it";

/** Those that need the right `admin`, or the catalog of the store. */
export const KEY_COMMANDS: Readonly<Record<KeyCommandName, Command>> = {
  "key create": {
    operand: "NAME",
    summary: "Make an API key, and print it.",
    details: `The key is not shown again. The first key closes a store to clients without one. ${WHERE}`,
    json: `${KEY_JSON}, with its secret`,
    exits: EXITS,
    options: { ...GRANT, expires: EXPIRES, ...LIMITS, ...CONNECTION },
    flags: ["data"],
    examples: [
      ["image-store key create admin --role admin", "Make a key that may do everything. A new store needs this first."],
      ["image-store key create web --role viewer --albums 'client-*'", "Make a key that sees some albums."],
      [
        "image-store key create cam --role uploader --expires 30d --max-bytes 10GiB",
        "Make a key with an end and a quota.",
      ],
    ],
  },
  "key list": {
    summary: "List API keys: id, name, grants, expiry, last use.",
    details: WHERE,
    json: "a key, as the API has it",
    exits: EXITS,
    options: { revoked: { help: "Also list revoked keys." }, ...CONNECTION },
    flags: ["data"],
    examples: [
      ["image-store key list", "List the keys that are not revoked."],
      [
        "image-store key list --json | jq -r 'select(.lastUsedAt == null).id'",
        "Print ids of keys that were never used.",
      ],
    ],
  },
  "key show": {
    operand: "ID",
    summary: "Print an API key, without its secret, and its quota.",
    json: `${KEY_JSON}, and its quota`,
    exits: EXITS,
    options: CONNECTION,
    flags: [],
    examples: [
      ["image-store key show 6zqkP0aYH3cVbN1w", "Print one field per line."],
      ["image-store key show 6zqkP0aYH3cVbN1w --json | jq .quota.used", "Print what its uploads take."],
    ],
  },
  "key update": {
    operand: "ID",
    summary: "Change an API key: its name, rights, albums, expiry or quota.",
    details: "What is not given stays. --albums '*' gives all albums. The change holds from the key's next request on.",
    json: KEY_JSON,
    exits: EXITS,
    options: {
      name: { value: "NAME", help: "New name of the key." },
      ...GRANT,
      expires: EXPIRES,
      ...LIMITS,
      ...CONNECTION,
    },
    flags: [],
    examples: [
      ["image-store key update 6zqkP0aYH3cVbN1w --role editor", "Give the key the rights of editors."],
      ["image-store key update 6zqkP0aYH3cVbN1w --albums a --albums 'b-*' --expires never", "Limit it to some albums."],
    ],
  },
  "key revoke": {
    operand: "ID",
    summary: "Revoke an API key. A running server refuses it within two seconds.",
    details: WHERE,
    json: "the id of the key, with action",
    exits: EXITS,
    options: {
      recursive: {
        help: "Also revoke the keys that the key made, those that they made, and the shares and tickets of all.",
      },
      ...CONNECTION,
    },
    flags: ["data"],
    examples: [
      ["image-store key revoke 6zqkP0aYH3cVbN1w", "Revoke a key."],
      ["image-store key revoke 6zqkP0aYH3cVbN1w --recursive", "Revoke a leaked key, and all access that it gave."],
    ],
  },
  "key entry": {
    operand: "NAME",
    summary: "Print a new key and its entry for IMAGE_STORE_API_KEYS. Changes no store.",
    details:
      "The first line is the key. The second is the entry, also for the file that IMAGE_STORE_API_KEYS_FILE names. " +
      '"image-store key NAME" is short for it.',
    json: "the key and its entry",
    exits: {},
    options: { rights: RIGHTS_OPTION, json: JSON_OPTION },
    flags: [],
    examples: [
      ["image-store key entry app --rights editor", "Print a key and its entry."],
      ["image-store key metrics --rights admin | tail -n 1 >> keys", "Add the entry of a new key to a file."],
    ],
  },
};
