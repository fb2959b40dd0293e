import { afterEach, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StoreError } from "../../src/domain/errors.ts";
import { toCloudEvent } from "../../src/domain/event.ts";
import { createErrorReporter, createFailureReports } from "../../src/observe/errors.ts";
import { createLogSink } from "../../src/observe/log-sink.ts";
import { type Logger, type LoggerOptions, openLogger } from "../../src/observe/logger.ts";
import { measureCatalog } from "../../src/observe/measure.ts";
import { createMetrics, scrape } from "../../src/observe/metrics.ts";
import { observeRelay } from "../../src/observe/observers.ts";
import { observeRequests } from "../../src/observe/requests.ts";
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
  client: "203.0.113.7",
};

describe("logs", () => {
  test("are one JSON object per line, in order", async () => {
    const text = await logged({}, ({ logger }) => {
      for (let index = 0; index < 2000; index++) logger.info({ index }, "counted");
    });
    const lines = text.trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { index: number }).index)).toEqual([...Array(2000).keys()]);
  });

  test("contain errors with their causes and no other properties", async () => {
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

  test("contain nothing below the level", async () => {
    const text = await logged({ level: "warn" }, ({ logger }) => {
      logger.info("hidden");
      logger.warn("shown");
    });
    expect(text).toContain("shown");
    expect(text).not.toContain("hidden");
  });

  test("are text when configured, without colours in a file", async () => {
    const text = await logged({ format: "pretty" }, ({ logger }) => logger.info({ port: 1 }, "ready"));
    expect(text).toMatch(/INFO.*ready.*"port":1/);
    expect(text).not.toContain("\u001b");
  });

  test("that are buffered are written when the process must exit", async () => {
    await logged({}, ({ logger, sink }) => {
      logger.error("over");
      expect(readFileSync(path, "utf8")).toBe("");
      sink.flushSync();
      expect(readFileSync(path, "utf8")).toContain("over");
    });
  });

  test("are flushed soon", async () => {
    const fd = openSync(path, "w");
    const sink = createLogSink(fd);
    sink.write("one\n");
    while (readFileSync(path, "utf8") !== "one\n") await Bun.sleep(5);
    sink.write("two\n");
    while (readFileSync(path, "utf8") !== "one\ntwo\n") await Bun.sleep(5);
    await sink[Symbol.asyncDispose]();
    closeSync(fd);
  });

  test("are dropped and counted when the reader is too slow", async () => {
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

  test("to a closed pipe are discarded", async () => {
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

describe("the log of a request", () => {
  test("is one line with its fields", async () => {
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
      client: "203.0.113.7",
      msg: "request",
    });
  });

  test("is the line that the logger itself would write", async () => {
    const all = {
      ...request,
      requestBytes: 0,
      principal: 'key:"a"\\b',
      reason: "unknown",
      refusedToken: { kid: 'k"1', issuer: undefined },
      path: '/v1/a"b\\c',
      requestId: "~a/b+c",
    };
    const { path: target, principal, reason, requestId } = all;
    const text = await logged({}, ({ logger }) => {
      observe(logger).onResponse(all);
      logger.info(
        {
          requestId,
          method: "GET",
          operation: "getImage",
          path: target,
          status: 200,
          ms: 1.235,
          bytesIn: 0,
          bytesOut: 1234,
          principal,
          token: { kid: 'k"1', iss: undefined },
          reason,
          client: "203.0.113.7",
        },
        "request",
      );
    });
    const [ours, theirs] = text
      .replaceAll(/"time":\d+/g, '"time":0')
      .trimEnd()
      .split("\n");
    expect(ours).toBe(theirs as string);
  });

  test("is one printable line for a hostile path", async () => {
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
  ])("contains no signature: %s", async (query) => {
    const signed = `/v1/images/1/content/2${query}c2VjcmV0`;
    const text = await logged({}, ({ logger }) => observe(logger).onResponse({ ...request, path: signed }));
    expect(text).toContain("/v1/images/1/content/2");
    expect(text).not.toContain("c2VjcmV0");
  });

  test.each([
    "/v1/uploads/imgtk_0123456789abcdef_c2VjcmV0",
    "/v1/uploads/c2VjcmV0",
    "/s/imgsh_0123456789abcdef_c2VjcmV0",
    "/s/img%73h_0123456789abcdef_c2VjcmV0",
    "/v1/uploads/img%74k_0123456789abcdef_c2VjcmV0/x",
    "/v1%2Fuploads%2Fimgtk_0123456789abcdef_c2VjcmV0",
    "/v1/albums/imgst_0123456789abcdef_c2VjcmV0",
    "/x/imgsh%5F0123456789abcdef%255fc2VjcmV0",
    `${"/x".repeat(490)}/imgse_0123456789abcdef_c2VjcmV0${"0".repeat(400)}`,
  ])("contains no secret of the store: %s", async (target) => {
    const text = await logged({}, ({ logger }) => observe(logger).onResponse({ ...request, path: target }));
    expect(text).toContain("***");
    expect(text).not.toContain("c2VjcmV0");
  });

  test("is a warning when the request failed, and the error is a line of its own", async () => {
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

  test("is counted by operation and status, not by path", async () => {
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

const linesOf = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** As a client of Kafka throws it: an aggregate for each try, of one for each broker. */
const brokerAway = (port: number): StoreError => {
  const refused = Object.assign(new Error(`connect ECONNREFUSED 127.0.0.1:${port}`), { code: "ECONNREFUSED" });
  const tries = () => new AggregateError([refused, refused, refused], "Cannot connect to any broker.");
  const cause = new AggregateError([tries(), tries(), tries(), tries()], "Failed 4 times.");
  return new StoreError("unavailable", "Kafka did not take the events", { cause });
};

describe("the log of a repeated failure", () => {
  test("has the cause once, one short line per interval, and a line when it ends", async () => {
    let time = 0;
    const text = await logged({}, ({ logger }) => {
      const reports = createFailureReports(logger, { interval: 60_000, now: () => time });
      // Eleven minutes, a try each ten seconds.
      for (let tries = 0; tries < 66; tries++, time += 10_000)
        reports.failed("relay", brokerAway(9092 + (tries % 2)), "could not be sent", { attempts: tries });
      reports.recovered("relay", "are sent again");
      reports.recovered("relay", "are sent again");
    });
    const lines = linesOf(text);
    expect(lines[0]).toMatchObject({ msg: "could not be sent", error: { code: "unavailable" }, attempts: 0 });
    const repeated = lines.slice(1, -1);
    expect(repeated).toHaveLength(10);
    for (const [index, line] of repeated.entries()) {
      expect(line).toMatchObject({ failures: 7 + index * 6, seconds: 60 * (index + 1) });
      expect(line["reason"]).toContain("ECONNREFUSED");
      expect(JSON.stringify(line).length).toBeLessThan(400);
      expect(line).not.toHaveProperty("error");
    }
    expect(lines.at(-1)).toMatchObject({ level: 30, msg: "are sent again", failures: 66 });
    expect(text.length).toBeLessThan(8000);
  });

  test("has the cause again for another failure, and when it returns after it had ended", async () => {
    const text = await logged({}, ({ logger }) => {
      const reports = createFailureReports(logger);
      for (const message of ["refused 1", "refused 2", "timed out", "refused 3", "timed out"])
        reports.failed("one", new Error(message), "failed");
      reports.failed("other", new Error("refused 4"), "failed");
      reports.recovered("one", "works");
      reports.failed("one", new Error("refused 5"), "failed");
    });
    const told = linesOf(text).map(({ msg, error }) => (error as Error | undefined)?.message ?? msg);
    expect(told).toEqual(["refused 1", "timed out", "refused 4", "works", "refused 5"]);
  });

  test("starts over after two intervals without a failure", async () => {
    let time = 0;
    const text = await logged({}, ({ logger }) => {
      const reports = createFailureReports(logger, { interval: 1000, now: () => time });
      for (time of [0, 500, 3000]) reports.failed("one", new Error("refused"), "failed");
    });
    expect(linesOf(text)).toMatchObject([{ error: {} }, { error: {} }]);
  });

  test("of requests has the whole error once per interval and its reason for each request", () => {
    let time = 0;
    const report = createErrorReporter({ interval: 60_000, now: () => time });
    const first = brokerAway(9092);
    expect(report(first)).toEqual({ error: first });
    expect(report(brokerAway(9093))).toEqual({
      reason: expect.stringMatching(/^Kafka did not .*ECONNREFUSED.*:9093\)$/),
    });
    const other = new Error("something else");
    expect(report(other)).toEqual({ error: other });
    time = 60_000;
    expect(report(first)).toEqual({ error: first });
  });
});

test("an AggregateError is logged once per distinct error, with its outer and innermost stack", async () => {
  const text = await logged({}, ({ logger }) => logger.error({ error: brokerAway(9092) }, "failed"));
  const { error } = JSON.parse(text) as { error: { cause: unknown } };
  expect(error.cause).toEqual({
    type: "AggregateError",
    message: "Failed 4 times.",
    errors: [
      {
        type: "AggregateError",
        message: "Cannot connect to any broker.",
        errors: [
          {
            type: "Error",
            message: "connect ECONNREFUSED 127.0.0.1:9092",
            code: "ECONNREFUSED",
            stack: expect.stringContaining("brokerAway"),
          },
        ],
      },
    ],
  });
});

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
