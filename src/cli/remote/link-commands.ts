import { CONNECTION, type Command, REMOTE_EXITS } from "../command.ts";

export const SHARE_GROUP = { summary: "Links by which people without a key see an album.", short: "share create" };
export const TICKET_GROUP = { summary: "URLs by which clients without a key upload.", short: "ticket create" };

export type LinkCommandName =
  | "share create"
  | "share list"
  | "share show"
  | "share revoke"
  | "ticket create"
  | "ticket list"
  | "ticket revoke"
  | "open";

export const LINK_COMMANDS: Readonly<Record<LinkCommandName, Command>> = {
  "share create": {
    operand: "ALBUM",
    summary: "Make a link by which people without a key see an album.",
    details: '"image-store share ALBUM" is short for it.',
    json: "the share, with its URL",
    exits: REMOTE_EXITS,
    options: {
      label: { value: "TEXT", help: "Whom the link is for." },
      write: { help: "Holders of the link may also add images." },
      originals: { help: "Holders of the link may also download images as they were uploaded." },
      expires: {
        value: "WHEN",
        help: "When the link ends: a time from now such as 7d, a date and time, or never [30d].",
      },
      ...CONNECTION,
    },
    flags: [],
    examples: [
      ["image-store share create Summer --label Ann", "Print a link for one person. It ends in 30 days."],
      ["image-store share Summer --originals --json | jq -r .id", "Print the id of the new share."],
    ],
  },
  "share list": {
    operand: "ALBUM",
    summary: "List the shares of an album: id, rights, expiry, uses, label.",
    json: "a share, as the API has it",
    exits: REMOTE_EXITS,
    options: CONNECTION,
    flags: [],
    examples: [
      ["image-store share list Summer", "List who has a link to the album."],
      ["image-store share list Summer --json | jq 'select(.uses == 0)'", "Print the shares that were not used."],
    ],
  },
  "share show": {
    operand: "ALBUM ID",
    operands: 2,
    summary: "Print a share, without its link.",
    json: "the share, as the API has it",
    exits: REMOTE_EXITS,
    options: CONNECTION,
    flags: [],
    examples: [
      ["image-store share show Summer 6zqkP0aYH3cVbN1w", "Print one field per line."],
      ["image-store share show Summer 6zqkP0aYH3cVbN1w --json | jq .lastUsedAt", "Print when it was used last."],
    ],
  },
  "share revoke": {
    operand: "ALBUM ID…",
    operands: Number.POSITIVE_INFINITY,
    summary: "Revoke shares. Their links, and the sessions made with them, end.",
    json: "the id of a share, with action",
    exits: REMOTE_EXITS,
    options: CONNECTION,
    flags: [],
    examples: [
      ["image-store share revoke Summer 6zqkP0aYH3cVbN1w", "End a link. The list of shares has the id."],
      ["image-store share revoke Summer 6zqkP0aYH3cVbN1w x2BvQ7LmT9sRk4Wd", "End two links."],
    ],
  },
  "ticket create": {
    operand: "ALBUM",
    summary: "Make a URL by which a client without a key uploads files to an album.",
    details: '"image-store ticket ALBUM" is short for it.',
    json: "the ticket, with its URL",
    exits: REMOTE_EXITS,
    options: {
      files: { value: "COUNT", help: "How many files may be uploaded [1]." },
      name: { value: "NAME", help: "Name of the image, for a ticket of one file." },
      expires: { value: "TIME", help: "When the ticket ends: a time from now, from 1m to 24h [1h]." },
      ...CONNECTION,
    },
    flags: [],
    examples: [
      ["image-store ticket create Summer --name lake.jpg", "Print a URL for one image. It ends in an hour."],
      ["image-store ticket Summer --files 20 --expires 10m", "Print a URL for 20 files."],
    ],
  },
  "ticket list": {
    operand: "ALBUM",
    summary: "List the upload tickets of an album: id, files left, expiry, name.",
    json: "a ticket, as the API has it",
    exits: REMOTE_EXITS,
    options: CONNECTION,
    flags: [],
    examples: [
      ["image-store ticket list Summer", "List the tickets that have not ended."],
      ["image-store ticket list Summer --json | jq .filesLeft", "Print how many files each still takes."],
    ],
  },
  "ticket revoke": {
    operand: "ALBUM ID…",
    operands: Number.POSITIVE_INFINITY,
    summary: "Revoke upload tickets.",
    json: "the id of a ticket, with action",
    exits: REMOTE_EXITS,
    options: CONNECTION,
    flags: [],
    examples: [
      ["image-store ticket revoke Summer 6zqkP0aYH3cVbN1w", "End a ticket. The list of tickets has the id."],
      ["image-store ticket revoke Summer 6zqkP0aYH3cVbN1w x2BvQ7LmT9sRk4Wd", "End two tickets."],
    ],
  },
  open: {
    operand: "[ALBUM[/IMAGE]]",
    summary: "Open the store's page, an album on it, or an image, in a browser.",
    details:
      "The command prints the URL. On a terminal, it also opens it, with the program in BROWSER or the default browser. With a key, the URL of " +
      "an image is a signed link that ends in an hour.",
    json: "the URL, and whether a browser was started",
    exits: { 1: "The store failed, has no page, or has no such album or image." },
    options: { print: { help: "Only print the URL." }, ...CONNECTION },
    flags: [],
    examples: [
      ["image-store open Summer", "Show an album on the store's page."],
      ["image-store open Summer/lake.jpg --print", "Print a URL that shows an image."],
    ],
  },
};
