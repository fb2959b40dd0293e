import { CONNECTION, type Command, type Option, REMOTE_EXITS } from "../command.ts";

export const WEBHOOK_GROUP = { summary: "URLs to which the store sends events." };

export type WebhookCommandName =
  | "webhook create"
  | "webhook list"
  | "webhook show"
  | "webhook update"
  | "webhook delete"
  | "webhook pause"
  | "webhook resume"
  | "webhook test"
  | "webhook replay"
  | "webhook deliveries"
  | "webhook rotate-secret";

const EXITS = { 1: "The store failed, refused the request, or has no such webhook." };
const RECORD = "the webhook, as the API has it";
const ID = "4Bq7mXw2Zr9TkLc1";

const SELECTION = {
  types: {
    value: "TYPES",
    help: "Types of events to send, such as image.created,image.deleted; all: all of albums and images.",
  },
  albums: {
    value: "PATTERN",
    repeats: true,
    help: "Only events of this album, or with * at its end of albums whose names begin so. May be repeated; '*' alone: all.",
  },
  description: { value: "TEXT", help: "What the webhook is for." },
} satisfies Record<string, Option>;

const SECRET = {
  "secret-file": {
    value: "FILE",
    help: "Sign with the secret in the first line of this file (whsec_…); - reads standard input.",
  },
} satisfies Record<string, Option>;

const onOne = (
  command: Pick<Command, "summary" | "examples"> & Partial<Omit<Command, "summary" | "examples">>,
): Command => ({
  operand: "ID",
  json: RECORD,
  exits: EXITS,
  flags: [],
  ...command,
  options: { ...command.options, ...CONNECTION },
});

export const WEBHOOK_COMMANDS: Readonly<Record<WebhookCommandName, Command>> = {
  "webhook create": onOne({
    operand: "URL",
    summary: "Send events to a URL from now on, and print the secret that signs them.",
    details: "The secret is not shown again. Without --types, the events of albums and images are sent.",
    json: "the webhook with its secret, as the API has it",
    options: {
      ...SELECTION,
      from: { value: "CURSOR", help: "Send the events behind this cursor too, such as the watermark of a listing." },
      ...SECRET,
    },
    examples: [
      ["image-store webhook create https://hooks.example.com/images", "Send every change of albums and images."],
      [
        "image-store webhook create https://example.com/purge --types image.deleted --albums 'a-*'",
        "Send what is deleted from some albums.",
      ],
    ],
  }),
  "webhook list": {
    summary: "List the webhooks: id, state, events behind, URL, description.",
    json: RECORD,
    exits: REMOTE_EXITS,
    options: CONNECTION,
    flags: [],
    examples: [
      ["image-store webhook list", "List the webhooks of the store."],
      ["image-store webhook list --json | jq 'select(.disabled != null).id'", "Print those that the store disabled."],
    ],
  },
  "webhook show": onOne({
    summary: "Print a webhook and how far its deliveries are.",
    examples: [
      [`image-store webhook show ${ID}`, "Print one field per line."],
      [`image-store webhook show ${ID} --json | jq .delivery`, "Print how far it is."],
    ],
  }),
  "webhook update": onOne({
    summary: "Change the URL, the types or albums, or the description of a webhook.",
    details: "With another URL, what waits for a retry is sent at once.",
    options: { to: { value: "URL", help: "Send the events to this URL." }, ...SELECTION },
    examples: [
      [`image-store webhook update ${ID} --to https://hooks.example.com/new`, "Send the events elsewhere."],
      [`image-store webhook update ${ID} --types all --albums '*'`, "Send the events of all albums."],
    ],
  }),
  "webhook delete": onOne({
    summary: "Delete a webhook, and the record of its deliveries.",
    json: "the id of the webhook, with action",
    examples: [
      [`image-store webhook delete ${ID}`, "Send nothing to it any more."],
      [`image-store webhook delete ${ID} --json`, "Print the result as JSON."],
    ],
  }),
  "webhook pause": onOne({
    summary: "Stop the deliveries of a webhook. The log keeps its events.",
    examples: [
      [`image-store webhook pause ${ID}`, "Send nothing until it is resumed."],
      [`image-store webhook pause ${ID} --json | jq .delivery.cursor`, "Print where it stopped."],
    ],
  }),
  "webhook resume": onOne({
    summary: "Let a webhook that was paused or disabled go on where it stopped.",
    details: "What waits for a retry is sent at once.",
    examples: [
      [`image-store webhook resume ${ID}`, "Send what came meanwhile."],
      [`image-store webhook resume ${ID} --json | jq .delivery.lagEvents`, "Print how many events are behind it."],
    ],
  }),
  "webhook test": onOne({
    summary: "Send a test event to a webhook, and print the response.",
    json: "what came of the attempt, as the API has it",
    exits: { 1: "The event was not delivered, or the store has no such webhook." },
    examples: [
      [`image-store webhook test ${ID}`, "Print whether the receiver has it."],
      [`image-store webhook test ${ID} --json | jq -r .response`, "Print the beginning of the response."],
    ],
  }),
  "webhook replay": onOne({
    summary: "Send events of a webhook again.",
    details:
      "Without --to, the webhook goes back to --from, and on from there. With it, the range is sent beside new events.",
    json: "the range, as the API has it, with action",
    options: {
      from: {
        value: "CURSOR|TIME",
        help: "Send again what follows this cursor, or the events since this time (RFC 3339).",
      },
      to: { value: "CURSOR|TIME", help: "End at this cursor or time." },
    },
    examples: [
      [`image-store webhook replay ${ID} --from 2026-07-14T09:30:00Z`, "Send the events since a time again."],
      [
        `image-store webhook replay ${ID} --from 2026-07-14T09:30:00Z --to 2026-07-14T10:00:00Z`,
        "Send half an hour again.",
      ],
    ],
  }),
  "webhook deliveries": onOne({
    summary: "List the last attempts of a webhook, newest first: time, result, milliseconds, type, event.",
    json: "an attempt, as the API has it",
    options: { failed: { help: "List only attempts that failed." } },
    examples: [
      [`image-store webhook deliveries ${ID} | head`, "List the newest."],
      [`image-store webhook deliveries ${ID} --failed --json | jq -r .error.detail`, "Print why attempts failed."],
    ],
  }),
  "webhook rotate-secret": onOne({
    summary: "Give a webhook another secret, and print it. The former one signs too for 24 hours.",
    json: "the webhook with its new secret, as the API has it",
    options: SECRET,
    examples: [
      [`image-store webhook rotate-secret ${ID}`, "Print the new secret."],
      [`pass show hooks | image-store webhook rotate-secret ${ID} --secret-file -`, "Sign with a secret of your own."],
      [`image-store webhook rotate-secret ${ID} --json | jq -r .formerSecretsUntil`, "Print until when both sign."],
    ],
  }),
};
