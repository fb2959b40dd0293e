import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { COMMAND_NAMES, COMMANDS, type CommandName } from "../../src/cli/commands.ts";
import { exitCodesOf } from "../../src/cli/help.ts";
import { StoreError } from "../../src/domain/errors.ts";
import type { WebhookSender } from "../../src/ports/webhook-sender.ts";
import { nowhere, ROOT, ROOT_KEY, startStore, type TestStore } from "../http/harness.ts";
import { newPng } from "../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { until } from "../waiting.ts";
import { CASES, type Place } from "./command-cases.ts";
import { cliOf, documentsOf, type Ran } from "./remote/run-remote.ts";

const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;
/** Of webhooks: connects to no host, and refuses what is not https. */
const sender: WebhookSender = {
  ...nowhere,
  async requireAllowed(url) {
    if (!url.startsWith("https://")) throw new StoreError("invalid_webhook_url", "The URL must begin with https://.");
  },
};
let store: TestStore;
let home: string;
let number = 0;
beforeAll(async () => {
  store = await startStore({ API_KEYS: ROOT_KEY }, { webhookSender: sender });
  await using catalog = await store.openCatalog();
  await catalog.write({ type: "registerCursor", name: "thumbnails" });
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(async () => {
  home = await newFolder("every-command");
});
afterEach(() => removeFolder(home));

const env = () => ({
  HOME: home,
  IMAGE_STORE_MIN_FREE: "0",
  IMAGE_STORE_PORT: "0",
  IMAGE_STORE_URL: store.url,
  IMAGE_STORE_KEY: ROOT.secret,
});

/** Of a command that does not end: a process that is stopped once it has printed. */
async function runUntilPrinted(argv: readonly string[]): Promise<Ran> {
  const child = Bun.spawn([process.execPath, MAIN, ...argv], { env: env(), stdout: "pipe", stderr: "pipe" });
  let out = "";
  const reading = (async () => {
    for await (const chunk of child.stdout) out += Buffer.from(chunk).toString();
  })();
  await until(() => out.includes("\n") || child.exitCode !== null);
  child.kill("SIGTERM");
  const code = await child.exited;
  await reading;
  return { code, out, err: await child.stderr.text() };
}

const run = (...argv: readonly string[]): Promise<Ran> => cliOf(store.url, home, { env: env() })(...argv);

async function makePlace(): Promise<Place> {
  number += 1;
  const [photos, folder, data] = ["photos", "folder", "data"].map((name) => join(home, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [photos, folder]) await mkdir(path);
  await Bun.write(join(photos, "a.png"), newPng());
  const album = `Album ${number}`;
  expect(await run("put", join(photos, "a.png"), album)).toMatchObject({ code: 0 });
  // The first command on keys makes a store.
  expect(await run("key", "create", "x", "--role", "viewer", "--data", data)).toMatchObject({ code: 0 });
  async function made(...argv: readonly string[]): Promise<string> {
    const ran = await run(...argv, "--json");
    expect({ argv, ...ran }).toMatchObject({ code: 0 });
    return String(documentsOf(ran).at(-1)?.["id"]);
  }
  return { url: store.url, key: ROOT.secret, data, photos, folder, album, made };
}

const ENDLESS: readonly CommandName[] = ["serve", "tail"];

describe.each(COMMAND_NAMES)("image-store %s", (name) => {
  const { works, fails, code, message } = CASES[name];
  const words = name.split(" ");

  test("has a --help with its options, exit codes and at least two examples", async () => {
    const { code: helped, out, err } = await run(...words, "--help");
    expect({ helped, err }).toEqual({ helped: 0, err: "" });
    expect(COMMANDS[name].examples.length).toBeGreaterThanOrEqual(2);
    for (const [example] of COMMANDS[name].examples) expect(out).toContain(`  ${example}\n`);
    for (const exitCode of Object.keys(exitCodesOf(name))) expect(out).toMatch(new RegExp(`^  ${exitCode} +\\S`, "m"));
    expect(out).toMatch(/^ {2}--json +\S/m);
  });

  test("prints one JSON document per line with --json", async () => {
    const argv = [...(await works(await makePlace())), "--json"];
    expect(argv.slice(0, words.length)).toEqual(words);
    const ran = await (ENDLESS.includes(name) ? runUntilPrinted(argv) : run(...argv));
    expect({ argv, err: ran.err, code: ran.code }).toMatchObject({ code: 0 });
    const documents = documentsOf(ran);
    expect(documents.length).toBeGreaterThanOrEqual(1);
    for (const document of documents) expect(Object.keys(document).length).toBeGreaterThanOrEqual(1);
  });

  test("says what is wrong, with an exit code that its --help lists", async () => {
    const ran = await run(...fails(await makePlace()));
    expect(ran.err).toContain(message);
    expect(ran).toMatchObject({ code });
    expect(Object.keys(exitCodesOf(name))).toContain(String(code));
    expect(await run(...words, "--no-such-option")).toMatchObject({ code: 2, out: "" });
  });
});
