import { afterEach, expect, test } from "bun:test";
import { StoreError } from "../../src/domain/errors.ts";
import type { Description, ImageInfo } from "../../src/domain/image.ts";
import { createUploadSlots } from "../../src/operations/upload-slots.ts";
import type { UndescribedImage } from "../../src/ports.ts";
import { type DescribeDeps, type DescribeOptions, runDescribe } from "../../src/workers/describe.ts";
import { createManualClock } from "../concurrency/manual-clock.ts";

const INFO: ImageInfo = { contentType: "image/png", width: 4, height: 3, frames: 1, hasAlpha: false, orientation: 1 };
const DECODABLE: Description = {
  placeholder: "hash",
  dominantColour: "#123456",
  exif: null,
  decodable: true,
  decodeError: null,
};

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await Bun.sleep(1);
};
const damaged = () => new StoreError("blob_damaged", "not what was stored");
const harmful = () => new StoreError("invalid_image", "The image takes too long to decode.");
const down = () => new StoreError("unavailable", "later");

/** A catalog, blobs and a renderer in memory. Images are described by their id. */
function createStore(ids: readonly string[]) {
  const waiting = new Map(ids.map((id) => [id, id]));
  const store = {
    described: new Map<string, Description>(),
    /** Ids in the order in which their description began. */
    begun: [] as string[],
    running: 0,
    /** Running at the same time. */
    most: 0,
    listeners: new Set<() => void>(),
    /** What becomes of a description: by default it is decodable. */
    describe: async (_id: string, _signal: AbortSignal): Promise<Description> => DECODABLE,
    openLocal: (_id: string): void => {},
    /** Blobs that were opened and not disposed of. */
    open: 0,
    write: (): void => {},
    add(id: string, blobKey = id): void {
      waiting.set(id, blobKey);
      for (const listener of store.listeners) listener();
    },
    get waiting() {
      return [...waiting.keys()];
    },
  };
  const ports: DescribeDeps = {
    catalog: {
      onEvents(listener) {
        store.listeners.add(listener);
        return () => store.listeners.delete(listener);
      },
      async undescribedImages({ limit, order, before = "~", after = "" }): Promise<readonly UndescribedImage[]> {
        const sign = order === "newest" ? -1 : 1;
        const next = [...waiting]
          .filter(([id]) => id < before && id > after)
          .toSorted(([one], [other]) => (one > other ? sign : -sign));
        const found = next.slice(0, limit);
        return found.map(([imageId, blobKey]) => ({ imageId, blobKey, location: imageId, size: 1, info: INFO }));
      },
      async write(change) {
        if (change.type !== "describeImage") throw new Error(`${change.type} is not for this worker`);
        store.write();
        const applied = waiting.get(change.imageId) === change.blobKey;
        if (applied) {
          waiting.delete(change.imageId);
          store.described.set(change.imageId, change.description);
          for (const listener of store.listeners) listener();
        }
        return { applied } as never;
      },
    },
    blobs: {
      async openLocal(location) {
        store.openLocal(location);
        store.open++;
        return { source: { path: location }, [Symbol.asyncDispose]: async () => void store.open-- };
      },
    },
    renderer: {
      async describe(source, _image, signal) {
        const id = "path" in source ? source.path : "";
        store.begun.push(id);
        store.most = Math.max(store.most, ++store.running);
        try {
          return await store.describe(id, signal);
        } finally {
          store.running--;
        }
      },
    },
  };
  return Object.assign(store, { ports });
}

const stopping: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stopping.splice(0)) await stop();
});

function start(store: { ports: DescribeDeps; open: number }, options: Partial<DescribeOptions> = {}) {
  const controller = new AbortController();
  const errors: unknown[] = [];
  const quick = { pollInterval: 20, minBackoff: 1, maxBackoff: 5, maxPause: 5, patience: 5 };
  const base = { whenIdle: async () => {}, onFailure: (error: unknown) => void errors.push(error) };
  const running = runDescribe(store.ports, { ...base, ...quick, ...options }, controller.signal);
  const stop = async () => {
    controller.abort();
    await running;
    expect(store.open).toBe(0);
  };
  stopping.push(stop);
  return { errors, stop };
}

const ids = (count: number) => Array.from({ length: count }, (_, index) => String(1000 + index));

test("every existing image is described once, the newest and the oldest in turn", async () => {
  const store = createStore(ids(120));
  const { errors } = start(store);
  await until(() => store.described.size === 120);
  const [oldest, newest] = [ids(120), ids(120).toReversed()];
  expect(store.begun).toEqual(newest.slice(0, 60).flatMap((id, index) => [id, oldest[index] ?? ""]));
  expect(errors).toEqual([]);
  expect(store.most).toBe(1);
});

