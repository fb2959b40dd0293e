import { CONNECTION, type Command, LIMITS, REMOTE_EXITS } from "../command.ts";

export const CURSOR_GROUP = { summary: "Durable readers of the event log." };
export const QUOTA_GROUP = { summary: "Limits on bytes and images of the store, an album or a key." };

export type AdminCommandName =
  | "cursor list"
  | "cursor show"
  | "cursor delete"
  | "cursor rewind"
  | "quota list"
  | "quota show"
  | "quota set"
  | "quota remove"
  | "token";

const SCOPE = "store | album ALBUM | key ID";

export const ADMIN_COMMANDS: Readonly<Record<AdminCommandName, Command>> = {
  "cursor list": {
    summary: "List the durable readers of the event log: name, lag in events and time.",
    json: "a cursor, as the API has it",
    exits: REMOTE_EXITS,
    options: CONNECTION,
    flags: [],
    examples: [
      ["image-store cursor list", "List the readers that keep the store from deleting events."],
      ["image-store cursor list --json | jq 'select(.lagSeconds > 3600).name'", "Print readers that are an hour late."],
    ],
  },
  "cursor show": {
    operand: "NAME",
    summary: "Print a durable reader of the event log.",
    json: "the cursor, as the API has it",
    exits: { 1: "The store failed, refused the request, or has no such cursor." },
    options: CONNECTION,
    flags: [],
    examples: [
      ["image-store cursor show thumbnails", "Print one field per line."],
      ["image-store cursor show thumbnails --json | jq .lagEvents", "Print how many events it has not read."],
    ],
  },
  "cursor rewind": {
    operand: "NAME",
    summary: "Set a durable reader of the event log back, so that it reads events again.",
    details:
      "The relay to Kafka publishes the events again, in their order, and then new ones. A reader that has not passed the position stays where it is.",
    json: "the cursor, as the API has it, with action",
    exits: { 1: "The store failed, refused the request, or has no such cursor or no longer the events." },
    options: {
      to: {
        value: "CURSOR|TIME",
        help: "Read again what follows this cursor, or the events since this time (RFC 3339).",
      },
      ...CONNECTION,
    },
    flags: [],
    examples: [
      [
        "image-store cursor rewind image-store.events --to 2026-07-14T09:30:00Z",
        "Publish the events since a time again.",
      ],
      [
        "image-store cursor rewind image-store.events --to MS4yOTUwMDMyMS4xMDQy",
        "Publish what follows a cursor again.",
      ],
    ],
  },
  "cursor delete": {
    operand: "NAME",
    summary: "Delete a durable reader of the event log. The store may then delete events that the reader has not read.",
    json: "the name of the cursor, with action",
    exits: { 1: "The store failed, refused the request, or has no such cursor." },
    options: CONNECTION,
    flags: [],
    examples: [
      ["image-store cursor delete thumbnails", "Delete a reader that is no longer used."],
      ["image-store cursor delete thumbnails --json", "Print the result as JSON."],
    ],
  },
  "quota list": {
    summary: "List the quotas: scope, images and bytes of their limits.",
    json: "a quota, as the API has it",
    exits: REMOTE_EXITS,
    options: CONNECTION,
    flags: [],
    examples: [
      ["image-store quota list", "List every quota that is set."],
      ["image-store quota list --json | jq -r .scope", "Print the scope of each quota."],
    ],
  },
  "quota show": {
    operand: SCOPE,
    operands: 2,
    summary: "Print the limits of the store, an album or a key, and what is used.",
    json: "the quota, as the API has it",
    exits: REMOTE_EXITS,
    options: CONNECTION,
    flags: [],
    examples: [
      ["image-store quota show store", "Print how much the whole store has."],
      ["image-store quota show album Summer", "Print limits and use of an album."],
    ],
  },
  "quota set": {
    operand: SCOPE,
    operands: 2,
    summary: "Limit bytes or images of the store, an album or a key.",
    details:
      "A limit that is not given stays as it is. A limit below what is used refuses uploads, and deletes nothing.",
    json: "the quota, as the API has it",
    exits: REMOTE_EXITS,
    options: { ...LIMITS, ...CONNECTION },
    flags: [],
    examples: [
      ["image-store quota set album Summer --max-bytes 10GiB --max-images 5000", "Limit an album."],
      ["image-store quota set key 6zqkP0aYH3cVbN1w --max-images none", "Let a key upload any number of images."],
    ],
  },
  "quota remove": {
    operand: SCOPE,
    operands: 2,
    summary: "Remove the limits of the store, an album or a key.",
    json: "the scope of the quota, with action",
    exits: REMOTE_EXITS,
    options: CONNECTION,
    flags: [],
    examples: [
      ["image-store quota remove store", "Let the store grow."],
      ["image-store quota remove album Summer", "Remove the limits of an album."],
    ],
  },
  token: {
    operand: "[TOKEN]",
    summary: "Print the caller that a key or a token (JWT) stands for, and what it may do.",
    details:
      "Without TOKEN, the command uses its own key. With -, it reads TOKEN from standard input. If the store refuses a JWT, the command names what is " +
      "wrong with the claims, as far as they show it. It does not verify the signature.",
    json: "the caller with its grants, and the token's claims with their problems",
    exits: { 1: "The store failed, or refuses the token." },
    options: CONNECTION,
    flags: [],
    examples: [
      ["image-store token", "Print what the key in use may do."],
      ["image-store token - < token.jwt", "Print what the rules of the store grant to a token of your login."],
    ],
  },
};
