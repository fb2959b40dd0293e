import { afterAll, describe, expect, test } from "bun:test";
import { encodeCursor } from "../../../src/domain/event.ts";
import { jsonOf, startStore } from "../harness.ts";
import { type EventPage, startEventStore } from "./event-store.ts";

const { store } = await startEventStore();
afterAll(() => store[Symbol.asyncDispose]());

describe("GET /v1/events refuses", () => {
  test.each([
    ["limit=0", 400, "invalid_request"],
    ["limit=1001", 400, "invalid_request"],
    ["wait=31", 400, "invalid_request"],
    ["wait=1s", 400, "invalid_request"],
    ["type=album", 400, "invalid_request"],
    ["type=", 400, "invalid_request"],
    ["albumId=name", 400, "invalid_request"],
    ["cursor=x", 400, "unknown_parameter"],
    ["after=x&after=y", 400, "unknown_parameter"],
    ["after=", 410, "cursor_unknown"],
    ["after=nonsense", 410, "cursor_unknown"],
    [`after=${Buffer.from("1.1.1e3").toString("base64url")}`, 410, "cursor_unknown"],
  ])("%s with %d %s", async (query, status, code) => {
    const response = await store.fetch(`/v1/events?${query}`);
    expect([response.status, (await jsonOf<{ code: string }>(response)).code]).toEqual([status, code]);
  });

  test("a cursor of another epoch or beyond the end, on both routes", async () => {
    const catalog = await store.openCatalog();
    const { epoch, lastSequence } = await catalog.log();
    await catalog[Symbol.asyncDispose]();
    const foreign = [
      { epoch: epoch + 1, seq: lastSequence },
      { epoch: epoch - 1, seq: 0 },
      { epoch, seq: lastSequence + 1 },
    ];
    for (const after of foreign.map(encodeCursor)) {
      for (const route of ["events", "events/stream"]) {
        const response = await store.fetch(`/v1/${route}?after=${after}`);
        expect([response.status, (await jsonOf<{ code: string }>(response)).code]).toEqual([410, "cursor_unknown"]);
      }
    }
  });

  test("a cursor whose events were pruned, and names the oldest cursor", async () => {
    await using pruned = await startStore();
    const old = await jsonOf<EventPage>(await pruned.fetch("/v1/events?after=latest"));
    await pruned.send("POST", "/v1/albums", { name: "a" });
    const catalog = await pruned.openCatalog();
    await catalog.write({ type: "pruneEvents", retention: -60_000, maxBytes: null, limit: 10 });
    await catalog[Symbol.asyncDispose]();
    await pruned.send("POST", "/v1/albums", { name: "b" });
    for (const route of ["events", "events/stream"]) {
      const response = await pruned.fetch(`/v1/${route}?after=${old.nextCursor}`);
      const problem = await jsonOf<{ code: string; oldestCursor: string }>(response);
      expect([response.status, problem.code]).toEqual([410, "cursor_expired"]);
      const { items } = await jsonOf<EventPage>(await pruned.fetch(`/v1/events?after=${problem.oldestCursor}`));
      expect(items.map(({ data }) => data.name)).toEqual(["b"]);
    }
  });
});
