import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createClient, StoreError } from "../../client/src/index.ts";
import { compareWithLog } from "../faults/fleet/followers.ts";
import { randomImage } from "../faults/random-image.ts";
import { type ServerProcess, startServer } from "../faults/server-process.ts";
import { makeTemporaryFolder, removeLeftovers, removeTemporaryFolders } from "../faults/temporary-folder.ts";
import { rejectionOf, until } from "../waiting.ts";
import { type ClientFollower, readLog, startFollow, startTail } from "./client-followers.ts";
import { freePort } from "./free-ports.ts";
import { type NginxServer, nginxIsMissing, readConfiguration, startNginx } from "./nginx-server.ts";

const missing = nginxIsMissing();
const WRITERS = 3;
/** Events between two troubles. */
const BETWEEN = 25;
const ROUNDS = Number(process.env["IMAGE_STORE_TEST_CYCLES"] ?? 3);

/** A store behind nginx. It is stopped and started under one address. */
interface Site extends AsyncDisposable {
  readonly url: string;
  readonly nginx: NginxServer;
  restart(signal: "SIGKILL" | "SIGTERM", env?: Readonly<Record<string, string>>): Promise<void>;
  stop(): Promise<void>;
  start(env?: Readonly<Record<string, string>>): Promise<void>;
}

async function startSite(): Promise<Site> {
  const dataFolder = makeTemporaryFolder();
  const port = await freePort();
  const start = (env: Readonly<Record<string, string>> = {}) =>
    startServer({ dataFolder, port, env: { IMAGE_STORE_MIN_FREE: "0", ...env } });
  let server: ServerProcess = await start();
  const nginx = await startNginx({
    configuration: readConfiguration("nginx-single.conf"),
    inHttp: true,
    upstreams: { "127.0.0.1:8080": `127.0.0.1:${port}` },
    folder: join(makeTemporaryFolder(), "nginx"),
  });
  return {
    url: server.url,
    nginx,
    async restart(signal, env) {
      await server.stop(signal);
      server = await start(env);
    },
    stop: async () => void (await server.stop("SIGTERM")),
    async start(env) {
      server = await start(env);
    },
    async [Symbol.asyncDispose]() {
      await nginx[Symbol.asyncDispose]();
      await server.stop("SIGKILL");
    },
  };
}

/** Uploads one image after another past the proxy. `acknowledged` has the digests of those that the store promised. */
function startWriters(url: string, album: string) {
  const acknowledged = new Set<string>();
  const stopping = new AbortController();
  const client = createClient({ url, retries: 0 });
  const write = async (writer: number) => {
    for (let number = 0; !stopping.signal.aborted; number += 1) {
      const { bytes, sha256 } = randomImage(200);
      const name = `${writer}-${number}.png`;
      const image = await client.upload(album, bytes, { name }).catch((error: unknown) => {
        if (!(error instanceof StoreError) || (error.status > 0 && error.status < 500)) throw error;
      });
      if (image !== undefined) acknowledged.add(sha256);
      await Bun.sleep(image === undefined ? 50 : 5);
    }
  };
  const writing = Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
  // Told by whichever of the two below comes next. Meanwhile it must not count as unhandled.
  writing.catch(() => undefined);
  return {
    acknowledged,
    async more(count: number) {
      const due = acknowledged.size + count;
      await Promise.race([until(() => acknowledged.size >= due), writing]);
    },
    async stop() {
      stopping.abort();
      await writing;
    },
  };
}

let site: Site;
let followers: ClientFollower[] = [];
let writers: ReturnType<typeof startWriters> | undefined;
afterAll(() => removeTemporaryFolders());
beforeEach(async () => {
  removeLeftovers();
  writers = undefined;
  if (!missing) site = await startSite();
});
afterEach(async () => {
  // All of them, also where one fails or the test failed while they ran: followers first, the site last.
  await using leaving = new AsyncDisposableStack();
  leaving.use(site);
  leaving.defer(async () => writers?.stop());
  for (const follower of followers) leaving.defer(() => follower.stop());
  followers = [];
});

const started = <Follower extends ClientFollower>(follower: Follower): Follower => {
  followers.push(follower);
  return follower;
};