test("images are described concurrently up to the limit, each once", async () => {
  const store = createStore(ids(120));
  store.describe = async () => {
    await Bun.sleep(1);
    return DECODABLE;
  };
  start(store, { atOnce: 4 });
  await until(() => store.described.size === 120);
  expect(store.most).toBe(4);
  expect(store.begun.toSorted()).toEqual(ids(120));
});

test("an image that was described while the newest were read again is not described twice", async () => {
  const store = createStore(ids(2));
  const gates = new Map<string, PromiseWithResolvers<void>>();
  store.describe = async (id) => {
    const gate = Promise.withResolvers<void>();
    gates.set(id, gate);
    await gate.promise;
    return DECODABLE;
  };
  const release = async (id: string) => {
    await until(() => gates.has(id));
    gates.get(id)?.resolve();
  };
  start(store, { atOnce: 2 });
  await until(() => gates.size === 2);
  store.add("2000");
  await release("1001");
  await until(() => gates.has("2000"));
  await release("1000");
  await release("2000");
  await until(() => store.described.size === 3);
  expect(store.begun).toEqual(["1001", "1000", "2000"]);
});

test("a steady stream of new images does not starve the oldest", async () => {
  const store = createStore(ids(40));
  let next = 5000;
  store.describe = async () => {
    if (next < 5200) store.add(String(next++));
    return DECODABLE;
  };
  const { stop } = start(store);
  await until(() => ids(40).every((id) => store.described.has(id)));
  await stop();
  const lastOfOld = Math.max(...ids(40).map((id) => store.begun.indexOf(id)));
  expect(lastOfOld).toBeLessThan(90);
});

test("a description that timed out is retried and does not block the others", async () => {
  const store = createStore(ids(3));
  let left = 5;
  store.describe = async (id) => {
    if (id === "1002" && left-- > 0)
      throw new StoreError("unavailable", "The machine was too busy.", { members: { reason: "stalled" } });
    return DECODABLE;
  };
  start(store, { maxPause: 60_000 });
  await until(() => store.described.size === 3);
  expect(store.described.get("1002")).toEqual(DECODABLE);
});

test("a new image is described before a backlog", async () => {
  const store = createStore(ids(120));
  store.describe = async () => {
    if (store.begun.length === 5) store.add("2000");
    return DECODABLE;
  };
  start(store);
  await until(() => store.described.size === 121);
  expect(store.begun.indexOf("2000")).toBeLessThan(30);
});

test("images that fail repeatedly do not block a new one", async () => {
  const store = createStore(ids(120));
  store.openLocal = (id) => {
    if (id >= "1060") throw down();
  };
  start(store, { minBackoff: 1, maxBackoff: 1, maxPause: 2 });
  await until(() => store.described.size === 60);
});

test("a new image is described on its event, or on the next poll", async () => {
  const store = createStore([]);
  start(store, { pollInterval: 60_000 });
  await until(() => store.listeners.size === 1);
  store.add("a");
  await until(() => store.described.has("a"));

  const polled = createStore([]);
  polled.ports.catalog.onEvents = () => () => true;
  start(polled);
  polled.add("b");
  await until(() => polled.described.has("b"));
});

test("uploads take precedence over descriptions, but not for ever", async () => {
  const slots = createUploadSlots(10);
  const upload = slots.take();
  const store = createStore(["a"]);
  start(store, { whenIdle: slots.whenIdle, patience: 60_000 });
  await Bun.sleep(30);
  expect(store.begun).toEqual([]);
  upload[Symbol.dispose]();
  await until(() => store.described.has("a"));

  using endless = slots.take();
  const impatient = createStore(["b", "c"]);
  start(impatient, { whenIdle: slots.whenIdle });
  await until(() => impatient.described.size === 2);
});

test("the moment between two uploads of a stream is no time for descriptions, a longer one is", async () => {
  const { clock, advance } = createManualClock();
  const slots = createUploadSlots(10, undefined, clock);
  const store = createStore(["a"]);
  let upload = slots.take();
  start(store, { whenIdle: slots.whenIdle, patience: 60_000 });
  for (let next = 0; next < 20; next++) {
    advance(8);
    upload[Symbol.dispose]();
    await Bun.sleep(1);
    advance(7);
    await Bun.sleep(1);
    upload = slots.take();
  }
  expect(store.begun).toEqual([]);
  advance(8);
  upload[Symbol.dispose]();
  await Bun.sleep(1);
  advance(8);
  await until(() => store.described.has("a"));
});

