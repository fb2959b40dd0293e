import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeKey } from "../../src/cli/key.ts";
import { type ServerProcess, startServer } from "../faults/server-process.ts";
import { freePort } from "../services/free-ports.ts";
import { until } from "../waiting.ts";
import { createSigner, tokenSettings } from "./test-tokens.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-store-signals-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const keyFile = () => join(folder, "keys");
const linkKeyFile = () => join(folder, "link-keys");
const newKey = (name: string) => makeKey({ keyName: name, rights: "editor" });

const start = (files: Record<string, string> = {}): Promise<ServerProcess> =>
  startServer({ dataFolder: join(folder, "data"), env: { IMAGE_STORE_LOG_LEVEL: "info", ...files } });

const statusOf = async ({ url }: ServerProcess, path: string, key?: string): Promise<number> =>
  (await fetch(url + path, key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } })).status;

/** Sends SIGHUP and waits for the line in the log that tells what came of it. */
async function hangUp(server: ServerProcess, line: string): Promise<void> {
  const before = server.output().split(line).length;
  process.kill(server.pid, "SIGHUP");
  await until(() => server.output().split(line).length > before);
}

describe("SIGHUP", () => {
  test("reloads the key files, and signs links with their keys", async () => {
    const [old, added] = [newKey("old"), newKey("added")];
    await Bun.write(keyFile(), `${old.line}\n`);
    await Bun.write(linkKeyFile(), `first:${"a".repeat(43)}\n`);
    await using server = await start({
      IMAGE_STORE_API_KEYS_FILE: keyFile(),
      IMAGE_STORE_LINK_KEYS_FILE: linkKeyFile(),
    });
    const both = async () => [
      await statusOf(server, "/v1/albums", old.key),
      await statusOf(server, "/v1/albums", added.key),
    ];
    expect(await both()).toEqual([200, 401]);
    const headers = { authorization: `Bearer ${old.key}`, "content-type": "application/json" };
    await fetch(`${server.url}/v1/albums/a`, { method: "PUT", headers: { authorization: headers.authorization } });
    const photo = Bun.file(join(import.meta.dir, "../../docs/dusk.jpg"));
    const content = `${server.url}/v1/albums/a/images/dusk/content`;
    expect(
      (await fetch(content, { method: "PUT", headers: { authorization: headers.authorization }, body: photo })).status,
    ).toBe(201);
    const link = async (key: string) => {
      const answer = await fetch(`${server.url}/v1/albums/a/images/dusk/links`, {
        method: "POST",
        headers: { ...headers, authorization: `Bearer ${key}` },
        body: JSON.stringify({ expiresIn: 60 }),
      });
      return ((await answer.json()) as { url: string }).url;
    };
    const path = await link(old.key);
    expect(await statusOf(server, path)).toBe(200);

    await Bun.write(keyFile(), `${added.line}\n`);
    await Bun.write(linkKeyFile(), `second:${"b".repeat(43)}\n`);
    await hangUp(server, "keys reloaded");
    expect(await both()).toEqual([401, 200]);
    expect(await statusOf(server, path)).toBe(403);
    expect(await statusOf(server, await link(added.key))).toBe(200);
  });

  test("reloads the keys and the rules of tokens, also for a token that was seen", async () => {
    const [old, added] = await Promise.all([createSigner("ES256", "old"), createSigner("ES256", "added")]);
    const [jwks, rules] = [join(folder, "jwks.json"), join(folder, "rules.json")];
    const settings = await tokenSettings(jwks, [old]);
    await Bun.write(rules, settings.JWT_RULES);
    const env = Object.entries({ ...settings, JWT_RULES: rules }).map(([name, value]) => [
      `IMAGE_STORE_${name}`,
      value,
    ]);
    await using server = await start(Object.fromEntries(env) as Record<string, string>);
    const [first, second] = await Promise.all([old.sign(), added.sign()]);
    const both = async () => [
      await statusOf(server, "/v1/events", first),
      await statusOf(server, "/v1/events", second),
    ];
    expect(await both()).toEqual([200, 401]);

    await tokenSettings(jwks, [added]);
    await hangUp(server, "keys reloaded");
    expect(await both()).toEqual([401, 200]);

    await Bun.write(rules, settings.JWT_RULES.replace("images", "pictures"));
    await hangUp(server, "keys reloaded");
    expect(await both()).toEqual([401, 403]);

    await Bun.write(rules, "[");
    await hangUp(server, "keys not reloaded");
    expect(await both()).toEqual([401, 403]);
  });

  test.each([
    ["has a line that is no key", "not a key\n"],
    ["has no key left", ""],
    ["is gone", undefined],
  ])("changes nothing and logs it when the file %s", async (_what, text) => {
    const { key, line } = newKey("app");
    await Bun.write(keyFile(), `${line}\n`);
    await using server = await start({ IMAGE_STORE_API_KEYS_FILE: keyFile() });
    if (text === undefined) await rm(keyFile());
    else await Bun.write(keyFile(), text);
    await hangUp(server, "keys not reloaded");
    expect(await statusOf(server, "/v1/events")).toBe(401);
    expect(await statusOf(server, "/v1/events", key)).toBe(200);
  });
});

test("SIGHUP, SIGUSR1, SIGUSR2 and SIGPIPE do not end the server; SIGTERM stops it with exit code 0", async () => {
  await using server = await start();
  for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPIPE"] as const) {
    for (let turn = 0; turn < 3; turn++) process.kill(server.pid, signal);
    await Bun.sleep(50);
    expect(await statusOf(server, "/healthz")).toBe(200);
  }
  expect(await server.stop("SIGTERM")).toBe(0);
});

test("SIGHUP of a closed terminal stops the server like SIGTERM", async () => {
  const port = await freePort();
  const main = join(import.meta.dir, "../../src/main.ts");
  let output = "";
  const child = Bun.spawn([process.execPath, main, "--port", String(port), "--data", join(folder, "data")], {
    env: { PATH: process.env["PATH"] },
    terminal: { data: (_terminal, data) => void (output += new TextDecoder().decode(data)) },
  });
  await until(() => output.includes("ready") || child.exitCode !== null);
  expect(output).toContain(`http://127.0.0.1:${port}`);
  child.terminal?.close();
  expect([await child.exited, child.signalCode]).toEqual([0, null]);
});
