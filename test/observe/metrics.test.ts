import { describe, expect, test } from "bun:test";
import { StoreError } from "../../src/domain/errors.ts";
import { toCloudEvent } from "../../src/domain/event.ts";
import { createFailureReports } from "../../src/observe/errors.ts";
import { measureCatalog } from "../../src/observe/measure.ts";
import { createMetrics, scrape } from "../../src/observe/metrics.ts";
import { observeRelay } from "../../src/observe/observers.ts";
import type { Catalog } from "../../src/ports.ts";
import { useLogFile } from "./log-file.ts";

const { logged } = useLogFile();

const REFUSED = toCloudEvent(
  {
    seq: 7,
    id: "event",
    type: "imagestore.album.updated",
    albumId: "album",
    imageId: null,
    subject: null,
    time: 0,
    traceparent: null,
    data: '{"title":"secret"}',
  },
  { storeId: "store", epoch: 1 },
);

test("relay events are logged and counted", async () => {
  const metrics = createMetrics();
  const text = await logged({}, ({ logger }) => {
    const observer = observeRelay(logger, createFailureReports(logger), metrics);
    observer.published(3);
    for (const attempts of [2, 3]) observer.failed(new Error("no broker"), { attempts, delay: 123.4 });
    observer.cursorLost();
    observer.rewound();
    observer.refused({ event: REFUSED, reason: "too large" });
  });
  const [failed, lost, rewound, refused] = text.trimEnd().split("\n");
  expect(JSON.parse(failed ?? "")).toMatchObject({
    level: 40,
    error: { message: "no broker" },
    attempts: 2,
    delay: 123,
  });
  expect(lost).toContain("dropped");
  expect(rewound).toContain("rewound");
  const { id, type, subject, sequence } = REFUSED.attributes;
  expect(JSON.parse(refused ?? "")).toMatchObject({
    level: 50,
    event: { id, type, subject, sequence },
    reason: "too large",
  });
  expect(refused).not.toContain("secret");
  const counts = await metrics.registry.metrics();
  expect(counts).toContain("image_store_relay_events_total 3");
  expect(counts).toContain("image_store_relay_failures_total 2");
  expect(counts).toContain("image_store_relay_refused_events_total 1");
});

const fail = () => Promise.reject(new StoreError("unavailable", "gone"));

describe("metrics", () => {
  test("of the process are those that Bun supports", async () => {
    const text = await createMetrics().registry.metrics();
    for (const name of [
      "process_resident_memory_bytes",
      "process_cpu_seconds_total",
      "nodejs_eventloop_lag_p99_seconds",
    ])
      expect(text).toMatch(new RegExp(`^${name} \\d`, "m"));
    expect(text).not.toContain("nodejs_heap_space");
  });

  test("time a port's calls by operation and outcome without changing them", async () => {
    const metrics = createMetrics();
    const refused = new StoreError("album_exists", "There is an album of that name.");
    const catalog = {
      storeId: "store",
      write: async (change: { type: string }) => {
        if (change.type === "createAlbum") throw refused;
        return { done: true };
      },
      album: async (name: string) => (name === "broken" ? Promise.reject(new TypeError("bug")) : undefined),
      onEvents: () => () => {},
      [Symbol.asyncDispose]: async () => {},
    } as unknown as Catalog;
    const measured = measureCatalog(catalog, metrics.catalogDuration);
    expect(measured.storeId).toBe("store");
    expect(measured.onEvents(() => {})).toBeFunction();
    expect(await measured.write({ type: "deleteAlbumChunk", albumId: "a", limit: 1 })).toEqual({ done: true });
    const change = {
      type: "createAlbum",
      id: "a",
      name: "a",
      fields: { title: null, description: null, metadata: {} },
    } as const;
    expect(await measured.write(change).catch((error: unknown) => error)).toBe(refused);
    expect(await measured.album("broken", "all").catch((error: unknown) => String(error))).toBe("TypeError: bug");
    await measured[Symbol.asyncDispose]();
    const text = await metrics.registry.metrics();
    const count = "image_store_catalog_operation_duration_seconds_count";
    expect(text).toContain(`${count}{operation="deleteAlbumChunk",outcome="ok"} 1`);
    expect(text).toContain(`${count}{operation="createAlbum",outcome="album_exists"} 1`);
    expect(text).toContain(`${count}{operation="album",outcome="internal"} 1`);
  });

  test("are scraped with the store's contents, even when some of them fail", async () => {
    const metrics = createMetrics();
    const cursor = { name: "kafka:topic", seq: 1, epoch: 1, version: 1, lagEvents: 7, lagSeconds: 2.5, updatedAt: "" };
    const catalog = {
      totals: async () => ({ albums: 1, images: 2, bytes: 3 }),
      cursors: async () => [cursor],
      describeBacklog: async () => ({ images: 5, oldestCreatedAt: Date.now() - 60_000 }),
      unreadableSeconds: async () => 5,
      storeQuota: async () =>
        ({ scope: "store", maxBytes: 100, maxImages: null, used: { images: 2, bytes: 3 } }) as const,
    };
    const blobs = { probe: async () => ({ freeBytes: 4 }) };
    const text = await scrape(metrics, { catalog, blobs, relayCursor: "kafka:topic", describes: true });
    for (const line of [
      "albums 1",
      "images 2",
      "image_bytes 3",
      "blobs_free_bytes 4",
      "relay_lag_events 7",
      "relay_lag_seconds 2.5",
      "describe_backlog 5",
      "events_unreadable_seconds 5",
      'quota_used{unit="bytes"} 3',
      'quota_limit{unit="bytes"} 100',
    ])
      expect(text).toContain(`\nimage_store_${line}\n`);

    expect(text).not.toContain('unit="images"');
    expect(Number(/^image_store_describe_backlog_seconds (.*)$/m.exec(text)?.[1])).toBeGreaterThanOrEqual(60);

    const rest = await scrape(metrics, {
      catalog: { totals: fail, cursors: fail, describeBacklog: fail, unreadableSeconds: fail, storeQuota: fail },
      blobs: { probe: fail },
      relayCursor: "x",
      describes: true,
    });
    expect(rest).toContain("process_cpu_seconds_total");
  });
});
