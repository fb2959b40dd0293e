import { afterEach, expect, test } from "bun:test";
import { StoreError } from "../../src/domain/errors.ts";
import type { Description, ImageInfo } from "../../src/domain/image.ts";
import { createUploadSlots } from "../../src/operations/upload-slots.ts";
import type { UndescribedImage } from "../../src/ports.ts";
import { type DescribeOptions, type DescribePorts, runDescribe } from "../../src/workers/describe.ts";

const INFO: ImageInfo = { contentType: "image/png", width: 4, height: 3, frames: 1, hasAlpha: false, orientation: 1 };
const SOUND: Description = {
  placeholder: "hash",
  dominantColour: "#123456",
  exif: null,
  sound: true,
  unsoundReason: null,
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
    listeners: new Set<() => void>(),
    /** What becomes of a description: by default it is sound. */
    describe: async (_id: string, _signal: AbortSignal): Promise<Description> => SOUND,
    lend: (_id: string): void => {},
    write: (): void => {},
    add(id: string, blobKey = id): void {
      waiting.set(id, blobKey);
      for (const listener of store.listeners) listener();
    },
    get waiting() {
      return [...waiting.keys()];
    },
  };
  const ports: DescribePorts = {
    catalog: {
      onEvents(listener) {
        store.listeners.add(listener);
        return () => store.listeners.delete(listener);
      },
      async undescribedImages(limit, before = "~"): Promise<readonly UndescribedImage[]> {
        const next = [...waiting].filter(([id]) => id < before).toSorted(([one], [other]) => (one > other ? -1 : 1));
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
      async lend(location, _options, work) {
        store.lend(location);
        return await work({ path: location });
      },
    },
    renderer: {
      async describe(source, _image, signal) {
        const id = "path" in source ? source.path : "";
        store.begun.push(id);
        store.running++;
        expect(store.running).toBe(1);
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

function start(store: { ports: DescribePorts }, options: Partial<DescribeOptions> = {}) {
  const controller = new AbortController();
  const errors: unknown[] = [];
  const quick = { pollInterval: 20, minBackoff: 1, maxBackoff: 5, maxPause: 5, patience: 5 };
  const base = { whenIdle: async () => {}, onFailure: (error: unknown) => void errors.push(error) };
  const running = runDescribe(store.ports, { ...base, ...quick, ...options }, controller.signal);
  const stop = async () => {
    controller.abort();
    await running;
  };
  stopping.push(stop);
  return { errors, stop };
}

const ids = (count: number) => Array.from({ length: count }, (_, index) => String(1000 + index));

test("every image that is there is described, one at a time and the newest first", async () => {
  const store = createStore(ids(120));
  const { errors } = start(store);
  await until(() => store.described.size === 120);
  expect(store.begun).toEqual(ids(120).toReversed());
  expect(errors).toEqual([]);
});

test("one that comes while many are waiting has not to wait for them", async () => {
  const store = createStore(ids(120));
  store.describe = async () => {
    if (store.begun.length === 5) store.add("2000");
    return SOUND;
  };
  start(store);
  await until(() => store.described.size === 121);
  expect(store.begun.indexOf("2000")).toBeLessThan(30);
});

test("those that fail again and again do not keep it from those behind them", async () => {
  const store = createStore(ids(120));
  store.lend = (id) => {
    if (id >= "1060") throw down();
  };
  start(store, { minBackoff: 1, maxBackoff: 1, maxPause: 2 });
  await until(() => store.described.size === 60);
});

test("a new one is described when the log says so, or when it is looked for", async () => {
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

test("uploads go first, but not for ever", async () => {
  const slots = createUploadSlots(10);
  const upload = Promise.withResolvers<void>();
  const uploading = slots.run(() => upload.promise);
  const store = createStore(["a"]);
  start(store, { whenIdle: slots.whenIdle, patience: 60_000 });
  await Bun.sleep(30);
  expect(store.begun).toEqual([]);
  upload.resolve();
  await uploading;
  await until(() => store.described.has("a"));

  const endless = slots.run(() => new Promise<void>(() => {}));
  const impatient = createStore(["b", "c"]);
  start(impatient, { whenIdle: slots.whenIdle });
  await until(() => impatient.described.size === 2);
  expect(endless).toBeInstanceOf(Promise);
});

test("an image whose bytes are damaged does not hold up the others, and is tried again", async () => {
  const store = createStore(ids(60));
  let tries = 0;
  store.lend = (id) => {
    if (id === "1059" && ++tries < 4) throw damaged();
  };
  const { errors } = start(store);
  await until(() => store.described.size === 60);
  expect(errors.map((error) => (error as StoreError).code)).toEqual(["blob_damaged", "blob_damaged", "blob_damaged"]);
  expect(store.begun.indexOf("1058")).toBe(0);
});

test("very many damaged ones are looked at once, while nothing new is told of", async () => {
  const store = createStore(ids(1000));
  store.lend = () => {
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
  expect(looks).toBeLessThanOrEqual(1000 / 20 + 1);
});

test("one that harms the decoder twice is described as not sound; once may have been something else", async () => {
  const store = createStore(ids(3));
  const harmed = new Map([
    ["1000", 5],
    ["1001", 1],
  ]);
  store.describe = async (id) => {
    const left = harmed.get(id) ?? 0;
    harmed.set(id, left - 1);
    if (left > 0) throw harmful();
    return SOUND;
  };
  start(store);
  await until(() => store.described.size === 3);
  expect(store.described.get("1000")).toEqual({
    placeholder: null,
    dominantColour: null,
    exif: null,
    sound: false,
    unsoundReason: "The image takes too long to decode.",
  });
  expect(store.described.get("1001")).toEqual(SOUND);
  expect(store.begun.filter((id) => id === "1000")).toHaveLength(2);
});

test("what is busy or down is waited for, and says nothing about an image", async () => {
  const store = createStore(ids(5));
  let failures = 0;
  store.describe = async () => {
    if (++failures < 8) throw new StoreError("busy", "too many wait");
    return SOUND;
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
  for (const description of store.described.values()) expect(description).toEqual(SOUND);
});

test("bytes that were replaced meanwhile are described instead, whatever became of the old ones", async () => {
  const store = createStore(["a"]);
  store.describe = async (id) => {
    if (store.begun.length === 1) {
      store.add(id, "new bytes");
      return { ...SOUND, placeholder: "old" };
    }
    return { ...SOUND, placeholder: "new" };
  };
  start(store);
  await until(() => store.described.size === 1);
  expect(store.described.get("a")?.placeholder).toBe("new");

  const damagedOnce = createStore(["b"]);
  damagedOnce.lend = (id) => {
    damagedOnce.lend = () => {};
    damagedOnce.add(id, "new bytes");
    throw damaged();
  };
  start(damagedOnce, { minBackoff: 60_000, maxBackoff: 60_000 });
  await until(() => damagedOnce.described.size === 1);
});

test("stopping cancels what runs, and what waits", async () => {
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
