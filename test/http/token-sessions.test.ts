import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ServerProcess, startServer } from "../faults/server-process.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { until } from "../waiting.ts";
import { bearer, createSigner, RULES, secondsFromNow, type TestSigner, tokenSettings } from "./test-tokens.ts";

const WIDER =
  '[{"claim":"scope","has":"images","rights":["read","write","events"],"albums":["u-{sub}-*"]},{"claim":"team","equals":"press","rights":["read"],"albums":["press"]}]';

let folder: string;
let first: TestSigner;
let second: TestSigner;
let server: ServerProcess;
const rulesFile = () => join(folder, "rules.json");
const useKeys = (...signers: readonly TestSigner[]) => tokenSettings(join(folder, "jwks.json"), signers);

beforeAll(async () => {
  folder = await newFolder("token-sessions");
  [first, second] = await Promise.all([createSigner("ES256", "first"), createSigner("ES256", "second")]);
  server = await start();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await removeFolder(folder);
});
beforeEach(async () => {
  await useKeys(first);
  await writeFile(rulesFile(), RULES);
  await hangUp();
});

async function start(settings: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  await writeFile(rulesFile(), RULES);
  const tokens = { ...(await useKeys(first)), JWT_RULES: rulesFile(), LOG_LEVEL: "info", ...settings };
  const env = Object.fromEntries(Object.entries(tokens).map(([name, value]) => [`IMAGE_STORE_${name}`, value]));
  return startServer({ dataFolder: join(folder, "data"), env });
}

/** Sends SIGHUP, and waits until the server has read its files again. */
async function hangUp(): Promise<void> {
  const reloads = () => server.output().split("keys reloaded").length;
  const before = reloads();
  process.kill(server.pid, "SIGHUP");
  await until(() => reloads() > before);
}

interface SignedIn {
  readonly secret: string;
  readonly body: { readonly kind: string; readonly name: string; readonly expiresAt: string };
}

async function signIn(token: string): Promise<SignedIn> {
  const headers = { ...bearer(token), ...ownPage() };
  const response = await fetch(`${server.url}/v1/session`, { method: "POST", headers });
  expect(response.status).toBe(201);
  const secret = /=([^;]+);/.exec(response.headers.get("set-cookie") ?? "")?.[1] ?? "";
  return { secret, body: (await response.json()) as SignedIn["body"] };
}

const ownPage = () => ({ "Sec-Fetch-Site": "same-origin", Origin: server.url });
/** The name of the cookie has the port, which is another after a restart. */
const send = (path: string, { secret }: SignedIn, method = "GET") => {
  const Cookie = `image-store-session-${new URL(server.url).port}=${secret}`;
  return fetch(server.url + path, { method, headers: { ...ownPage(), Cookie } });
};
const me = async (session: SignedIn) =>
  (await (await send("/v1/me", session)).json()) as { grants: { albums: { names: string[] } }[] };
const namesOf = async (session: SignedIn) => (await me(session)).grants.flatMap(({ albums }) => albums.names);

describe("the session of a token", () => {
  test("does what the token may, and ends with it", async () => {
    const exp = secondsFromNow(120);
    const session = await signIn(await first.sign({ exp }));
    expect(session.body).toMatchObject({
      kind: "token",
      name: "ann",
      expiresAt: new Date(exp * 1000).toISOString(),
    });
    expect((await send("/v1/albums/u-ann-a", session, "PUT")).status).toBe(201);
    expect((await send("/v1/albums/u-bob-a", session, "PUT")).status).toBe(404);
    const events = (await (await send("/v1/events?limit=1000", session)).json()) as { items: { data: object }[] };
    expect(events.items.at(-1)?.data).toMatchObject({
      actor: { kind: "session", name: "ann", base: { kind: "token", id: "https://login.example.org#ann" } },
    });

    const brief = await signIn(await first.sign({ exp: secondsFromNow(6) }));
    await until(async () => (await send("/v1/me", brief)).status === 401);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(brief.body.expiresAt));
  });

  test("follows the rules as they are now, for claims that no rule asked for before too", async () => {
    const session = await signIn(await first.sign({ team: "press" }));
    expect(await namesOf(session)).toEqual(["u-ann-*"]);
    await writeFile(rulesFile(), WIDER);
    await hangUp();
    expect(await namesOf(session)).toEqual(["u-ann-*", "press"]);
    await writeFile(rulesFile(), '[{"claim":"scope","has":"other","rights":["read"],"albums":["u-{sub}-*"]}]');
    await hangUp();
    expect(await namesOf(session)).toEqual([]);
  });

  test("ends when the key that signed the token is withdrawn, with its streams, and not with another key", async () => {
    const session = await signIn(await first.sign());
    const stream = await send("/v1/events/stream?after=latest", session);
    const ended = stream.text();
    await useKeys(first, second);
    await hangUp();
    expect((await send("/v1/me", session)).status).toBe(200);
    await useKeys(second);
    await hangUp();
    const response = await send("/v1/albums", session);
    expect(response.status).toBe(401);
    expect(response.headers.get("set-cookie")).toContain("Max-Age=0");
    await ended;
    await until(() => server.output().includes('"reason":"key"'));
  });

  test("does not come back with another key of the same id", async () => {
    const session = await signIn(await first.sign());
    await useKeys(await createSigner("ES256", "first"));
    await hangUp();
    expect((await send("/v1/me", session)).status).toBe(401);
  });

  test("ends when the store, started again, would not accept the token", async () => {
    const session = await signIn(await first.sign());
    const restart = async (settings: Readonly<Record<string, string>>) => {
      await server[Symbol.asyncDispose]();
      server = await start(settings);
      return (await send("/v1/session", session)).status;
    };
    expect(await restart({})).toBe(200);
    expect(await restart({ JWT_AUDIENCE: "another" })).toBe(401);
    expect(await restart({ JWT_ISSUER: "https://other.example.org" })).toBe(401);
    expect(await restart({ JWT_ALGORITHMS: "ES256", JWT_TYPES: "JWT" })).toBe(401);
    expect(await restart({})).toBe(200);
  });
});