describe.skipIf(missing)("follow and tail", () => {
  test("give each event once and in order while store and proxy are killed, stopped and reloaded under writes", async () => {
    const { url, nginx } = site;
    await createClient({ url }).albums.create({ name: "A" });
    const follow = started(startFollow("follow behind nginx", nginx.url));
    started(startFollow("slow follow behind nginx", nginx.url, { pause: 15 }));
    started(startFollow("follow", url));
    started(startTail("tail behind nginx", nginx.url, "--from", "oldest"));
    started(startTail("tail", url, "--from", "oldest"));
    writers = startWriters(url, "A");
    const troubles = [
      () => site.restart("SIGKILL"),
      () => nginx.restart(),
      () => site.restart("SIGTERM"),
      async () => nginx.reload(),
      () => Promise.all([nginx.restart(), site.restart("SIGKILL")]),
    ];
    for (let round = 0; round < ROUNDS; round++) {
      for (const trouble of troubles) {
        await writers.more(BETWEEN);
        const seen = follow.events.length;
        await trouble();
        await writers.more(BETWEEN);
        await until(() => follow.events.length > seen);
      }
    }
    await writers.stop();

    const log = await readLog(url);
    const stored = new Set(log.map(({ data }) => (data as { sha256?: string }).sha256));
    expect([...writers.acknowledged].filter((digest) => !stored.has(digest))).toEqual([]);
    await until(() => followers.every(({ events }) => events.length >= log.length));
    // One more, so that what came twice has come by now.
    await createClient({ url }).albums.create({ name: "end" });
    const whole = await readLog(url);
    await until(() => followers.every(({ events }) => events.at(-1)?.id === whole.at(-1)?.id));
    expect(followers.flatMap(({ name, events }) => compareWithLog(name, events, whole))).toEqual([]);
    // The store's restarts alone cut it so often.
    expect(follow.reconnects?.()).toBeGreaterThanOrEqual(ROUNDS * 3);
  });

  test("give a slow reader each event once, although the store lets it go meanwhile", async () => {
    const { url, nginx } = site;
    const client = createClient({ url });
    await client.albums.create({ name: "A" });
    // More than the sockets and nginx hold.
    const numbers = Array.from({ length: 2500 }, (_, number) => number).values();
    const update = async () => {
      for (const number of numbers) {
        const metadata = Object.fromEntries(
          Array.from({ length: 18 }, (_, key) => [`key ${key}`, String(number).padEnd(400)]),
        );
        await client.albums.update("A", { metadata });
      }
    };
    await Promise.all(Array.from({ length: 8 }, update));
    const held = [
      started(startTail("tail", url, "--from", "oldest")),
      started(startTail("tail behind nginx", nginx.url, "--from", "oldest")),
    ];
    for (const tail of held) tail.hold();
    const hand = Promise.withResolvers<void>();
    const follow = started(startFollow("follow", url, { onFirst: () => hand.promise }));
    const open = async () => /^image_store_sse_clients (\d+)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1];
    await until(async () => (await open()) === "3");
    await until(async () => (await open()) === "0", 100);
    hand.resolve();
    for (const tail of held) tail.read();
    const log = await readLog(url);
    await until(() => followers.every(({ events }) => events.at(-1)?.id === log.at(-1)?.id));
    expect(followers.flatMap(({ name, events }) => compareWithLog(name, events, log))).toEqual([]);
    expect(follow.reconnects?.()).toBe(1);
  });

  test("say that the events behind the cursor are gone, and go on from a listing or from the oldest", async () => {
    const { url, nginx } = site;
    const client = createClient({ url: nginx.url });
    await client.albums.create({ name: "A" });
    const upload = (name: string) => createClient({ url }).upload("A", randomImage(200).bytes, { name });
    await upload("seen.png");
    const following = client.follow();
    const [, seen] = [await following.next(), await following.next()];
    const tail = started(startTail("tail", nginx.url, "--from", "oldest"));
    await until(() => tail.events.length === 2);

    // The proxy is away while events come and go.
    await nginx.stop();
    for (const name of ["missed-1.png", "missed-2.png"]) await upload(name);
    await Bun.sleep(1100);
    await site.restart("SIGTERM", { IMAGE_STORE_EVENTS_RETENTION: "1s" });
    await until(async () => (await readLog(url)).length === 0);
    await nginx.start();

    const error = await rejectionOf(following.next());
    expect(error).toMatchObject({ status: 410, code: "cursor_expired", problem: { oldestCursor: expect.any(String) } });
    const { code, err } = await tail.ended;
    expect({ code, events: tail.events.length }).toEqual({ code: 1, events: 2 });
    expect(err).toEndWith("Start again with --from oldest, or with --from latest for new events only.\n");
    expect((await rejectionOf(client.follow({ from: seen.value?.cursor }).next())).message).toBe(error.message);

    await site.restart("SIGTERM");
    const listing = await client.send("GET", "/v1/albums/{album}/images", { path: { album: "A" }, query: {} });
    expect(listing.items.map(({ name }) => name).toSorted()).toEqual(["missed-1.png", "missed-2.png", "seen.png"]);
    const again = [
      started(startFollow("follow from the listing", nginx.url, { from: listing.watermark })),
      started(startTail("tail from the oldest", nginx.url, "--from", "oldest")),
    ];
    for (const name of ["new-1.png", "new-2.png"]) await upload(name);
    const names = () => again.map(({ events }) => events.map(({ data }) => (data as { name: string }).name));
    await until(() => names().every((each) => each.length >= 2));
    expect(names()).toEqual([
      ["new-1.png", "new-2.png"],
      ["new-1.png", "new-2.png"],
    ]);
  });
});
