import { describe, expect, test } from "bun:test";
import type { Logger } from "../../src/observe/logger.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { observeRequests } from "../../src/observe/requests.ts";
import { request, useLogFile } from "./log-file.ts";

const { logged } = useLogFile();

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
