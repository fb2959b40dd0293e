import type { CommandName } from "../../src/cli/commands.ts";
import { until } from "../waiting.ts";

/** What the command lines of a case are about. */
export interface Place {
  /** Of a store that needs a key. */
  readonly url: string;
  readonly key: string;
  /** Of the embedded store that the commands of operators work on. */
  readonly data: string;
  /** A folder with `a.png`. */
  readonly photos: string;
  /** A folder that is new for each case. */
  readonly folder: string;
  /** An album with the image `a.png`, new for each case. */
  readonly album: string;
  /** Makes what a command needs, and returns its id. */
  readonly made: (...argv: readonly string[]) => Promise<string>;
}

/** A command line that succeeds and prints JSON, and one that fails. */
export interface CommandCase {
  readonly works: (place: Place) => readonly string[] | Promise<readonly string[]>;
  readonly fails: (place: Place) => readonly string[];
  readonly code: 1 | 2;
  readonly message: string;
}

const noAlbum = { code: 1, message: "There is no such album." } as const;
const noStore = { code: 1, message: "There is no store" } as const;
const nowhere = (...argv: readonly string[]) => [...argv, "--url", "http://127.0.0.1:1"];
const noAnswer = { code: 1, message: "No store answers at http://127.0.0.1:1." } as const;
const noKey = { code: 1, message: "There is no such API key" } as const;

const noWebhook = { code: 1, message: "no such webhook" } as const;
const WEBHOOK = ["webhook", "create", "https://hooks.example.com/images"] as const;

