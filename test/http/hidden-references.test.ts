import { afterAll, beforeAll, expect, test } from "bun:test";
import { encodeCursor } from "../../src/domain/event.ts";
import { checksumOf, makeSecret, type SecretKind } from "../../src/operations/secrets.ts";
import { jsonOf } from "./harness.ts";
import { answersOf, answerTo, createHiddenStore, type HiddenStore, owner } from "./hidden-store.ts";
import { newPng } from "./image-fixtures.ts";
import type { RouteRequest, Target } from "./route-requests.ts";

/** Nor do filters, names, ids, secrets, tokens and cursors that lead to what a caller must not know of tell that it is there. */

let at: HiddenStore;
beforeAll(async () => {
  at = await createHiddenStore();
});
afterAll(() => at[Symbol.asyncDispose]());

type Asked = Parameters<typeof answersOf>;

async function same(path: Asked[1], init?: Asked[2]) {
  for (const { who, hidden, never } of await answersOf(at, path, init)) expect([who, hidden]).toEqual([who, never]);
}

test("filters and digests of what is hidden find what those of nothing find", async () => {
  await same(({ album }) => `/v1/albums?q=${album}`);
  await same(({ sha256 }) => `/v1/images?sha256=${sha256}`);
  for (const path of ["/v1/images?q=there", "/v1/images?orderBy=-createdAt", "/v1/albums?orderBy=-updatedAt"])
    for (const { who, hidden } of await answersOf(at, () => path))
      expect([who, path, hidden.includes("hidden"), hidden.includes("ID")]).toEqual([who, path, false, false]);
  await same((_target, id) => `/v1/events?albumId=${id}`);
  await same(
    () => "/v1/images/known",
    ({ sha256 }) => ({
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ sha256: [sha256] }),
    }),
  );
});

test("a name that is taken by what is hidden is refused like one that is free", async () => {
  for (const caller of Object.values(at.callers)) {
    const create = async (target: Target) =>
      answerTo(
        at,
        {
          method: "POST",
          path: "/v1/albums",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ name: target.album }),
        },
        caller,
        target,
      );
    expect(await create(at.hidden)).toEqual(await create(at.never));
    const rename = async (target: Target) =>
      answerTo(
        at,
        {
          method: "PATCH",
          path: "/v1/albums/mine-1",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ name: target.album }),
        },
        caller,
        target,
      );
    expect(await rename(at.hidden)).toEqual(await rename(at.never));
  }
});

test("an operation of a batch on what is hidden is refused like one on what never was", async () => {
  const tag = at.tags[0] ?? "";
  const itemsOf = ({ album, image, id }: Target) => [
    { type: "updateAlbum", album, body: { title: "t" } },
    { type: "updateAlbum", album, body: { title: "t" }, ifMatch: tag },
    { type: "updateAlbum", album: "mine-1", body: { name: album } },
    { type: "deleteAlbum", album, recursive: true },
    { type: "updateImage", album, image, body: { title: "t" } },
    { type: "deleteImage", album, image, ifMatch: "*" },
    { type: "describeImage", id },
    { type: "createAlbum", body: { name: album } },
    { type: "putAlbum", album },
  ];
  const most = itemsOf(at.hidden).length;
  for (const atomic of [true, false])
    for (let index = 0; index < most; index++)
      await same(
        () => "/v1/batches",
        (target) => ({
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ atomic, operations: itemsOf(target).slice(index, index + 1) }),
        }),
      );
});

test("a ticket or share of a hidden album is unknown in an album that the caller may share", async () => {
  await same(({ share }) => `/v1/albums/mine-1/shares/${share}`);
  for (const kind of ["share", "ticket"] as const)
    await same(
      (target) => `/v1/albums/mine-1/${kind}s/${target[kind]}`,
      () => ({ method: "DELETE" }),
    );
  expect((await at.store.fetch(`/v1/albums/hidden/shares/${at.hidden.share}`, { headers: owner })).status).toBe(200);
});

/** A well-formed secret with this id, which is not the one that the store made. */
function forged(kind: SecretKind, id: string): string {
  const { id: own, text } = makeSecret(kind);
  const body = text.slice(0, -6).replace(own, id);
  return body + checksumOf(body);
}

const uploadPath = (secret: string) => `/v1/uploads/${secret}`;

