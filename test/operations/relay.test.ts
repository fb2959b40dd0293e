import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { openSqliteCatalog } from "../../src/adapters/catalog/sqlite.ts";
import { EMPTY_ALBUM_FIELDS } from "../../src/domain/album.ts";
import { StoreError } from "../../src/domain/errors.ts";
import type { SerializedCloudEvent } from "../../src/domain/event.ts";
import type { Catalog } from "../../src/ports.ts";
import { type RelayObserver, runRelay } from "../../src/workers/relay.ts";

const topic = "image-store.events";
let folder: string;
let catalog: Catalog;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-store-relay-"));
  catalog = await openCatalog();
});
afterEach(async () => {
  await catalog[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const openCatalog = (): Promise<Catalog> =>
  openSqliteCatalog({
    path: join(folder, "catalog.sqlite"),
    exclusive: false,
    writer: "inline",
    onFatal: (error) => {
      throw error;
    },
  });

let names = 0;
const createAlbum = (name = `album ${names++}`) =>
  catalog.write({ type: "createAlbum", id: Bun.randomUUIDv7(), name, fields: EMPTY_ALBUM_FIELDS });

const rename = (albumId: string, name: string) => catalog.write({ type: "updateAlbum", albumId, patch: { name } });

async function loggedIds(): Promise<string[]> {
  const { events } = await catalog.events({ limit: 100_000 });
  return events.map(({ id }) => id);
}

const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await condition())) await Bun.sleep(1);
};

type Publish = (events: readonly SerializedCloudEvent[]) => Promise<void>;

/** Runs the relay until `publish` and whatever else the test awaits is done. */
async function withRelay(
  publish: Publish,
  use: () => Promise<void>,
  options: { observer?: RelayObserver; pollInterval?: number; batchSize?: number; catalog?: Catalog } = {},
): Promise<void> {
  const stop = new AbortController();
  const quick = { minBackoff: 1, maxBackoff: 5, pollInterval: 20 };
  const running = runRelay({ catalog, publisher: { topic, publish }, ...quick, ...options }, stop.signal);
  try {
    await use();
  } finally {
    stop.abort();
    await running;
  }
}

const cursor = async () => (await catalog.cursors()).find(({ name }) => name === topic);
const caughtUp = async () => (await cursor())?.lagEvents === 0;

/** What a consumer keeps that drops whatever is not above the highest sequence of its key. */
function createConsumer() {
  const highest = new Map<string, string>();
  const kept: string[] = [];
  return {
    kept,
    take: ({ attributes: { partitionkey, sequence, id } }: SerializedCloudEvent): void => {
      if (sequence <= (highest.get(partitionkey) ?? "")) return;
      highest.set(partitionkey, sequence);
      kept.push(id);
    },
  };
}

test("copies what is there and what comes, and saves how far it got", async () => {
  await createAlbum();
  const published: string[] = [];
  const counts: number[] = [];
  const observer = { published: (events: number) => counts.push(events), failed: () => {}, cursorLost: () => {} };
  const publish: Publish = async (events) => {
    published.push(...events.map(({ attributes }) => attributes.id));
  };
  await withRelay(
    publish,
    async () => {
      await until(caughtUp);
      await createAlbum();
      await until(caughtUp);
    },
    { observer },
  );
  expect(published).toEqual(await loggedIds());
  expect(counts).toEqual([1, 1]);
});

test("is woken by a change, and does not wait for its poll", async () => {
  let published = 0;
  const publish: Publish = async (events) => {
    published += events.length;
  };
  await withRelay(
    publish,
    async () => {
      await until(async () => (await cursor()) !== undefined);
      await createAlbum();
      await until(() => published === 1);
    },
    { pollInterval: 3_600_000 },
  );
});

test("finds by its poll what no hint told of", async () => {
  let published = 0;
  const publish: Publish = async (events) => {
    published += events.length;
  };
  const silent: Catalog = Object.assign(Object.create(catalog) as Catalog, { onEvents: () => () => {} });
  await withRelay(
    publish,
    async () => {
      await until(async () => (await cursor()) !== undefined);
      await createAlbum();
      await until(() => published === 1);
    },
    { catalog: silent },
  );
});

test("saves its cursor only after the acknowledgement", async () => {
  await createAlbum();
  const acknowledged = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const publish: Publish = async () => {
    begun.resolve();
    await acknowledged.promise;
  };
  await withRelay(publish, async () => {
    await begun.promise;
    await Bun.sleep(20);
    expect((await cursor())?.lagEvents).toBe(1);
    acknowledged.resolve();
    await until(caughtUp);
  });
});

test("goes on where the run before it stopped, however that ended", async () => {
  const consumer = createConsumer();
  await createAlbum();
  const begun = Promise.withResolvers<void>();
  await withRelay(
    (events) => {
      events.forEach(consumer.take);
      begun.resolve();
      return Promise.withResolvers<void>().promise;
    },
    () => begun.promise,
  );
  expect((await cursor())?.lagEvents).toBe(1);
  await catalog[Symbol.asyncDispose]();
  catalog = await openCatalog();
  await createAlbum();
  const sizes: number[] = [];
  const publish: Publish = async (events) => {
    events.forEach(consumer.take);
    sizes.push(events.length);
  };
  await withRelay(publish, () => until(caughtUp));
  expect(sizes).toEqual([2]);
  expect(consumer.kept).toEqual(await loggedIds());
  await withRelay(publish, () => createAlbum().then(() => until(caughtUp)));
  expect(sizes).toEqual([2, 1]);
});

