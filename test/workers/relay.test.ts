import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import { openSqliteCatalog } from "../../src/adapters/catalog/sqlite.ts";
import { EMPTY_ALBUM_FIELDS } from "../../src/domain/album.ts";
import { StoreError } from "../../src/domain/errors.ts";
import type { SerializedCloudEvent } from "../../src/domain/event.ts";
import type { Catalog, Publisher } from "../../src/ports.ts";
import { type RelayObserver, runRelay } from "../../src/workers/relay.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";

const topic = "image-store.events";
let folder: string;
let catalog: Catalog;

beforeEach(async () => {
  folder = await newFolder("relay");
  catalog = await openCatalog();
});
afterEach(async () => {
  await catalog[Symbol.asyncDispose]();
  await removeFolder(folder);
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
  const { events } = await catalog.events({ visibility: "all", limit: 100_000 });
  return events.map(({ id }) => id);
}

const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await condition())) await Bun.sleep(1);
};

type Publish = Publisher["publish"];

/** Runs the relay until `publish` and whatever else the test awaits is done. */
async function withRelay(
  publish: Publish,
  use: () => Promise<void>,
  options: {
    observer?: RelayObserver;
    pollInterval?: number;
    batchSize?: number;
    catalog?: Catalog;
    audit?: boolean;
  } = {},
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

const SILENT: RelayObserver = {
  published: () => {},
  refused: () => {},
  failed: () => {},
  cursorLost: () => {},
  rewound: () => {},
};

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

test("the relay publishes existing and new events and saves its cursor", async () => {
  await createAlbum();
  const published: string[] = [];
  const counts: number[] = [];
  const observer = { ...SILENT, published: (events: number) => counts.push(events) };
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

test("the relay is notified of a change before its poll", async () => {
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

test("the relay finds by its poll what it was not notified of", async () => {
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

test("the relay saves its cursor only after the acknowledgement", async () => {
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

test("the relay resumes where the previous run stopped, however that ended", async () => {
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

test("the relay retries for ever with backoff, which a success resets", async () => {
  await createAlbum();
  const delays: number[][] = [[]];
  let failures = 12;
  const observer: RelayObserver = {
    ...SILENT,
    published: () => delays.push([]),
    failed: (error, { attempts, delay }) => {
      expect(error).toBeInstanceOf(StoreError);
      expect(attempts).toBe((delays.at(-1)?.length ?? 0) + 1);
      delays.at(-1)?.push(delay);
    },
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

test("changes are written while nothing can be published", async () => {
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

test("the relay registers again after its cursor was deleted, and starts at the oldest event", async () => {
  const published: string[] = [];
  let lost = 0;
  const observer = { ...SILENT, cursorLost: () => lost++ };
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

test("the relay restarts by itself when its cursor is deleted while it is idle", async () => {
  const published: string[] = [];
  const publish: Publish = async (events) => {
    published.push(...events.map(({ attributes }) => attributes.id));
  };
  await createAlbum();
  await withRelay(publish, async () => {
    await until(caughtUp);
    await catalog.write({ type: "deleteCursor", name: topic });
    await until(() => published.length === 2);
    await until(caughtUp);
  });
  const [first] = await loggedIds();
  expect(published).toEqual([first, first] as string[]);
});

test("after its cursor was deleted the relay publishes the old events before later ones", async () => {
  for (const pollInterval of [5, 3_600_000])
    for (let round = 0; round < 10; round++) {
      const published: string[] = [];
      const publish: Publish = async (events) => {
        published.push(...events.map(({ attributes }) => attributes.id));
      };
      await createAlbum();
      await withRelay(
        publish,
        async () => {
          await until(caughtUp);
          await catalog.write({ type: "deleteCursor", name: topic });
          const before = await loggedIds();
          await Promise.all([createAlbum(), createAlbum()]);
          const after = new Set((await loggedIds()).slice(before.length));
          await until(async () => (await cursor()) !== undefined && (await caughtUp()));
          const begins = published.lastIndexOf(before[0] ?? "");
          expect(published.slice(0, begins).filter((id) => after.has(id))).toEqual([]);
          expect(published.slice(begins)).toEqual(await loggedIds());
        },
        { pollInterval },
      );
    }
});

const rewindTo = async (seq: number) => {
  const { epoch } = await catalog.log();
  return catalog.write({ type: "rewindCursor", name: topic, to: { epoch, seq } });
};

test("after its cursor was rewound the relay publishes the events behind it again, in order and before later ones", async () => {
  for (const pollInterval of [5, 3_600_000])
    for (let round = 0; round < 10; round++) {
      const published: string[] = [];
      let rewound = 0;
      const publish: Publish = async (events) => {
        published.push(...events.map(({ attributes }) => attributes.id));
      };
      await createAlbum();
      await createAlbum();
      await withRelay(
        publish,
        async () => {
          await until(caughtUp);
          const { lastSequence } = await catalog.log();
          const replayed = (await loggedIds()).slice(-2);
          await rewindTo(lastSequence - 2);
          await Promise.all([createAlbum(), createAlbum()]);
          await until(async () => rewound > 0 && (await caughtUp()));
          const logged = await loggedIds();
          const begins = published.lastIndexOf(replayed[0] ?? "");
          expect(published.slice(begins)).toEqual(logged.slice(logged.indexOf(replayed[0] ?? "")));
        },
        { pollInterval, observer: { ...SILENT, rewound: () => rewound++ } },
      );
      expect(rewound).toBe(1);
    }
});

/** The relay's catalog, whose saves wait at a gate: on their way to the catalog, or on their way back. */
function gated(place: "before" | "after") {
  const arrived = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const write: Catalog["write"] = async (change) => {
    if (change.type !== "advanceCursor") return catalog.write(change);
    if (place === "before") {
      arrived.resolve();
      await gate.promise;
    }
    const result = await catalog.write(change);
    if (place === "after") {
      arrived.resolve();
      await gate.promise;
    }
    return result;
  };
  const slow: Catalog = Object.assign(Object.create(catalog) as Catalog, { write });
  return { slow, arrived: arrived.promise, open: gate.resolve };
}

describe("a rewind while the relay saves its cursor", () => {
  test.each(["before", "after"] as const)("is not undone, when the save is committed %s it waits", async (place) => {
    const published: string[] = [];
    const publish: Publish = async (events) => {
      published.push(...events.map(({ attributes }) => attributes.id));
    };
    for (let number = 0; number < 4; number++) await createAlbum();
    const { slow, arrived, open } = gated(place);
    await withRelay(
      publish,
      async () => {
        await arrived;
        // Also where the position is that of the last save: what was published since must come again.
        const first = await rewindTo(0);
        expect(first.seq).toBe(0);
        open();
        await until(async () => published.length >= 8 && (await caughtUp()));
      },
      { catalog: slow },
    );
    const logged = await loggedIds();
    expect(published).toEqual([...logged, ...logged]);
  });

  test("comes before what the relay has read and not published", async () => {
    const published: string[] = [];
    const publish: Publish = async (events) => {
      published.push(...events.map(({ attributes }) => attributes.id));
    };
    for (let number = 0; number < 3; number++) await createAlbum();
    const rewound = Promise.withResolvers<void>();
    let saves = 0;
    const slow: Catalog = Object.assign(Object.create(catalog) as Catalog, {
      write: (async (change) => {
        if (change.type !== "advanceCursor" || saves++ > 0) return catalog.write(change);
        await rewindTo(0);
        rewound.resolve();
        return catalog.write(change);
      }) satisfies Catalog["write"],
      cursors: async (name?: string) => {
        if (saves > 0) await rewound.promise;
        return catalog.cursors(name);
      },
    });
    await withRelay(publish, () => until(async () => published.length >= 5 && (await caughtUp())), {
      catalog: slow,
      batchSize: 2,
    });
    const logged = await loggedIds();
    expect(published).toEqual([...logged.slice(0, 2), ...logged]);
  });

  test("is not undone at any moment of a busy log", async () => {
    const published: string[] = [];
    const publish: Publish = async (events) => {
      published.push(...events.map(({ attributes }) => attributes.id));
    };
    await withRelay(
      publish,
      async () => {
        for (let round = 0; round < 40; round++) {
          for (let number = 0; number < 3; number++) await createAlbum();
          const { lastSequence } = await catalog.log();
          const before = published.length;
          const { seq } = await rewindTo(Math.max(0, lastSequence - 1 - (round % 5)));
          await until(caughtUp);
          // What was published before the rewind does not count.
          const owed = (await loggedIds()).slice(seq);
          await until(() => {
            const since = published.slice(before);
            return owed.every((id) => since.includes(id));
          });
        }
      },
      { batchSize: 2 },
    );
  });
});

const refuseFirst: Publish = async ([event], onRefused) => {
  if (event !== undefined) onRefused?.({ event, reason: "too large" });
};

test("the relay reports and skips an event that the publisher refuses in every form", async () => {
  const refused: string[] = [];
  const observer: RelayObserver = {
    ...SILENT,
    refused: ({ event, reason }) => refused.push(event.attributes.id, reason),
  };
  await createAlbum();
  await createAlbum();
  await withRelay(refuseFirst, () => until(caughtUp), { observer });
  expect(refused).toEqual([(await loggedIds())[0] ?? "", "too large"]);
});

test("the relay continues at the oldest event when the log was pruned past its cursor", async () => {
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

describe("the relay with a publisher that fails, loses acknowledgements and repeats", () => {
  test("publishes every event, in the order of each album", async () => {
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

const createKey = () => {
  const id = `k${names++}`;
  return catalog.write({ type: "createKey", id, sha256: id, name: id, grants: [], expiresAt: null });
};
const isCaughtUp = async () => (await catalog.cursors()).every(({ lagEvents }) => lagEvents === 0);

describe("events of the audit trail", () => {
  test.each([
    [false, ["imagestore.album.created", "imagestore.album.created"]],
    [
      true,
      [
        "imagestore.key.created",
        "imagestore.album.created",
        "imagestore.key.created",
        "imagestore.album.created",
        "imagestore.key.created",
      ],
    ],
  ])("with audit=%p are relayed accordingly, and are no lag", async (audit, expected) => {
    const published: string[] = [];
    const publish: Publish = async (events) => void published.push(...events.map(({ attributes }) => attributes.type));
    await createKey();
    await createAlbum();
    await createKey();
    await createAlbum();
    await createKey();
    const isDone = async () => published.length === expected.length && (await isCaughtUp());
    const use = async () => {
      await until(isDone);
      expect(published).toEqual(expected);
      // Alone at the end of the log.
      await createKey();
      await until(isCaughtUp);
    };
    await withRelay(publish, use, { audit });
    expect(published.length).toBe(expected.length + (audit ? 1 : 0));
  });

  test("alone in a long log move the cursor on, also in small batches", async () => {
    for (let number = 0; number < 30; number++) await createKey();
    const last = await createAlbum();
    const published: string[] = [];
    const publish: Publish = async (events) =>
      void published.push(...events.map(({ attributes }) => attributes.subject));
    await withRelay(publish, () => until(async () => published.length === 1 && (await isCaughtUp())), { batchSize: 2 });
    expect(published).toEqual([`albums/${last.value.id}`]);
  });
});

test("the relay stops at once when aborted during any of its waits", async () => {
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
