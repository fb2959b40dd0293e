import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { requireTextBounds } from "../../src/domain/album.ts";
import { LOCAL } from "../../src/domain/caller.ts";
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
import { createEventFeed } from "../../src/operations/event-feed.ts";
import { type EventReader, followEvents, listEvents } from "../../src/operations/events.ts";

const never = new AbortController().signal;
const position = fc.record({
  epoch: fc.integer({ min: 0, max: 99_999_999 }),
  seq: fc.integer({ min: 0, max: 999_999_999_999 }),
});

describe("event cursors", () => {
  test("have one text per position", () => {
    fc.assert(
      fc.property(position, fc.string(), (at, text) => {
        expect(decodeCursor(encodeCursor(at))).toEqual(at);
        const decoded = decodeCursor(text);
        if (decoded !== undefined) expect(encodeCursor(decoded)).toBe(text);
      }),
    );
  });

  test("sequence texts sort like their positions", () => {
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

  test("event types have a short name each", () => {
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
  subject: null,
  time: 1_784_000_000_000,
  traceparent: null,
  data: "{}",
  ...more,
});

/** What JSON makes longest: escapes, and characters of three bytes. */
const repeated = (most: number) =>
  fc.tuple(fc.constantFrom('"', "\n", "€", "a"), fc.nat(most)).map(([unit, count]) => unit.repeat(count));

const LONGEST_TEXT = {
  name: '"'.repeat(255),
  title: "😀".repeat(200),
  description: "\n".repeat(4096),
  metadata: { a: "x".repeat(8184) },
  tags: Array.from({ length: 31 }, (_, index) => `${index}`.padEnd(2) + "😀".repeat(62)),
};

describe("the CloudEvents envelope", () => {
  test("is one line of JSON with the stored data, whatever that contains", () => {
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

  test("is under 32 KiB with the longest record", () => {
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
          decodable: false,
          decodeError: "a".repeat(200),
        };
        const data = JSON.stringify({
          ...image,
          ...numbers,
          ...described,
          links,
          album,
          previousName: image.name,
          previousAlbum: { id: "0".repeat(36), name: image.name },
          reason: "described",
          actor: { kind: "anonymous", id: "k".repeat(64), name: "k".repeat(64) },
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
      { numRuns: 300, examples: [[LONGEST_TEXT, '"'.repeat(255)]] },
    );
    expect(longest).toBeLessThan(32 * 1024);
    // The record with all of the text that it may have was among them.
    expect(longest).toBeGreaterThan(28 * 1024);
  });

  test("identifies its subject by ids", () => {
    const log = { storeId: "store", epoch: 1 };
    expect(toCloudEvent(stored(1), log).attributes.subject).toBe("albums/album");
    expect(toCloudEvent(stored(1, { imageId: "image" }), log).attributes.subject).toBe("albums/album/images/image");
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
      return { epoch: 3, prunedThrough: 0, lastSequence: events.length, bytes: 0 };
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

describe("followers of the event feed", () => {
  test("share one subscription that wakes all of them", async () => {
    const log = createLog();
    using eventFeed = createEventFeed(log.catalog, { pollInterval: 3_600_000 });
    const reader: EventReader = { catalog: log.catalog, eventFeed };
    const selection = { caller: LOCAL, after: { beforeEnd: 0 }, limit: 10, wait: 3_600_000 } as const;
    const waiting = Array.from({ length: 100 }, () => listEvents(reader, selection, [never]));
    await Bun.sleep(1);
    expect(log.listeners.size).toBe(1);
    log.append();
    log.hint();
    for (const page of await Promise.all(waiting)) expect(sequenceNumbers(page)).toEqual([1]);
  });

  test("share reads, and each finds what existed when it asked", async () => {
    const log = createLog();
    using eventFeed = createEventFeed(log.catalog, { pollInterval: 3_600_000 });
    const reader: EventReader = { catalog: log.catalog, eventFeed };
    const stop = new AbortController();
    const follow = async () => {
      const pages = followEvents(reader, { caller: LOCAL, after: { beforeEnd: 0 }, limit: 10, heartbeat: 3_600_000 }, [
        stop.signal,
      ]);
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

  test("are woken by the poll without notifications, and no poll runs without followers", async () => {
    const log = createLog();
    using eventFeed = createEventFeed(log.catalog, { pollInterval: 2 });
    await Bun.sleep(10);
    expect(log.polls()).toBe(0);
    const selection = { caller: LOCAL, after: undefined, limit: 10, wait: 3_600_000 };
    const waiting = listEvents({ catalog: log.catalog, eventFeed }, selection, [never]);
    await Bun.sleep(10);
    const readsWhileNothingCame = log.reads();
    expect(readsWhileNothingCame).toBeLessThanOrEqual(2);
    log.append();
    expect(sequenceNumbers(await waiting)).toEqual([1]);
  });

  test("survive a poll that fails", async () => {
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

  test("skip any number of events that their filter excludes", async () => {
    const log = createLog();
    for (let index = 0; index < 50; index++) log.append();
    log.append({ type: "imagestore.album.deleted" });
    using eventFeed = createEventFeed(log.catalog);
    const selection = {
      caller: LOCAL,
      after: undefined,
      limit: 10,
      types: ["imagestore.album.deleted" as const],
      wait: 0,
    };
    const page = await listEvents({ catalog: log.catalog, eventFeed }, selection, []);
    expect([sequenceNumbers(page), page.next]).toEqual([[51], { epoch: 3, seq: 51 }]);
  });

  test("get every event once, whatever the order of changes and reads", async () => {
    const log = createLog();
    using eventFeed = createEventFeed(log.catalog, { pollInterval: 3_600_000 });
    const stop = new AbortController();
    const follow = async () => {
      const seen: number[] = [];
      const selection = { caller: LOCAL, after: undefined, limit: 10, heartbeat: 3_600_000 };
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

  test("stop when aborted, while waiting and while reading a long log", async () => {
    const log = createLog();
    using eventFeed = createEventFeed(log.catalog);
    const stop = new AbortController();
    const pages = followEvents(
      { catalog: log.catalog, eventFeed },
      { caller: LOCAL, after: undefined, limit: 1, heartbeat: 3_600_000 },
      [stop.signal],
    );
    await pages.next();
    const waiting = pages.next();
    stop.abort();
    expect((await waiting).value?.events).toEqual([]);
    expect((await pages.next()).done).toBe(true);
    for (let index = 0; index < 50; index++) log.append();
    const none = { caller: LOCAL, after: undefined, limit: 1, types: [], wait: 3_600_000 };
    const page = await listEvents({ catalog: log.catalog, eventFeed }, none, [stop.signal]);
    expect(page.next.seq).toBe(3);
  });
});
