import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { StoreError } from "../../../src/domain/errors.ts";
import type { SerializedCloudEvent } from "../../../src/domain/event.ts";
import { type RelayObserver } from "../../../src/workers/relay.ts";
import { until } from "../../waiting.ts";
import { type Publish, SILENT, useRelayedCatalog } from "./relayed-catalog.ts";

const { catalog, reopenCatalog, createAlbum, loggedIds, withRelay, cursor, caughtUp } = useRelayedCatalog();

let names = 0;

const rename = (albumId: string, name: string) => catalog().write({ type: "updateAlbum", albumId, patch: { name } });

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
  await reopenCatalog();
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
          await catalog().write({ type: "pruneEvents", retention: -60_000, maxBytes: null, limit: 1000 });
        },
      ),
      { numRuns: 25 },
    );
  });
});