test("an image with damaged bytes does not block the others, and is retried", async () => {
  const store = createStore(ids(60));
  let tries = 0;
  store.openLocal = (id) => {
    if (id === "1059" && ++tries < 4) throw damaged();
  };
  const { errors } = start(store);
  await until(() => store.described.size === 60);
  expect(errors.map((error) => (error as StoreError).code)).toEqual(["blob_damaged", "blob_damaged", "blob_damaged"]);
  expect(store.begun.indexOf("1058")).toBeLessThan(2);
});

test("many damaged images are tried once while no event arrives", async () => {
  const store = createStore(ids(1000));
  store.openLocal = () => {
    throw damaged();
  };
  let looks = 0;
  const { undescribedImages } = store.ports.catalog;
  store.ports.catalog.undescribedImages = (...parameters) => {
    looks++;
    return undescribedImages(...parameters);
  };
  const { errors } = start(store, { pollInterval: 60_000, minBackoff: 60_000, maxBackoff: 60_000 });
  await until(() => errors.length === 1000);
  expect(looks).toBeLessThanOrEqual(1000 / 10 + 2);
});

test("an image that crashes the decoder twice is described as not decodable", async () => {
  const store = createStore(ids(3));
  const harmed = new Map([
    ["1000", 5],
    ["1001", 1],
  ]);
  store.describe = async (id) => {
    const left = harmed.get(id) ?? 0;
    harmed.set(id, left - 1);
    if (left > 0) throw harmful();
    return DECODABLE;
  };
  start(store);
  await until(() => store.described.size === 3);
  expect(store.described.get("1000")).toEqual({
    placeholder: null,
    dominantColour: null,
    exif: null,
    decodable: false,
    decodeError: "The image takes too long to decode.",
  });
  expect(store.described.get("1001")).toEqual(DECODABLE);
  expect(store.begun.filter((id) => id === "1000")).toHaveLength(2);
});

test("a busy or failing renderer is retried and says nothing about the image", async () => {
  const store = createStore(ids(5));
  let failures = 0;
  store.describe = async () => {
    if (++failures < 8) throw new StoreError("busy", "too many wait");
    return DECODABLE;
  };
  let writes = 0;
  store.write = () => {
    if (++writes < 4) throw down();
  };
  let listings = 0;
  const { undescribedImages } = store.ports.catalog;
  store.ports.catalog.undescribedImages = (...parameters) =>
    ++listings === 1 ? Promise.reject(down()) : undescribedImages(...parameters);
  start(store);
  await until(() => store.described.size === 5);
  for (const description of store.described.values()) expect(description).toEqual(DECODABLE);
});

test("replaced bytes are described instead of the old ones", async () => {
  const store = createStore(["a"]);
  store.describe = async (id) => {
    if (store.begun.length === 1) {
      store.add(id, "new bytes");
      return { ...DECODABLE, placeholder: "old" };
    }
    return { ...DECODABLE, placeholder: "new" };
  };
  start(store);
  await until(() => store.described.size === 1);
  expect(store.described.get("a")?.placeholder).toBe("new");

  const damagedOnce = createStore(["b"]);
  damagedOnce.openLocal = (id) => {
    damagedOnce.openLocal = () => {};
    damagedOnce.add(id, "new bytes");
    throw damaged();
  };
  start(damagedOnce, { minBackoff: 60_000, maxBackoff: 60_000 });
  await until(() => damagedOnce.described.size === 1);
});

test("stopping cancels running and queued descriptions", async () => {
  const store = createStore(ids(3));
  let cancelled = false;
  store.describe = (_, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        cancelled = true;
        reject(signal.reason as Error);
      });
    });
  const { errors, stop } = start(store);
  await until(() => store.begun.length === 1);
  await stop();
  expect({ cancelled, errors, begun: store.begun.length, listeners: store.listeners.size }).toEqual({
    cancelled: true,
    errors: [],
    begun: 1,
    listeners: 0,
  });

  const idle = createStore([]);
  await start(idle, { pollInterval: 60_000 }).stop();
  const pausing = createStore(["a"]);
  pausing.write = () => {
    throw down();
  };
  const { errors: told, stop: stopPausing } = start(pausing, { minBackoff: 60_000, maxPause: 60_000 });
  await until(() => told.length === 1);
  await stopPausing();
});
