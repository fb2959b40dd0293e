import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { requireTextBounds } from "../../src/domain/album.ts";
import {
  type CloudEvent,
  cloudEventJson,
  decodeCursor,
  EVENT_TYPES,
  encodeCursor,
  formatSequence,
  parseEventType,
  type StoredEvent,
  toCloudEvent,
} from "../../src/domain/event.ts";
import { imageLinks } from "../../src/domain/image.ts";
import { createWakeUp } from "../../src/domain/wake-up.ts";
import { createEventFeed } from "../../src/operations/event-feed.ts";
import { type EventReader, followEvents, listEvents } from "../../src/operations/events.ts";

const never = new AbortController().signal;
const position = fc.record({
  epoch: fc.integer({ min: 0, max: 99_999_999 }),
  seq: fc.integer({ min: 0, max: 999_999_999_999 }),
});

describe("positions", () => {
  test("a cursor says where it is, and no other text says the same", () => {
    fc.assert(
      fc.property(position, fc.string(), (at, text) => {
        expect(decodeCursor(encodeCursor(at))).toEqual(at);
        const decoded = decodeCursor(text);
        if (decoded !== undefined) expect(encodeCursor(decoded)).toBe(text);
      }),
    );
  });

  test("sequences sort as text as their positions do", () => {
    fc.assert(
      fc.property(position, position, (one, other) => {
        const [left, right] = [formatSequence(one), formatSequence(other)];
        expect([left.length, right.length]).toEqual([20, 20]);
        expect(Math.sign(one.epoch - other.epoch || one.seq - other.seq)).toBe(
          left < right ? -1 : left > right ? 1 : 0,
        );
      }),
    );
  });

  test("types have a short name each", () => {
    for (const type of EVENT_TYPES) {
      expect([parseEventType(type), parseEventType(type.slice("imagestore.".length))]).toEqual([type, type]);
    }
    expect(["", "album", "imagestore.", "toString"].map(parseEventType)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

const stored = (seq: number, more: Partial<StoredEvent> = {}): StoredEvent => ({
  seq,
  id: `event ${seq}`,
  type: "imagestore.album.updated",
  albumId: "album",
  imageId: null,
  time: 1_784_000_000_000,
  traceparent: null,
  data: "{}",
  ...more,
});

/** What JSON makes longest: escapes, and characters of three bytes. */
const repeated = (most: number) =>
  fc.tuple(fc.constantFrom('"', "\n", "€", "a"), fc.nat(most)).map(([unit, count]) => unit.repeat(count));

describe("the envelope", () => {
  test("is one line of JSON with the data as it was stored, whatever that says", () => {
    fc.assert(
      fc.property(fc.json(), fc.option(fc.string()), (data, traceparent) => {
        const event = toCloudEvent(stored(7, { data: JSON.stringify(JSON.parse(data)), traceparent }), {
          storeId: "store",
          epoch: 1,
        });
        const json = cloudEventJson(event);
        expect(json).not.toContain("\n");
        const { data: read, ...attributes } = JSON.parse(json) as CloudEvent;
        expect(read as unknown).toEqual(JSON.parse(data));
        expect(attributes).toEqual(event.attributes);
        expect("traceparent" in attributes).toBe(traceparent !== null);
      }),
    );
  });

  test("stays below 32 KiB, the longest text included that a record may have", () => {
    const fields = fc.record({
      name: repeated(255),
      title: repeated(200),
      description: repeated(4096),
      metadata: fc.dictionary(fc.string(), repeated(4000), { maxKeys: 3 }),
      tags: fc.array(fc.string()),
    });
    let longest = 0;
    fc.assert(
      fc.property(fields, repeated(255), (image, album) => {
        try {
          requireTextBounds(image);
        } catch {
          fc.pre(false);
        }
        const links = imageLinks({ album, name: image.name, id: album, sha256: "0".repeat(64) });
        const numbers = {
          width: 65_535,
          height: 65_535,
          frames: 9999,
          orientation: 8,
          size: 2 ** 40,
          revision: 2 ** 40,
        };
        const described = {
          focalPoint: { x: 0.1234, y: 0.5678 },
          described: true,
          placeholder: "A".repeat(36),
          dominantColour: "#ffffff",
          exif: { artist: "a".repeat(2030) },
          sound: false,
          unsoundReason: "a".repeat(200),
        };
        const data = JSON.stringify({
          ...image,
          ...numbers,
          ...described,
          links,
          album,
          previousName: image.name,
          reason: "described",
        });
        const event = toCloudEvent(
          stored(999_999_999_999, { data, imageId: "0".repeat(36), traceparent: "0".repeat(55) }),
          {
            storeId: "0".repeat(36),
            epoch: 99_999_999,
          },
        );
        longest = Math.max(longest, Buffer.byteLength(cloudEventJson(event)));
      }),
      { numRuns: 300 },
    );
    expect(longest).toBeLessThan(32 * 1024);
    // Records with nearly all of the text that they may have were among them.
    expect(longest).toBeGreaterThan(16 * 1024);
  });

  test("names what changed by ids", () => {
    const log = { storeId: "store", epoch: 1 };
    expect(toCloudEvent(stored(1), log).attributes.subject).toBe("albums/album");
    expect(toCloudEvent(stored(1, { imageId: "image" }), log).attributes.subject).toBe("albums/album/images/image");
  });
});

describe("waking up", () => {
  test("a ring between the look and the wait is not missed", async () => {
    const wakeUp = createWakeUp();
    const seen = wakeUp.count;
    wakeUp.ring();
    await wakeUp.wait(seen, 3_600_000, never);
    expect(wakeUp.waiting).toBe(0);
  });

  test("whatever ends the wait, nothing of it stays behind", async () => {
    const wakeUp = createWakeUp();
    const [one, other] = [new AbortController(), new AbortController()];
    const waits = [
      wakeUp.wait(wakeUp.count, 3_600_000, one.signal),
      wakeUp.wait(wakeUp.count, 3_600_000, never, other.signal),
      wakeUp.wait(wakeUp.count, 1, never),
      wakeUp.wait(wakeUp.count, 3_600_000),
      wakeUp.wait(wakeUp.count, 0),
    ];
    expect(wakeUp.waiting).toBe(4);
    one.abort();
    other.abort();
    await Promise.all(waits.slice(0, 3));
    expect(wakeUp.waiting).toBe(1);
    wakeUp.ring();
    await Promise.all(waits);
    await wakeUp.wait(wakeUp.count, 3_600_000, one.signal);
    expect(wakeUp.waiting).toBe(0);
  });
});

/** A log in memory, read in windows of three, whose hints are given by the test. */
function createLog() {
  const events: StoredEvent[] = [];
  const listeners = new Set<() => void>();
  let reads = 0;
  let polls = 0;
  const catalog = {
    storeId: "store",
    async log() {
      polls++;
      return { epoch: 3, floor: 0, head: events.length, bytes: 0 };
    },
    async events({ after, types }: { after?: { seq: number } | undefined; types?: readonly string[] | undefined }) {
      reads++;
      const from = after?.seq ?? 0;
      const window = events.slice(from, from + 3);
      const found = window.filter(({ type }) => types === undefined || types.includes(type));
      const seq = from + window.length;
      return { events: found, next: { epoch: 3, seq }, atEnd: seq === events.length };
    },
    onEvents(listener: () => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return {
    catalog,
    listeners,
    reads: () => reads,
    polls: () => polls,
    append: (more: Partial<StoredEvent> = {}) => events.push(stored(events.length + 1, more)),
    hint() {
      for (const listener of listeners) listener();
    },
  };
}

const sequenceNumbers = (page: { events: readonly { position: { seq: number } }[] }) =>
  page.events.map(({ position: { seq } }) => seq);

describe("followers", () => {
  test("share one listener, and are all woken by it", async () => {
    const log = createLog();
    using eventFeed = createEventFeed(log.catalog, { pollInterval: 3_600_000 });
    const reader: EventReader = { catalog: log.catalog, eventFeed };
    const selection = { after: "latest", limit: 10, wait: 3_600_000 } as const;
    const waiting = Array.from({ length: 100 }, () => listEvents(reader, selection, [never]));
    await Bun.sleep(1);
    expect(log.listeners.size).toBe(1);
    log.append();
    log.hint();
    for (const page of await Promise.all(waiting)) expect(sequenceNumbers(page)).toEqual([1]);
  });

  test("ask together, however many are woken, and each finds what was there when it asked", async () => {
    const log = createLog();
    using eventFeed = createEventFeed(log.catalog, { pollInterval: 3_600_000 });
    const reader: EventReader = { catalog: log.catalog, eventFeed };
    const stop = new AbortController();
    const follow = async () => {
      const pages = followEvents(reader, { after: "latest", limit: 10, heartbeat: 3_600_000 }, [stop.signal]);
      await pages.next();
      const { value } = await pages.next();
      await pages.return(undefined);
      return value === undefined ? [] : sequenceNumbers(value);
    };
    const followers = Array.from({ length: 2000 }, follow);
    await Bun.sleep(10);
    log.append();
    log.hint();
    for (const seen of await Promise.all(followers)) expect(seen).toEqual([1]);
    expect(log.polls() + log.reads()).toBeLessThan(20);
  });

  test("are found by the poll where no hint comes, and nobody polls for nobody", async () => {
    const log = createLog();
    using eventFeed = createEventFeed(log.catalog, { pollInterval: 2 });
    await Bun.sleep(10);
    expect(log.polls()).toBe(0);
    const selection = { after: undefined, limit: 10, wait: 3_600_000 };
    const waiting = listEvents({ catalog: log.catalog, eventFeed }, selection, [never]);
    await Bun.sleep(10);
    const readsWhileNothingCame = log.reads();
    expect(readsWhileNothingCame).toBeLessThanOrEqual(2);
    log.append();
    expect(sequenceNumbers(await waiting)).toEqual([1]);
  });

  test("outlive a catalog that does not answer the poll", async () => {
    const log = createLog();
    let failures = 0;
    const failedOften = Promise.withResolvers<void>();
    const failing = {
      onEvents: (listener: () => void) => log.catalog.onEvents(listener),
      log: () => {
        if (++failures === 3) failedOften.resolve();
        return Promise.reject(new Error("gone"));
      },
    };
    using eventFeed = createEventFeed(failing, { pollInterval: 1 });
    const waiting = eventFeed.wait(eventFeed.count, 3_600_000, never);
    await failedOften.promise;
    log.hint();
    await waiting;
  });

  test("leave nothing behind when the feed ends", () => {
    const log = createLog();
    createEventFeed(log.catalog)[Symbol.dispose]();
    expect(log.listeners.size).toBe(0);
  });

  test("look past any number of events that their selection leaves out", async () => {
    const log = createLog();
    for (let index = 0; index < 50; index++) log.append();
    log.append({ type: "imagestore.album.deleted" });
    using eventFeed = createEventFeed(log.catalog);
    const selection = { after: undefined, limit: 10, types: ["imagestore.album.deleted" as const], wait: 0 };
    const page = await listEvents({ catalog: log.catalog, eventFeed }, selection, []);
    expect([sequenceNumbers(page), page.next]).toEqual([[51], { epoch: 3, seq: 51 }]);
  });

  test("get every event once however the changes fall between their reads", async () => {
    const log = createLog();
    using eventFeed = createEventFeed(log.catalog, { pollInterval: 3_600_000 });
    const stop = new AbortController();
    const follow = async () => {
      const seen: number[] = [];
      const selection = { after: undefined, limit: 10, heartbeat: 3_600_000 };
      for await (const page of followEvents({ catalog: log.catalog, eventFeed }, selection, [stop.signal])) {
        seen.push(...sequenceNumbers(page));
        if (seen.at(-1) === 500) break;
        if (seen.length % 3 === 0) await Bun.sleep(0);
      }
      return seen;
    };
    const followers = [follow(), follow(), follow()];
    for (let index = 0; index < 500; index++) {
      log.append();
      log.hint();
      if (index % 7 === 0) await Bun.sleep(0);
    }
    const all = Array.from({ length: 500 }, (_, index) => index + 1);
    for (const seen of await Promise.all(followers)) expect(seen).toEqual(all);
  });

  test("stop when told to, also in the middle of a wait or of a long log", async () => {
    const log = createLog();
    using eventFeed = createEventFeed(log.catalog);
    const stop = new AbortController();
    const pages = followEvents(
      { catalog: log.catalog, eventFeed },
      { after: undefined, limit: 1, heartbeat: 3_600_000 },
      [stop.signal],
    );
    await pages.next();
    const waiting = pages.next();
    stop.abort();
    expect((await waiting).value?.events).toEqual([]);
    expect((await pages.next()).done).toBe(true);
    for (let index = 0; index < 50; index++) log.append();
    const none = { after: undefined, limit: 1, types: [], wait: 3_600_000 };
    const page = await listEvents({ catalog: log.catalog, eventFeed }, none, [stop.signal]);
    expect(page.next.seq).toBe(3);
  });
});
