import { afterEach, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StoreError } from "../../src/domain/errors.ts";
import { createLogSink } from "../../src/observe/log-sink.ts";
import { type Logger, type LoggerOptions, openLogger } from "../../src/observe/logger.ts";
import { measureCatalog } from "../../src/observe/measure.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { observeRelay } from "../../src/observe/relay.ts";
import { observeRequests } from "../../src/observe/requests.ts";
import { scrape } from "../../src/observe/scrape.ts";
import type { Catalog } from "../../src/ports.ts";

const folder = mkdtempSync(join(tmpdir(), "image-store-observe-"));
const path = join(folder, "log");
afterEach(() => rmSync(path, { force: true }));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

async function logged(options: Partial<LoggerOptions>, use: (logger: Awaited<ReturnType<typeof openLogger>>) => void) {
  const fd = openSync(path, "w");
  try {
    const opened = await openLogger({ level: "info", format: "json", fd, ...options });
    use(opened);
    await opened.sink[Symbol.asyncDispose]();
    return readFileSync(path, "utf8");
  } finally {
    closeSync(fd);
  }
}

const request = {
  operationId: "getImage",
  method: "GET",
  path: "/v1/albums/a/images/b",
  status: 200,
  seconds: 0.0012345,
  requestBytes: undefined,
  responseBytes: 1234,
  requestId: "request-1",
  principal: "app",
};

describe("logs", () => {
  test("are one JSON object a line, in order", async () => {
    const text = await logged({}, ({ logger }) => {
      for (let index = 0; index < 2000; index++) logger.info({ index }, "counted");
    });
    const lines = text.trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { index: number }).index)).toEqual([...Array(2000).keys()]);
  });

  test("have errors with their causes, and nothing else that hangs on them", async () => {
    const inner = Object.assign(new Error("inside"), { code: "EIO", password: "hunter2" });
    const error = new StoreError("unavailable", "outside", { cause: new AggregateError([inner, "text"], "both") });
    const text = await logged({}, ({ logger }) => logger.error({ error }, "failed"));
    expect((JSON.parse(text) as { error: unknown }).error).toMatchObject({
      type: "StoreError",
      message: "outside",
      code: "unavailable",
      stack: expect.stringContaining("observe.test.ts"),
      cause: { type: "AggregateError", message: "both", errors: [{ message: "inside", code: "EIO" }, "text"] },
    });
    expect(text).not.toContain("hunter2");
  });

  test("have nothing below the level", async () => {
    const text = await logged({ level: "warn" }, ({ logger }) => {
      logger.info("hidden");
      logger.warn("shown");
    });
    expect(text).toContain("shown");
    expect(text).not.toContain("hidden");
  });

  test("are text for people when asked, without colours in a file", async () => {
    const text = await logged({ format: "pretty" }, ({ logger }) => logger.info({ port: 1 }, "ready"));
    expect(text).toMatch(/INFO.*ready.*"port":1/);
    expect(text).not.toContain("\u001b");
  });

  test("that wait are written at once when the process must end", async () => {
    await logged({}, ({ logger, sink }) => {
      logger.error("over");
      expect(readFileSync(path, "utf8")).toBe("");
      sink.flushSync();
      expect(readFileSync(path, "utf8")).toContain("over");
    });
  });

  test("are written by themselves, soon", async () => {
    const fd = openSync(path, "w");
    const sink = createLogSink(fd);
    sink.write("one\n");
    while (readFileSync(path, "utf8") !== "one\n") await Bun.sleep(5);
    sink.write("two\n");
    while (readFileSync(path, "utf8") !== "one\ntwo\n") await Bun.sleep(5);
    await sink[Symbol.asyncDispose]();
    closeSync(fd);
  });

  test("are dropped and counted, not waited for, when nobody takes them", async () => {
    const fd = openSync(path, "w");
    const sink = createLogSink(fd);
    const line = `${"x".repeat(2 ** 20 - 1)}\n`;
    for (let count = 0; count < 40; count++) sink.write(line);
    await sink[Symbol.asyncDispose]();
    closeSync(fd);
    const text = readFileSync(path, "utf8");
    const told = JSON.parse(text.trimEnd().split("\n").at(-1) ?? "") as { dropped: number };
    const kept = text.split("\n").filter((each) => each.startsWith("x")).length;
    expect(told.dropped).toBeGreaterThan(0);
    expect(kept + told.dropped).toBe(40);
  });

  test("to a reader that is gone end quietly", async () => {
    const fd = openSync("/dev/null", "r");
    const sink = createLogSink(fd);
    sink.write("nobody\n");
    sink.flushSync();
    sink.write("nobody\n");
    await sink[Symbol.asyncDispose]();
    closeSync(fd);
  });
});

const observe = (logger: Logger, metrics = createMetrics()) => observeRequests(logger, metrics);

