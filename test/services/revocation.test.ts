import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { runCli } from "../cli/run-cli.ts";
import { type ServerProcess, startServer } from "../faults/server-process.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { until } from "../waiting.ts";
import { type Headers, type HeadersAt, openStreams, startLoaders, startProbes } from "./access-load.ts";
import { postgresIsMissing, startPostgres } from "./postgres-server.ts";
import { startProxy } from "./tcp-proxy.ts";

const STREAMS = 1000;
const LOADERS = 32;
/** What the store promises, in milliseconds. */
const HONOURED_FOR = 2000;
/** Long after that: to see that nothing gets in. */
const WATCHED_FOR = 4000;

interface Given {
  readonly id: string;
  readonly secret: string;
}

const bearer = (secret: string): Headers => ({ Authorization: `Bearer ${secret}` });

if (!postgresIsMissing())
  describe("access on three nodes", () => {
    let server: Awaited<ReturnType<typeof startPostgres>>;
    let folder: string;
    let admin: Headers;
    let urls: readonly string[];
    const nodes: ServerProcess[] = [];
    beforeAll(async () => {
      server = await startPostgres({ settings: { fsync: "off", max_connections: "200" } });
      folder = await newFolder("revocation");
      const url = await server.createDatabase();
      // Before the first node: the command creates the catalog.
      admin = bearer(await newAdmin(url));
      for (const name of ["a", "b", "c"]) nodes.push(await startNode(url, name));
      urls = nodes.map((node) => node.url);
      expect((await send("PUT", "/v1/albums/a", admin)).status).toBe(201);
    }, 600_000);
    afterAll(async () => {
      for (const node of nodes) await node[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await removeFolder(folder);
    });

    async function newAdmin(url: string): Promise<string> {
      const env = { IMAGE_STORE_DATA: folder, IMAGE_STORE_CATALOG_URL: url };
      const { code, out, err } = await runCli(["key", "create", "admin", "--role", "admin"], folder, { env });
      expect({ code, err }).toEqual({ code: 0, err: expect.any(String) });
      return out.trim();
    }
    const startNode = (url: string, name: string): Promise<ServerProcess> =>
      startServer({ dataFolder: join(folder, name), env: { IMAGE_STORE_CATALOG_URL: url } });

    /** To the first node. */
    const send = (method: string, path: string, headers: Headers, body: object = {}) =>
      fetch(urls[0] + path, {
        method,
        headers: { ...headers, "Content-Type": "application/json" },
        ...(method !== "DELETE" && { body: JSON.stringify(body) }),
      });
    async function make(path: string, body: object): Promise<Given> {
      const response = await send("POST", path, admin, body);
      expect(response.status).toBe(201);
      return (await response.json()) as Given;
    }
    const newKey = () => make("/v1/keys", { name: "leaked", grants: [{ rights: ["read", "events"], albums: "*" }] });
    const revokeKey = ({ id }: Given) => send("DELETE", `/v1/keys/${id}`, admin);

    /** Each node has a port, and so a name of the cookie, of its own. */
    async function signIn(secret: string): Promise<HeadersAt> {
      const response = await send("POST", "/v1/session", bearer(secret));
      expect(response.status).toBe(201);
      const cookie = /=([^;]+);/.exec(response.headers.get("set-cookie") ?? "")?.[1] ?? "";
      return (url) => ({
        Cookie: `image-store-session-${new URL(url).port}=${cookie}`,
        "Sec-Fetch-Site": "same-origin",
        Origin: url,
      });
    }

    /** Revokes access while loaders and streams use it. Each of `users` has as many loaders; the first has the streams. */
    async function expectEnd(users: readonly HeadersAt[], streamCount: number, revoke: () => Promise<Response>) {
      const [first = () => ({})] = users;
      using streams = await openStreams(urls, streamCount, first);
      const { clients } = streams;
      await using probes = startProbes(urls[0] ?? "", admin);
      await using loaders = await startLoaders(
        urls,
        users.flatMap((user) => Array.from({ length: LOADERS }, () => user)),
        "/v1/albums/a",
      );
      await until(() => clients.every(({ probe }) => probe > 0));
      expect(clients.filter(({ endedAt }) => endedAt !== undefined)).toEqual([]);

      expect((await revoke()).status).toBe(204);
      const revokedAt = performance.now();
      await Bun.sleep(WATCHED_FOR);
      await until(() => loaders.areRefused());
      await until(() => clients.every(({ endedAt }) => endedAt !== undefined));

      const last = loaders.lastSuccesses().map((sentAt) => sentAt - revokedAt);
      const lastEvent = Math.max(...clients.map(({ probe }) => probes.sentAt(probe) - revokedAt));
      const lastEnd = Math.max(...clients.map(({ endedAt = NaN }) => endedAt - revokedAt));
      console.info(
        `last success after ${last.map(Math.round).join(", ")} ms` +
          (streamCount > 0
            ? `, last event of ${Math.round(lastEvent)} ms, last stream ended after ${Math.round(lastEnd)} ms`
            : ""),
      );
      // A node that could not ask for too long refuses with 503 until it has.
      expect([...loaders.refusals].filter((status) => status !== 401 && status !== 503)).toEqual([]);
      // A node lets a request in, and sends an event, after it was sent. So this holds on a machine of any speed.
      expect(last.filter((milliseconds) => !(milliseconds <= HONOURED_FOR))).toEqual([]);
      if (streamCount > 0) expect(lastEvent).toBeLessThanOrEqual(HONOURED_FOR);
      // The node that answered the revocation knew it before that.
      expect(last[0]).toBeLessThanOrEqual(0);
    }

    test(`a key that ${STREAMS} streams and ${LOADERS} loaders use is refused by all within two seconds of its revocation, and its streams end`, async () => {
      const key = await newKey();
      await expectEnd([() => bearer(key.secret)], STREAMS, () => revokeKey(key));
    }, 600_000);

    test(`a session that ${STREAMS} streams and ${LOADERS} loaders use is refused by all within two seconds of its end, and its streams end`, async () => {
      const session = await signIn((await newKey()).secret);
      await expectEnd([session], STREAMS, () => send("DELETE", "/v1/session", session(urls[0] ?? "")));
    }, 600_000);

    test(`a session that ${STREAMS} streams and ${LOADERS} loaders use is refused by all within two seconds of the revocation of its key, and its streams end`, async () => {
      const key = await newKey();
      await expectEnd([await signIn(key.secret)], STREAMS, () => revokeKey(key));
    }, 600_000);

    // A share has no right to events.
    test(`a share and its session that ${LOADERS} loaders each use are refused by all within two seconds of the share's revocation`, async () => {
      const { id, secret } = await make("/v1/albums/a/shares", {});
      const users = [() => bearer(secret), await signIn(secret)];
      await expectEnd(users, 0, () => send("DELETE", `/v1/albums/a/shares/${id}`, admin));
    }, 600_000);

    test("a node that loses the catalog answers 503 once what it knows is two seconds old, and lets the key in again afterwards", async () => {
      const url = await server.createDatabase();
      const secret = await newAdmin(url);
      await using proxy = await startProxy(server.port);
      await using node = await startNode(proxy.through(url), "cut");
      // It needs the catalog for nothing but the key.
      const get = async () => {
        const sentAt = performance.now();
        const response = await fetch(`${node.url}/metrics`, { headers: bearer(secret) });
        const code = response.status === 200 ? undefined : ((await response.json()) as { code: string }).code;
        return { sentAt, status: response.status, code };
      };
      expect(await get()).toMatchObject({ status: 200 });
      proxy.refuse();
      proxy.cut();
      const cutAt = performance.now();
      let last = cutAt;
      let answer = await get();
      for (; answer.status === 200; answer = await get()) {
        last = answer.sentAt;
        await Bun.sleep(20);
      }
      expect(last - cutAt).toBeLessThanOrEqual(HONOURED_FOR);
      expect(answer).toMatchObject({ status: 503, code: "unavailable" });
      for (let again = 0; again < 5; again++) expect(await get()).toMatchObject({ status: 503 });
      await proxy.accept();
      await until(async () => (await get()).status === 200);
    }, 600_000);
  });
