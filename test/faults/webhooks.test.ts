import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { openPostgresCatalog } from "../../src/adapters/catalog/postgres.ts";
import { EMPTY_ALBUM_FIELDS } from "../../src/domain/album.ts";
import { newWebhookSecret } from "../../src/domain/webhook-secret.ts";
import type { Catalog } from "../../src/ports.ts";
import { postgresIsMissing, startPostgres } from "../services/postgres-server.ts";
import { until } from "../waiting.ts";
import { startReceiver } from "../workers/webhooks/receiver.ts";

/** CONTRIBUTING.md says how to make it longer. */
const EVENTS = Number(process.env["IMAGE_STORE_TEST_EVENTS"] ?? 3000);
const STOPPED_MS = Number(process.env["IMAGE_STORE_TEST_STOPPED_SECONDS"] ?? 8) * 1000;
const ALBUMS = 100;
const KILLS = 4;
const FAILING_SHARE = 0.2;

setDefaultTimeout(3_600_000);

/** One of the nodes, in a process of its own. */
interface Sender {
  restart(): Promise<void>;
  signal(signal: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void;
}

function startSenders(url: string, count: number) {
  let holder: Sender | undefined;
  let takeovers = 0;
  const senders = Array.from({ length: count }, () => {
    const spawn = () => {
      const started = Bun.spawn([process.execPath, join(import.meta.dir, "webhooks/sender.ts")], {
        env: { PATH: process.env["PATH"], CATALOG_URL: url },
        stdio: ["ignore", "pipe", "inherit"],
      });
      void follow(started.stdout);
      return started;
    };
    const follow = async (output: ReadableStream<Uint8Array>) => {
      const decoder = new TextDecoder();
      for await (const chunk of output) {
        if (!decoder.decode(chunk).includes("taken")) continue;
        holder = sender;
        takeovers++;
      }
    };
    const sender: Sender = {
      async restart() {
        child.kill("SIGKILL");
        await child.exited;
        child = spawn();
      },
      signal: (name) => child.kill(name),
    };
    let child = spawn();
    return sender;
  });
  return {
    holder: () => holder,
    /** How often one of them took the lease. */
    takeovers: () => takeovers,
    [Symbol.dispose]() {
      for (const sender of senders) sender.signal("SIGKILL");
    },
  };
}

/** Renames albums until there are so many events. */
async function writeEvents(catalog: Catalog): Promise<void> {
  const albums = Array.from({ length: ALBUMS }, () => Bun.randomUUIDv7());
  await Promise.all(
    albums.map((id) => catalog.write({ type: "createAlbum", id, name: `album ${id}`, fields: EMPTY_ALBUM_FIELDS })),
  );
  for (let written = ALBUMS, round = 0; written < EVENTS; written += ALBUMS, round++)
    await Promise.all(
      albums.map((albumId) =>
        catalog.write({ type: "updateAlbum", albumId, patch: { name: `album ${albumId} ${round}` } }),
      ),
    );
}

async function loggedIds(catalog: Catalog): Promise<string[]> {
  const ids: string[] = [];
  let { events, next, atEnd } = await catalog.events({ visibility: "all", limit: 1000 });
  for (;;) {
    for (const { id } of events) ids.push(id);
    if (atEnd) return ids;
    ({ events, next, atEnd } = await catalog.events({ visibility: "all", after: next, limit: 1000 }));
  }
}

if (!postgresIsMissing())
  test("a receiver that fails at random gets every event, in the order of its album, through kills and a stopped node", async () => {
    await using postgres = await startPostgres();
    const url = await postgres.createDatabase();
    await using catalog = await openPostgresCatalog({ url, poolSize: 8, as: "server" });
    await using receiver = startReceiver(
      () => new Response(null, { status: Math.random() < FAILING_SHARE ? 500 : 204 }),
    );
    const id = Bun.randomUUIDv7();
    const hook = { types: null, albums: "*", description: null, secret: newWebhookSecret(), from: null } as const;
    await catalog.write({ type: "createWebhook", id, url: receiver.url, ...hook });
    using senders = startSenders(url, 3);
    await until(() => senders.holder() !== undefined);
    const writing = writeEvents(catalog);

    const part = EVENTS / (KILLS + 2);
    for (let kill = 1; kill <= KILLS; kill++) {
      await until(() => receiver.events.length >= part * kill);
      const before = senders.takeovers();
      await senders.holder()?.restart();
      await until(() => senders.takeovers() > before);
    }
    await until(() => receiver.events.length >= part * (KILLS + 1));
    const stopped = senders.holder();
    stopped?.signal("SIGSTOP");
    const stoppedAt = performance.now();
    await until(() => senders.holder() !== stopped);
    await until(() => performance.now() - stoppedAt >= STOPPED_MS);
    stopped?.signal("SIGCONT");

    await writing;
    await until(async () => {
      const delivery = (await catalog.webhook(id))?.delivery;
      return delivery?.lagEvents === 0 && delivery.blockedAlbums === 0;
    }, 200);
    const logged = await loggedIds(catalog);
    const { events, duplicates, requests } = receiver;
    console.log(`${logged.length} events, ${requests} requests, ${duplicates} of them repeated after a success`);
    expect(logged.length).toBeGreaterThanOrEqual(EVENTS);
    expect(events.map((event) => event.id).sort()).toEqual(logged.sort());
    expect(receiver.outOfOrder()).toBe(0);
  });