test("a secret that is forged for an id in use is refused like one for an id that never was", async () => {
  const ask = async (
    kind: "key" | "share" | "ticket",
    target: Target,
    path: (secret: string) => string,
    method = "GET",
  ) => {
    const secret = forged(kind, target[kind] ?? "");
    const request = { method, path: path(secret), headers: { Authorization: `Bearer ${secret}` }, body: undefined };
    return answerTo(at, request, {}, { ...target, secret });
  };
  for (const kind of ["key", "share", "ticket"] as const)
    for (const path of [() => "/v1/albums", () => "/v1/me", (secret: string) => `/s/${secret}`])
      expect(await ask(kind, at.hidden, path)).toEqual(await ask(kind, at.never, path));
  const [one, two] = [
    await ask("ticket", at.hidden, uploadPath, "PUT"),
    await ask("ticket", at.never, uploadPath, "PUT"),
  ];
  expect(one).toEqual(two);
  expect(one.text).toContain("ticket_not_found");
});

test("an Idempotency-Key that another caller used is a new one", async () => {
  const create = (name: string, key: string, caller: Readonly<Record<string, string>>) =>
    at.store.send("POST", "/v1/albums", { name }, { ...caller, "Idempotency-Key": key });
  await create("of-owner", "used", owner);
  await at.store.fetch("/v1/albums/hidden/images?name=used", {
    method: "POST",
    body: newPng(),
    headers: { ...owner, "Idempotency-Key": "used" },
  });
  for (const [who, caller] of Object.entries(at.callers)) {
    const refused = async (key: string) => {
      const upload: RouteRequest = {
        method: "POST",
        path: "/v1/albums/hidden/images?name=used",
        headers: { "Idempotency-Key": key },
        body: newPng(),
      };
      const named = { method: "POST", path: "/v1/albums", headers: { "Content-Type": "application/json" } };
      const body = JSON.stringify({ name: "of-owner" });
      const album = { ...named, headers: { ...named.headers, "Idempotency-Key": key }, body };
      return [await answerTo(at, upload, caller, at.hidden), await answerTo(at, album, caller, at.hidden)];
    };
    expect([who, ...(await refused("used"))]).toEqual([who, ...(await refused("unused"))]);
  }
  for (const who of ["by-name", "session"]) {
    const made = await create(`mine-of-${who}`, "used", at.callers[who] ?? {});
    expect([made.status, made.headers.get("idempotent-replayed")]).toEqual([201, null]);
  }
});

test("a page token of another's listing leads where one from an album that never was leads", async () => {
  const last = { method: "PUT", body: newPng(), headers: owner };
  await at.store.fetch("/v1/albums/mine-1/images/z/content", last);
  for (const path of ["/v1/albums", "/v1/images"]) {
    let next: string | undefined;
    let token: string | undefined;
    do {
      const query = next === undefined ? "" : `&pageToken=${next}`;
      const response = await at.store.fetch(`${path}?pageSize=1${query}`, { headers: owner });
      const page = await jsonOf<{ items: { album?: string; name: string }[]; nextPageToken?: string }>(response);
      next = page.nextPageToken;
      const [item] = page.items;
      if (item?.album === "hidden" || item?.name === "hidden") token = next;
    } while (next !== undefined);
    expect(token).toBeDefined();
    const position = JSON.parse(Buffer.from(token ?? "", "base64url").toString()) as unknown[];
    const elsewhere = position.map((part, index) => (index === 3 ? Bun.randomUUIDv7() : part));
    const other = Buffer.from(JSON.stringify(elsewhere)).toString("base64url");
    for (const [who, caller] of Object.entries(at.callers)) {
      const ask = (pageToken: string) =>
        answerTo(
          at,
          { method: "GET", path: `${path}?pageSize=1&pageToken=${pageToken}`, headers: {}, body: undefined },
          caller,
          at.hidden,
        );
      expect([who, await ask(token ?? "")]).toEqual([who, await ask(other)]);
    }
  }
});

test("an event that the caller must not see moves no cursor to another answer", async () => {
  const { items } = await jsonOf<{ items: { sequence: string; partitionkey: string }[] }>(
    await at.store.fetch(`/v1/events?limit=1000&albumId=${at.albumId}`, { headers: owner }),
  );
  expect(items.length).toBeGreaterThan(1);
  for (const { sequence } of items) {
    const [epoch, seq] = [Number(sequence.slice(0, 8)), Number(sequence.slice(8))];
    for (const who of ["by-name", "by-id", "session"]) {
      const ask = async (position: number) => {
        const after = encodeCursor({ epoch, seq: position });
        return (await at.store.fetch(`/v1/events?limit=5&after=${after}`, { headers: at.callers[who] ?? {} })).text();
      };
      expect([who, await ask(seq)]).toEqual([who, await ask(seq - 1)]);
    }
  }
});
