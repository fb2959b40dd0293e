import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { newPng } from "./image-fixtures.ts";
import { testKeys } from "./test-keys.ts";

/** The time of an answer must not tell what is hidden from what never was. */

const { API_KEYS, bearer } = testKeys({ owner: "read+write+delete+transform+share+events+admin" });
const owner = bearer("owner");

let store: TestStore;
let caller: Readonly<Record<string, string>>;
const hidden = { album: "hidden", id: "", sha256: "", share: "", ticket: "" };
const never = {
  album: "absent",
  id: Bun.randomUUIDv7(),
  sha256: "0".repeat(64),
  share: "x".repeat(16),
  ticket: "x".repeat(16),
};
type Thing = typeof hidden;

beforeAll(async () => {
  store = await startStore({ API_KEYS });
  const made = async <Value>(method: string, path: string, body: unknown) =>
    jsonOf<Value>(await store.send(method, path, body, owner));
  for (let count = 0; count < 50; count++) await made("PUT", `/v1/albums/filler-${count}`, {});
  const { id } = await made<Album>("PUT", "/v1/albums/mine", {});
  await made("PUT", "/v1/albums/hidden", { title: "t", description: "d".repeat(500) });
  const image = await jsonOf<Image>(
    await store.fetch("/v1/albums/hidden/images/there/content", { method: "PUT", body: newPng(), headers: owner }),
  );
  const share = await made<{ id: string }>("POST", "/v1/albums/hidden/shares", {});
  const ticket = await made<{ id: string }>("POST", "/v1/albums/hidden/tickets", {});
  Object.assign(hidden, { id: image.id, sha256: image.sha256, share: share.id, ticket: ticket.id });
  const rights = ["read", "write", "delete", "transform", "share", "events"];
  const grants = [{ rights, albums: { ids: [id], names: ["mine", "my-*"] } }];
  const key = await made<{ secret: string }>("POST", "/v1/keys", { name: "key", grants });
  caller = { Authorization: `Bearer ${key.secret}` };
});
afterAll(() => store[Symbol.asyncDispose]());

type RequestOf = (of: Thing) => readonly [method: string, path: string];
const REQUESTS: Readonly<Record<string, RequestOf>> = {
  album: ({ album }) => ["GET", `/v1/albums/${album}`],
  "image by name": ({ album }) => ["GET", `/v1/albums/${album}/images/there`],
  "content by name": ({ album }) => ["GET", `/v1/albums/${album}/images/there/content`],
  "image by id": ({ id }) => ["GET", `/v1/images/${id}`],
  "content by id and digest": ({ id, sha256 }) => ["GET", `/v1/images/${id}/content/${sha256}`],
  listing: ({ album }) => ["GET", `/v1/albums/${album}/images`],
  deletion: ({ album }) => ["DELETE", `/v1/albums/${album}/images/there`],
  describe: ({ id }) => ["POST", `/v1/images/${id}/describe`],
  share: ({ share }) => ["GET", `/v1/albums/mine/shares/${share}`],
  ticket: ({ ticket }) => ["DELETE", `/v1/albums/mine/tickets/${ticket}`],
};

const ROUNDS = 400;
const WARM_UP = 50;
/**
 * Between the first deciles: a median of either may double while the machine does something else. An index entry that is read in
 * vain costs a few microseconds; another query, a file that is opened or an image that is decoded costs more than all the rest.
 */
const MAX_RATIO = 2;

async function timeOf(of: Thing, requestOf: RequestOf): Promise<number> {
  const [method, path] = requestOf(of);
  const request = new Request(`http://127.0.0.1${path}`, { method, headers: { Host: "127.0.0.1", ...caller } });
  const begun = performance.now();
  const response = await store.handle(request);
  const took = performance.now() - begun;
  expect(response.status).toBe(404);
  return took;
}

const fastestOf = (times: readonly number[]): number =>
  times.toSorted((one, other) => one - other)[Math.floor(times.length / 10)] ?? 0;

/** In turn, so that what else the machine does slows both. */
async function fastest(requestOf: RequestOf): Promise<readonly [hidden: number, never: number]> {
  const times = [[], []] as [number[], number[]];
  for (let round = -WARM_UP; round < ROUNDS; round++)
    for (const which of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const took = await timeOf(which === 0 ? hidden : never, requestOf);
      if (round >= 0) times[which].push(took);
    }
  return [fastestOf(times[0]), fastestOf(times[1])];
}

test.each(Object.entries(REQUESTS))("%s: what is hidden takes as long as what never was", async (_name, requestOf) => {
  const [one, other] = await fastest(requestOf);
  expect(Math.max(one, other) / Math.min(one, other)).toBeLessThan(MAX_RATIO);
});
