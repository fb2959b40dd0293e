import { afterAll, describe, expect, test } from "bun:test";
import { encodeCursor } from "../../../src/domain/event.ts";
import { jsonOf } from "../harness.ts";
import { startEventStore } from "./event-store.ts";

const { store, createAlbum } = await startEventStore();
afterAll(() => store[Symbol.asyncDispose]());

describe("GET and DELETE /v1/cursors", () => {
  interface Cursors {
    readonly items: readonly { readonly name: string; readonly cursor: string; readonly lagEvents: number }[];
  }
  const list = async () => (await jsonOf<Cursors>(await store.fetch("/v1/cursors"))).items;

  test("list durable cursors with their lag, and delete one", async () => {
    const name = "a topic with spaces";
    const catalog = await store.openCatalog();
    await catalog.write({ type: "registerCursor", name });
    const { epoch, lastSequence } = await catalog.log();
    await catalog.write({ type: "advanceCursor", name, seq: lastSequence });
    await catalog[Symbol.asyncDispose]();
    await createAlbum();
    expect(await list()).toMatchObject([{ name, cursor: encodeCursor({ epoch, seq: lastSequence }), lagEvents: 1 }]);
    const path = `/v1/cursors/${encodeURIComponent(name)}`;
    expect((await store.fetch(path, { method: "DELETE" })).status).toBe(204);
    expect(await list()).toEqual([]);
    const again = await store.fetch(path, { method: "DELETE" });
    expect([again.status, (await jsonOf<{ code: string }>(again)).code]).toEqual([404, "cursor_not_found"]);
  });
});

async function codeOf(answering: Promise<Response>): Promise<readonly [number, string]> {
  const answer = await answering;
  return [answer.status, (await jsonOf<{ code: string }>(answer)).code];
}

describe("POST /v1/cursors/{name}/rewind", () => {
  const name = "a topic with spaces";
  const path = `/v1/cursors/${encodeURIComponent(name)}/rewind`;
  const rewind = (to: unknown, target = path) => store.send("POST", target, { to });

  async function caughtUp(): Promise<{ epoch: number; lastSequence: number }> {
    await createAlbum();
    await createAlbum();
    await using catalog = await store.openCatalog();
    await catalog.write({ type: "registerCursor", name });
    const log = await catalog.log();
    await catalog.write({ type: "advanceCursor", name, seq: log.lastSequence });
    return log;
  }

  test("sets the reader back to a cursor or a time, and says where it is", async () => {
    const { epoch, lastSequence } = await caughtUp();
    const cursor = encodeCursor({ epoch, seq: lastSequence - 1 });
    const answer = await rewind(cursor);
    expect(answer.status).toBe(200);
    expect(await jsonOf<object>(answer)).toMatchObject({ name, cursor });
    const all = await jsonOf<object>(await rewind("2020-01-01T01:00:00+01:00"));
    expect(all).toMatchObject({ cursor: encodeCursor({ epoch, seq: 0 }), lagEvents: expect.any(Number) });
    const page = await store.fetch("/v1/events?type=cursor.rewound&limit=1000");
    const { items } = await jsonOf<{ items: { subject: string; data: object }[] }>(page);
    expect(items.slice(-2).map(({ subject }) => subject)).toEqual(Array(2).fill(`cursors/${name}`));
    expect(items.at(-2)?.data).toMatchObject({ cursor, previousCursor: encodeCursor({ epoch, seq: lastSequence }) });
  });

  test("refuses what is no position of the log", async () => {
    const { epoch, lastSequence } = await caughtUp();
    const known = encodeCursor({ epoch, seq: 0 });
    expect(await codeOf(rewind(known, "/v1/cursors/none/rewind"))).toEqual([404, "cursor_not_found"]);
    expect(await codeOf(rewind(encodeCursor({ epoch, seq: lastSequence + 1000 })))).toEqual([410, "cursor_unknown"]);
    expect(await codeOf(rewind(encodeCursor({ epoch: epoch - 1, seq: 0 })))).toEqual([410, "cursor_unknown"]);
    for (const to of ["yesterday", "", "2026-07-14", "2026-07-14T09:30:00", "MS4", 5, null, undefined])
      expect(await codeOf(rewind(to))).toEqual([400, "invalid_request"]);
    await using catalog = await store.openCatalog();
    await catalog.write({ type: "pruneEvents", retention: -60_000, maxBytes: null, limit: 1 });
    const { prunedThrough } = await catalog.log();
    expect(prunedThrough).toBeGreaterThan(0);
    const pruned = await rewind(encodeCursor({ epoch, seq: prunedThrough - 1 }));
    const oldestCursor = encodeCursor({ epoch, seq: prunedThrough });
    expect(await jsonOf<object>(pruned)).toMatchObject({ status: 410, code: "cursor_expired", oldestCursor });
    const early = await jsonOf<object>(await rewind("2020-01-01T00:00:00Z"));
    expect(early).toMatchObject({ status: 410, code: "cursor_expired", oldestCursor });
    expect(early).toMatchObject({
      detail: expect.stringMatching(/^The log begins at \d{4}-.*Z: earlier events are no/),
    });
    expect((await rewind(oldestCursor)).status).toBe(200);
  });
});