describe("a request", () => {
  test("is one line with what matters", async () => {
    const text = await logged({}, ({ logger }) => observe(logger).onResponse(request));
    expect(JSON.parse(text)).toEqual({
      level: 30,
      time: expect.any(Number),
      requestId: "request-1",
      method: "GET",
      operation: "getImage",
      path: "/v1/albums/a/images/b",
      status: 200,
      ms: 1.235,
      bytesOut: 1234,
      principal: "app",
      msg: "request",
    });
  });

  test("with a hostile path stays one printable line", async () => {
    const hostile = `/v1/\u202egpj.exe\n{"level":60}\ud800${"a".repeat(5000)}`;
    const text = await logged({}, ({ logger }) => observe(logger).onResponse({ ...request, path: hostile }));
    expect(text.trimEnd().split("\n")).toHaveLength(1);
    expect(text).toMatch(/^[\n\u0020-\u007e]*$/);
    expect((JSON.parse(text) as { path: string }).path).toStartWith("/v1/%E2%80%AEgpj.exe%0A{");
    expect(text.length).toBeLessThan(2000);
  });

  test.each([
    "?expires=1&key=k&signature=",
    "%3Fexpires=1&key=k&Signature=",
    "%3fkey%3Dk%26signature%3D",
    "%253Fsignature%253D",
  ])("that holds a signature in its path keeps it to itself: %s", async (query) => {
    const signed = `/v1/images/1/content/2${query}c2VjcmV0`;
    const text = await logged({}, ({ logger }) => observe(logger).onResponse({ ...request, path: signed }));
    expect(text).toContain("/v1/images/1/content/2");
    expect(text).not.toContain("c2VjcmV0");
  });

  test("that failed is a warning, and its error a line of its own", async () => {
    const text = await logged({ level: "warn" }, ({ logger }) => {
      const observer = observe(logger);
      observer.onResponse(request);
      observer.onResponse({ ...request, status: 503 });
      observer.onError(new Error("broken"), { requestId: "request-2", operationId: "getImage" });
    });
    const lines = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map((line) => [line["level"], line["requestId"]])).toEqual([
      [40, "request-1"],
      [50, "request-2"],
    ]);
  });

  test("is counted by operation and status, never by path", async () => {
    const metrics = createMetrics();
    await logged({ level: "silent" }, ({ logger }) => {
      const observer = observe(logger, metrics);
      observer.onResponse(request);
      observer.onResponse({ ...request, requestBytes: 10, status: 404 });
      observer.onResponse({ ...request, operationId: undefined, path: "/secret" });
    });
    const text = await metrics.registry.metrics();
    expect(text).toContain('image_store_http_request_duration_seconds_count{operation="getImage",status="200"} 1');
    expect(text).toContain('image_store_http_request_duration_seconds_count{operation="getImage",status="404"} 1');
    expect(text).toContain('image_store_http_request_duration_seconds_count{operation="none",status="200"} 1');
    expect(text).toContain('image_store_http_sent_bytes_total{operation="getImage"} 2468');
    expect(text).toContain('image_store_http_received_bytes_total{operation="getImage"} 10');
    expect(text).not.toContain("secret");
  });
});

test("the relay's news are lines and counts", async () => {
  const metrics = createMetrics();
  const text = await logged({}, ({ logger }) => {
    const observer = observeRelay(logger, metrics);
    observer.published(3);
    observer.failed(new Error("no broker"), { attempts: 2, delay: 123.4 });
    observer.cursorLost();
  });
  const [failed, lost] = text.trimEnd().split("\n");
  expect(JSON.parse(failed ?? "")).toMatchObject({
    level: 40,
    error: { message: "no broker" },
    attempts: 2,
    delay: 123,
  });
  expect(lost).toContain("given up");
  const counts = await metrics.registry.metrics();
  expect(counts).toContain("image_store_relay_events_total 3");
  expect(counts).toContain("image_store_relay_failures_total 1");
});

const fail = () => Promise.reject(new StoreError("unavailable", "gone"));

describe("metrics", () => {
  test("of the process are those that Bun can tell", async () => {
    const text = await createMetrics().registry.metrics();
    for (const name of [
      "process_resident_memory_bytes",
      "process_cpu_seconds_total",
      "nodejs_eventloop_lag_p99_seconds",
    ])
      expect(text).toMatch(new RegExp(`^${name} \\d`, "m"));
    expect(text).not.toContain("nodejs_heap_space");
  });

  test("time a port's calls by operation and outcome, and change nothing else", async () => {
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
    expect(await measured.album("broken").catch((error: unknown) => String(error))).toBe("TypeError: bug");
    await measured[Symbol.asyncDispose]();
    const text = await metrics.registry.metrics();
    const count = "image_store_catalog_operation_duration_seconds_count";
    expect(text).toContain(`${count}{operation="deleteAlbumChunk",outcome="ok"} 1`);
    expect(text).toContain(`${count}{operation="createAlbum",outcome="album_exists"} 1`);
    expect(text).toContain(`${count}{operation="album",outcome="internal"} 1`);
  });

  test("are scraped with what the store holds, and even when parts of it fail", async () => {
    const metrics = createMetrics();
    const cursor = { name: "kafka:topic", seq: 1, epoch: 1, lagEvents: 7, lagSeconds: 2.5, updatedAt: "" };
    const catalog = { totals: async () => ({ albums: 1, images: 2, bytes: 3 }), cursors: async () => [cursor] };
    const blobs = { probe: async () => ({ freeBytes: 4 }) };
    const text = await scrape(metrics, { catalog, blobs, relayCursor: "kafka:topic" });
    for (const line of [
      "albums 1",
      "images 2",
      "image_bytes 3",
      "blobs_free_bytes 4",
      "relay_lag_events 7",
      "relay_lag_seconds 2.5",
    ])
      expect(text).toContain(`\nimage_store_${line}\n`);

    const rest = await scrape(metrics, {
      catalog: { totals: fail, cursors: fail },
      blobs: { probe: fail },
      relayCursor: "x",
    });
    expect(rest).toContain("process_cpu_seconds_total");
  });
});