/** One for each command: the compiler asks for those of new ones. */
export const CASES: Readonly<Record<CommandName, CommandCase>> = {
  serve: {
    works: ({ folder }) => ["serve", "--data", folder],
    fails: () => ["serve", "--port", "x"],
    code: 2,
    message: "IMAGE_STORE_PORT (--port) must be",
  },
  check: {
    works: ({ data }) => ["check", "--data", data],
    fails: ({ folder }) => ["check", "--data", folder],
    ...noStore,
  },
  backup: {
    works: ({ data, folder }) => ["backup", `${folder}/backup`, "--data", data],
    fails: ({ folder }) => ["backup", `${folder}/backup`, "--data", `${folder}/none`],
    ...noStore,
  },
  restore: {
    works: async ({ data, folder, made }) => {
      await made("backup", `${folder}/backup`, "--data", data);
      return ["restore", `${folder}/backup`, "--data", `${folder}/restored`];
    },
    fails: ({ photos, folder }) => ["restore", photos, "--data", `${folder}/restored`],
    code: 1,
    message: "There is no backup",
  },
  epoch: {
    works: ({ data }) => ["epoch", "--data", data],
    fails: ({ folder }) => ["epoch", "--data", folder],
    ...noStore,
  },
  "key create": {
    works: () => ["key", "create", "web", "--role", "viewer"],
    fails: () => ["key", "create", "web"],
    code: 2,
    message: "needs a role or rights",
  },
  "key list": { works: () => ["key", "list"], fails: () => nowhere("key", "list"), ...noAnswer },
  "key show": {
    works: async ({ made }) => ["key", "show", await made("key", "create", "web", "--role", "viewer")],
    fails: () => ["key", "show", "none"],
    ...noKey,
  },
  "key update": {
    works: async ({ made }) => ["key", "update", await made("key", "create", "web", "--role", "viewer"), "--name", "x"],
    fails: () => ["key", "update", "none", "--name", "x"],
    ...noKey,
  },
  "key revoke": {
    works: async ({ made }) => ["key", "revoke", await made("key", "create", "web", "--role", "viewer")],
    fails: () => ["key", "revoke", "none"],
    ...noKey,
  },
  "key entry": {
    works: () => ["key", "entry", "app", "--rights", "read"],
    fails: () => ["key", "entry", "app", "--rights", "fly"],
    code: 2,
    message: "The key cannot be made",
  },
  openapi: { works: () => ["openapi"], fails: () => ["openapi", "x"], code: 2, message: "takes no argument" },
  ls: { works: ({ album }) => ["ls", album], fails: () => ["ls", "none"], ...noAlbum },
  stat: { works: ({ album }) => ["stat", album], fails: () => ["stat", "none"], ...noAlbum },
  put: {
    works: ({ photos, album }) => ["put", `${photos}/a.png`, album],
    fails: ({ photos, album }) => ["put", `${photos}/none.png`, album],
    code: 1,
    message: "none.png: no such file or folder",
  },
  get: {
    works: ({ album, folder }) => ["get", album, folder],
    fails: ({ folder }) => ["get", "none", folder],
    ...noAlbum,
  },
  sync: {
    works: ({ photos, album }) => ["sync", `${photos}/`, album],
    fails: ({ folder, album }) => ["sync", `${folder}/none`, album],
    code: 1,
    message: "no such file or folder",
  },
  export: {
    works: ({ album, folder }) => ["export", album, folder],
    fails: ({ folder }) => ["export", "none", folder],
    ...noAlbum,
  },
  import: {
    works: ({ photos }) => ["import", photos],
    fails: ({ folder }) => ["import", `${folder}/none`],
    code: 1,
    message: "no such file or folder",
  },
  mirror: {
    works: ({ url, folder }) => ["mirror", "--from", url, "--to", `${folder}/mirror`, "--once"],
    fails: ({ url }) => ["mirror", "--from", url],
    code: 2,
    message: '"mirror" needs --to DIR or --to URL',
  },
  rm: { works: ({ album }) => ["rm", `${album}/a.png`], fails: () => ["rm", "none"], ...noAlbum },
  mv: {
    works: ({ album }) => ["mv", `${album}/a.png`, `${album}/b.png`],
    fails: ({ album }) => ["mv", `${album}/none`, `${album}/b.png`],
    code: 1,
    message: "There is no such image",
  },
  cp: {
    works: ({ album }) => ["cp", `${album}/a.png`, album, "--if-exists", "keep-both"],
    fails: ({ album }) => ["cp", `${album}/none`, album],
    code: 1,
    message: "There is no such image",
  },
  tag: {
    works: ({ album }) => ["tag", `${album}/a.png`, "lake"],
    fails: ({ album }) => ["tag", `${album}/none`],
    code: 1,
    message: "There is no such image",
  },
  "share create": {
    works: ({ album }) => ["share", "create", album],
    fails: () => ["share", "create", "none"],
    ...noAlbum,
  },
  "share list": {
    works: async ({ album, made }) => {
      await made("share", "create", album);
      return ["share", "list", album];
    },
    fails: () => ["share", "list", "none"],
    ...noAlbum,
  },
  "share show": {
    works: async ({ album, made }) => ["share", "show", album, await made("share", "create", album)],
    fails: ({ album }) => ["share", "show", album, "none"],
    code: 1,
    message: "no such share",
  },
  "share revoke": {
    works: async ({ album, made }) => ["share", "revoke", album, await made("share", "create", album)],
    fails: ({ album }) => ["share", "revoke", album, "none"],
    code: 1,
    message: "no such share",
  },
  "ticket create": {
    works: ({ album }) => ["ticket", "create", album],
    fails: () => ["ticket", "create", "none"],
    ...noAlbum,
  },
  "ticket list": {
    works: async ({ album, made }) => {
      await made("ticket", "create", album);
      return ["ticket", "list", album];
    },
    fails: () => ["ticket", "list", "none"],
    ...noAlbum,
  },
  "ticket revoke": {
    works: async ({ album, made }) => ["ticket", "revoke", album, await made("ticket", "create", album)],
    fails: ({ album }) => ["ticket", "revoke", album, "none"],
    code: 1,
    message: "no such",
  },
  open: { works: ({ album }) => ["open", `${album}/a.png`], fails: () => ["open", "none"], ...noAlbum },
  "cursor list": { works: () => ["cursor", "list"], fails: () => nowhere("cursor", "list"), ...noAnswer },
  "cursor show": {
    works: () => ["cursor", "show", "thumbnails"],
    fails: () => ["cursor", "show", "none"],
    code: 1,
    message: "There is no cursor none.",
  },
  "cursor delete": {
    works: () => ["cursor", "delete", "thumbnails"],
    fails: () => ["cursor", "delete", "none"],
    code: 1,
    message: "no such cursor",
  },
  "cursor rewind": {
    works: () => ["cursor", "rewind", "thumbnails", "--to", "2026-07-14T09:30:00Z"],
    fails: () => ["cursor", "rewind", "none", "--to", "2026-07-14T09:30:00Z"],
    code: 1,
    message: "no such cursor",
  },
  "webhook create": {
    works: () => [...WEBHOOK, "--types", "image.created", "--albums", "a*"],
    fails: () => ["webhook", "create", "http://10.0.0.1/"],
    code: 1,
    message: "The URL must begin with https://",
  },
  "webhook list": { works: () => ["webhook", "list"], fails: () => nowhere("webhook", "list"), ...noAnswer },
  "webhook show": {
    works: async ({ made }) => ["webhook", "show", await made(...WEBHOOK)],
    fails: () => ["webhook", "show", "none"],
    ...noWebhook,
  },
  "webhook update": {
    works: async ({ made }) => ["webhook", "update", await made(...WEBHOOK), "--description", "x"],
    fails: () => ["webhook", "update", "none", "--description", "x"],
    ...noWebhook,
  },
  "webhook delete": {
    works: async ({ made }) => ["webhook", "delete", await made(...WEBHOOK)],
    fails: () => ["webhook", "delete", "none"],
    ...noWebhook,
  },
  "webhook pause": {
    works: async ({ made }) => ["webhook", "pause", await made(...WEBHOOK)],
    fails: () => ["webhook", "pause", "none"],
    ...noWebhook,
  },
  "webhook resume": {
    works: async ({ made }) => ["webhook", "resume", await made(...WEBHOOK)],
    fails: () => ["webhook", "resume", "none"],
    ...noWebhook,
  },
  "webhook test": {
    works: async ({ made }) => ["webhook", "test", await made(...WEBHOOK)],
    fails: () => ["webhook", "test", "none"],
    ...noWebhook,
  },
  "webhook replay": {
    works: async ({ made }) => ["webhook", "replay", await made(...WEBHOOK), "--from", "2026-07-14T09:30:00Z"],
    fails: () => ["webhook", "replay", "none", "--from", "2026-07-14T09:30:00Z"],
    ...noWebhook,
  },
  "webhook deliveries": {
    works: async ({ made }) => {
      // Its own creation is the first event that is sent.
      const id = await made(...WEBHOOK, "--types", "webhook.created");
      await until(async () => (await made("webhook", "deliveries", id)) !== "undefined", 50);
      return ["webhook", "deliveries", id];
    },
    fails: () => ["webhook", "deliveries", "none"],
    ...noWebhook,
  },
  "webhook rotate-secret": {
    works: async ({ made }) => ["webhook", "rotate-secret", await made(...WEBHOOK)],
    fails: () => ["webhook", "rotate-secret", "none"],
    ...noWebhook,
  },
  "quota list": {
    works: async ({ album, made }) => {
      await made("quota", "set", "album", album, "--max-images", "9");
      return ["quota", "list"];
    },
    fails: () => nowhere("quota", "list"),
    ...noAnswer,
  },
  "quota show": {
    works: async ({ album, made }) => {
      await made("quota", "set", "album", album, "--max-images", "9");
      return ["quota", "show", "album", album];
    },
    fails: () => ["quota", "show", "album", "none"],
    ...noAlbum,
  },
  "quota set": {
    works: ({ album }) => ["quota", "set", "album", album, "--max-bytes", "1GiB"],
    fails: () => ["quota", "set", "album", "none", "--max-bytes", "1GiB"],
    ...noAlbum,
  },
  "quota remove": {
    works: async ({ album, made }) => {
      await made("quota", "set", "album", album, "--max-images", "9");
      return ["quota", "remove", "album", album];
    },
    fails: () => ["quota", "remove", "album", "none"],
    ...noAlbum,
  },
  token: { works: () => ["token"], fails: () => ["token", "wrong"], code: 1, message: "refuses the" },
  tail: {
    works: () => ["tail", "--from", "oldest"],
    fails: () => ["tail", "--from", "none"],
    code: 1,
    message: "Start again with --from oldest",
  },
  login: {
    works: ({ url, key }) => ["login", url, "--key", key],
    fails: () => ["login", "http://127.0.0.1:1"],
    ...noAnswer,
  },
  completion: {
    works: () => ["completion", "bash"],
    fails: () => ["completion", "ksh"],
    code: 2,
    message: "needs a shell",
  },
  complete: {
    // Without the store, and in spite of it, there is no error: what it fails at is its own command line.
    works: () => ["complete", "put"],
    fails: () => ["complete", "--port", "1"],
    code: 2,
    message: '"complete" has no option --port',
  },
  help: { works: () => ["help"], fails: () => ["help", "none"], code: 2, message: 'Unknown command "none".' },
  version: { works: () => ["version"], fails: () => ["version", "x"], code: 2, message: "takes no argument" },
};