test("tries again for ever, ever more slowly, and at once again after a success", async () => {
  await createAlbum();
  const delays: number[][] = [[]];
  let failures = 12;
  const observer: RelayObserver = {
    published: () => delays.push([]),
    failed: (error, { attempts, delay }) => {
      expect(error).toBeInstanceOf(StoreError);
      expect(attempts).toBe((delays.at(-1)?.length ?? 0) + 1);
      delays.at(-1)?.push(delay);
    },
    cursorLost: () => {},
  };
  const publish: Publish = async () => {
    if (failures-- > 0) throw new StoreError("unavailable", "no broker");
  };
  await withRelay(
    publish,
    async () => {
      await until(caughtUp);
      failures = 1;
      await createAlbum();
      await until(caughtUp);
    },
    { observer },
  );
  const [first = [], second = []] = delays;
  expect([first.length, second.length]).toEqual([12, 1]);
  expect(Math.max(...first)).toBeLessThanOrEqual(5);
  expect(first.at(-1)).toBeGreaterThan(first[0] ?? 5);
  expect(second[0]).toBeLessThanOrEqual(1);
});

test("changes are made as ever while nothing can be published", async () => {
  let attempts = 0;
  const publish: Publish = () => {
    attempts++;
    return Promise.reject(new StoreError("unavailable", "no broker"));
  };
  await withRelay(publish, async () => {
    for (let index = 0; index < 20; index++) await createAlbum();
    await until(() => attempts > 3);
    expect((await cursor())?.lagEvents).toBe(20);
  });
});

test("registers again when its cursor was given up, and starts at the oldest kept event", async () => {
  const published: string[] = [];
  let lost = 0;
  const observer = { published: () => {}, failed: () => {}, cursorLost: () => lost++ };
  const publish: Publish = async (events) => {
    published.push(...events.map(({ attributes }) => attributes.id));
    if (published.length === 1) await catalog.write({ type: "deleteCursor", name: topic });
  };
  await createAlbum();
  await withRelay(publish, () => until(caughtUp), { observer });
  const [first] = await loggedIds();
  expect(published).toEqual([first, first] as string[]);
  expect(lost).toBe(1);
});

test("goes on behind the floor when the log was pruned past it", async () => {
  const published: string[] = [];
  let failing = true;
  const publish: Publish = async (events) => {
    if (failing) throw new StoreError("unavailable", "no broker");
    published.push(...events.map(({ attributes }) => attributes.id));
  };
  const later = 60_000;
  await createAlbum();
  await withRelay(publish, async () => {
    await until(async () => (await cursor()) !== undefined);
    await catalog.write({ type: "deleteCursor", name: topic });
    await catalog.write({ type: "pruneEvents", retention: -later, maxBytes: null, limit: 100 });
    await createAlbum();
    failing = false;
    await until(async () => published.length > 0 && (await caughtUp()));
  });
  expect(published).toEqual(await loggedIds());
});

describe("a publisher that fails, loses acknowledgements and repeats itself", () => {
  test("misses nothing, and keeps the order of each album", async () => {
    type Fault = "none" | "refused" | "unacknowledged" | "partial" | "duplicated";
    const fault = fc.constantFrom<Fault[]>("none", "refused", "unacknowledged", "partial", "duplicated");
    await fc.assert(
      fc.asyncProperty(
        fc.array(fault, { maxLength: 30 }),
        fc.integer({ min: 1, max: 7 }),
        async (faults, batchSize) => {
          const consumer = createConsumer();
          const albums = await Promise.all([createAlbum(), createAlbum(), createAlbum()]);
          for (let index = 0; index < 20; index++) {
            await rename(albums[index % albums.length]?.value.id ?? "", `renamed ${names++}`);
          }
          const publish: Publish = async (events) => {
            const happens = faults.pop() ?? "none";
            const arriving = happens === "partial" ? events.slice(0, Math.ceil(events.length / 2)) : events;
            if (happens !== "refused") arriving.forEach(consumer.take);
            if (happens === "duplicated") arriving.forEach(consumer.take);
            if (happens !== "none" && happens !== "duplicated") throw new StoreError("unavailable", happens);
          };
          await withRelay(publish, () => until(caughtUp), { batchSize });
          expect(consumer.kept).toEqual(await loggedIds());
          // The next run begins with an empty log.
          await catalog.write({ type: "pruneEvents", retention: -60_000, maxBytes: null, limit: 1000 });
        },
      ),
      { numRuns: 25 },
    );
  });
});

test("stops at once when it is told to, whatever it waits for", async () => {
  await createAlbum();
  await withRelay(
    () => Promise.withResolvers<void>().promise,
    async () => Bun.sleep(5),
  );
  await withRelay(
    () => Promise.reject(new StoreError("unavailable", "no broker")),
    async () => Bun.sleep(5),
  );
  const stopped = new AbortController();
  stopped.abort();
  await runRelay({ catalog, publisher: { topic, publish: async () => {} } }, stopped.signal);
});
