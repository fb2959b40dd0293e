import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Album, EMPTY_ALBUM_FIELDS } from "../../src/domain/album.ts";
import { type BatchOperation, type BatchOutcome, type RunBatch, stateCaller } from "../../src/domain/batch.ts";
import type { Caller } from "../../src/domain/caller.ts";
import type { StoreError } from "../../src/domain/errors.ts";
import type { QuotaScope } from "../../src/domain/quota.ts";
import {
  batchOf,
  blobOf,
  createAlbum,
  createImage,
  createKey,
  dataOf,
  eventsAfter,
  imageNamed,
  loggedState,
  type OpenCatalog,
  type OpenedCatalog,
  pagesOf,
  put,
} from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";
import { rejectionOf } from "../waiting.ts";

const creation = (name: string): BatchOperation => ({
  type: "createAlbum",
  id: Bun.randomUUIDv7(),
  name,
  fields: EMPTY_ALBUM_FIELDS,
});
const rename = (name: string, to: string): BatchOperation => ({ type: "updateAlbum", name, patch: { name: to } });
const retitle = (album: string, name: string, title: string): BatchOperation => ({
  type: "updateImage",
  album,
  name,
  patch: { title },
});
const removal = (album: string, name: string): BatchOperation => ({ type: "deleteImage", album, name });
const removalOfAlbum = (name: string, recursive = true): BatchOperation => ({ type: "deleteAlbum", name, recursive });

const move = (album: string, name: string, to: string) =>
  ({
    type: "moveImage",
    album,
    name,
    target: { album: to },
    ifExists: "fail",
    publicOriginals: "whole",
  }) as const satisfies BatchOperation;

const codesOf = (outcomes: readonly BatchOutcome[]) =>
  outcomes.map((outcome) => ("error" in outcome ? outcome.error.code : null));

export function batchContract(open: OpenCatalog): void {
  let catalog: OpenedCatalog;
  beforeEach(async () => {
    catalog = await open();
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  const run = async (operations: readonly BatchOperation[], more: Partial<RunBatch> = {}) =>
    (await catalog.write(batchOf(operations, more))).value;
  const namesOf = async () =>
    (await catalog.albums({ visibility: "all", orderBy: "name", limit: 100 })).items.map(({ name }) => name);
  const imagesOf = async (album: Album) =>
    (await catalog.images({ visibility: "all", orderBy: "name", limit: 1000, albumId: album.id })).items;
  const album = (name: string) => catalog.album(name, "all");

  test("a batch runs operations in order, each on what those before it left, and logs their events in that order", async () => {
    const a = await createAlbum(catalog, "a");
    await createImage(catalog, a, "i");
    const { lastSequence } = await loggedState(catalog);
    const outcomes = await run([
      creation("b"),
      rename("b", "c"),
      rename("a", "b"),
      { type: "updateImage", album: "b", name: "i", patch: { name: "j" } },
      retitle("b", "j", "J"),
      removalOfAlbum("c", false),
      creation("c"),
      removal("b", "j"),
    ]);
    expect(codesOf(outcomes)).toEqual(outcomes.map(() => null));
    expect(outcomes.map((outcome) => "created" in outcome && outcome.created)).toEqual([
      true,
      ...Array.from({ length: 5 }, () => false),
      true,
      false,
    ]);
    expect(await namesOf()).toEqual(["b", "c"]);
    const events = await eventsAfter(catalog, lastSequence, 8);
    expect(events.map(({ type }) => type.replace("imagestore.", ""))).toEqual([
      "album.created",
      "album.updated",
      "album.updated",
      "image.updated",
      "image.updated",
      "album.deleted",
      "album.created",
      "image.deleted",
    ]);
    expect(dataOf(events[4])).toMatchObject({ name: "j", album: "b", title: "J", revision: 3 });
  });

  test("a batch that is atomic leaves nothing when an operation fails, and says which", async () => {
    const a = await createAlbum(catalog, "a");
    await createImage(catalog, a, "i");
    await createImage(catalog, a, "k");
    const before = [await namesOf(), await imagesOf(a), await loggedState(catalog)];
    for (const failing of [creation("a"), removal("a", "none"), removal("none", "i"), removalOfAlbum("b", true)]) {
      const error = (await rejectionOf(
        run([creation("c"), retitle("a", "i", "x"), removal("a", "k"), failing, removalOfAlbum("a"), creation("d")], {
          idempotency: { scope: "s", key: "k", fingerprint: "f" },
        }),
      )) as StoreError;
      expect([error.code.endsWith("_not_found") || error.code === "album_exists", error.members.operation]).toEqual([
        true,
        3,
      ]);
      expect([await namesOf(), await imagesOf(a), await loggedState(catalog)]).toEqual(before);
      expect(await catalog.hasAnswered({ scope: "s", key: "k" })).toBe(false);
    }
    expect(codesOf(await run([removal("a", "i"), removalOfAlbum("a", false)], { atomic: false }))).toEqual([
      null,
      "album_not_empty",
    ]);
  });

  test("a batch that is not atomic keeps what its operations did beside those that fail in each way", async () => {
    const a = await createAlbum(catalog, "a");
    for (const name of ["i", "j", "k"]) await createImage(catalog, a, name);
    await createAlbum(catalog, "b");
    const stale = { ifMatch: [{ id: a.id, revision: 7 }] };
    const tooMuch = { metadata: Object.fromEntries([...Array(20).keys()].map((key) => [`${key}`, "x".repeat(900)])) };
    const { lastSequence } = await loggedState(catalog);
    const outcomes = await run(
      [
        creation("a"),
        rename("a", "b"),
        { type: "updateAlbum", name: "a", patch: { title: "t" }, preconditions: stale },
        { type: "updateAlbum", name: "a", patch: tooMuch },
        { type: "putAlbum", id: "x", name: "a", fields: EMPTY_ALBUM_FIELDS, preconditions: stale },
        removalOfAlbum("a", false),
        removalOfAlbum("none"),
        { type: "updateImage", album: "a", name: "i", patch: { name: "j" } },
        retitle("a", "none", "t"),
        removal("a", "none"),
        { type: "describeImage", id: "none" },
        retitle("a", "i", "kept"),
        retitle("a", "j", "kept"),
        retitle("a", "none", "t"),
        removal("a", "k"),
        removal("a", "none"),
        creation("c"),
      ],
      { atomic: false },
    );
    expect(codesOf(outcomes)).toEqual([
      "album_exists",
      "album_exists",
      "precondition_failed",
      "invalid_request",
      "precondition_failed",
      "album_not_empty",
      "album_not_found",
      "image_exists",
      "image_not_found",
      "image_not_found",
      "image_not_found",
      null,
      null,
      "image_not_found",
      null,
      "image_not_found",
      null,
    ]);
    expect((await imagesOf(a)).map(({ name, title }) => [name, title])).toEqual([
      ["i", "kept"],
      ["j", "kept"],
    ]);
    await eventsAfter(catalog, lastSequence, 4);
    expect(await catalog.miscounts()).toEqual([]);
  });

  test("a batch moves images into albums that it creates, and leaves none behind when a later operation fails", async () => {
    const a = await createAlbum(catalog, "a");
    for (const name of ["i", "j"]) await createImage(catalog, a, name);
    const { lastSequence } = await loggedState(catalog);
    const moves = [
      creation("b"),
      move("a", "i", "b"),
      move("a", "j", "b"),
      rename("b", "c"),
      removalOfAlbum("a", false),
    ];
    await expectCode(run([...moves, move("c", "i", "a")]), "album_not_found");
    await eventsAfter(catalog, lastSequence, 0);
    const outcomes = await run(moves);
    expect(outcomes.slice(1, 3).map((outcome) => "record" in outcome && outcome.record?.name)).toEqual(["i", "j"]);
    const c = (await album("c")) as Album;
    expect((await imagesOf(c)).map(({ name, album: of }) => [name, of])).toEqual([
      ["i", "c"],
      ["j", "c"],
    ]);
    expect(await namesOf()).toEqual(["c"]);
    await eventsAfter(catalog, lastSequence, 7);
    expect(await catalog.miscounts()).toEqual([]);
  });

  test("a batch of many operations on one album changes each image as often as it says", async () => {
    const a = await createAlbum(catalog, "a");
    const names = Array.from({ length: 150 }, (_, index) => `i${String(index).padStart(3, "0")}`);
    await put(
      catalog,
      a,
      names.map((name) => imageNamed(name)),
    );
    const { lastSequence } = await loggedState(catalog);
    await run([
      ...names.map((name) => retitle("a", name, "first")),
      ...names.flatMap((name) => [retitle("a", name, "second"), retitle("a", name, "third")]),
      ...names.slice(0, 100).map((name) => removal("a", name)),
    ]);
    const left = await imagesOf(a);
    expect(left.map(({ name }) => name)).toEqual(names.slice(100));
    expect(new Set(left.map(({ title, revision }) => `${title} ${revision}`))).toEqual(new Set(["third 4"]));
    const events = await eventsAfter(catalog, lastSequence, 550);
    expect(
      events.slice(150, 154).map((event) => [dataOf(event).name, (dataOf(event) as { title?: string }).title]),
    ).toEqual([
      ["i000", "second"],
      ["i000", "third"],
      ["i001", "second"],
      ["i001", "third"],
    ]);
    expect((await album("a"))?.imageCount).toBe(50);
  });

  test("a batch judges each operation by the rights of its caller, as they are when the operation runs", async () => {
    const mine = await createAlbum(catalog, "mine.a");
    await createAlbum(catalog, "other");
    const caller: Caller = {
      kind: "key",
      id: "k",
      name: "k",
      grants: [
        { rights: new Set(["write"]), albums: { names: ["mine.*"] } },
        { rights: new Set(["delete"]), albums: { ids: [mine.id] } },
      ],
    };
    const outcomes = await run(
      [
        creation("mine.b"),
        creation("theirs"),
        rename("mine.a", "theirs"),
        rename("other", "mine.c"),
        removalOfAlbum("mine.b"),
        removalOfAlbum("other"),
        { type: "updateAlbum", name: "mine.a", patch: { visibility: "public" } },
        removalOfAlbum("mine.a"),
        rename("mine.b", "mine.a"),
        removalOfAlbum("mine.a"),
      ],
      { atomic: false, caller: stateCaller(caller) },
    );
    expect(codesOf(outcomes)).toEqual([
      null,
      "forbidden",
      "forbidden",
      "album_not_found",
      "forbidden",
      "album_not_found",
      "forbidden",
      null,
      null,
      "forbidden",
    ]);
    expect(await namesOf()).toEqual(["mine.a", "other"]);
  });

  test("a batch replays its outcomes for a known idempotency key, whatever has become of the records", async () => {
    const idempotency = { scope: "s", key: "k", fingerprint: "f" };
    const operations = [creation("a"), creation("a"), rename("a", "b")];
    const first = await catalog.write(batchOf(operations, { atomic: false, idempotency }));
    await run([removalOfAlbum("b")]);
    const again = await catalog.write(batchOf(operations, { atomic: false, idempotency }));
    expect([first.replayed, again.replayed]).toEqual([false, true]);
    expect(again.value).toEqual(first.value);
    expect(await namesOf()).toEqual([]);
    await expectCode(
      catalog.write(batchOf(operations, { idempotency: { ...idempotency, fingerprint: "g" } })),
      "idempotency_key_reused",
    );
  });

  test("a batch that takes too long is undone", async () => {
    await expectCode(run([creation("a"), creation("b")], { maxMs: -1 }), "busy");
    expect(await namesOf()).toEqual([]);
    expect(codesOf(await run([creation("a")]))).toEqual([null]);
  });

  test("a batch deletes large albums in parts that fit, and hides them at once", async () => {
    const a = await createAlbum(catalog, "a");
    const b = await createAlbum(catalog, "b");
    await put(
      catalog,
      a,
      Array.from({ length: 21 }, (_, index) => imageNamed(`i${index}`)),
    );
    await createImage(catalog, b, "i");
    const many = Array.from({ length: 998 }, () => removalOfAlbum("none"));
    await run([removalOfAlbum("a"), removalOfAlbum("b"), ...many], { atomic: false });
    expect(await namesOf()).toEqual([]);
    expect(await catalog.albumsBeingDeleted(10)).toEqual([a.id]);
    const { done } = await catalog.write({ type: "deleteAlbumChunk", albumId: a.id, limit: 100 });
    expect(done).toBe(true);
    expect((await catalog.totals()).images).toBe(0);
  });

  describe("a batch beside quotas of the store and of keys", () => {
    test.each([true, false])("gives back what it deletes in several albums (atomic: %p)", async (atomic) => {
      for (const key of ["k1", "k2"]) await createKey(catalog, key);
      const scopes: readonly QuotaScope[] = ["store", "keys/k1", "keys/k2"];
      const limits = { maxBytes: 1000, maxImages: 40 };
      for (const scope of scopes) await catalog.write({ type: "setQuota", scope, limits });
      const fill = async (name: string, key: string) => {
        const of = await createAlbum(catalog, name);
        const images = ["x", "y", "z"].map((one) => imageNamed(one, { blob: blobOf("123456789 ") }));
        await put(catalog, of, images, {
          by: { actor: { kind: "key", id: key, name: key }, albums: "all", shared: "all", chargedTo: key },
        });
      };
      for (const name of ["a", "b", "c", "d"]) await fill(name, name < "c" ? "k1" : "k2");
      await run(
        [
          removal("d", "x"),
          removal("d", "y"),
          removal("a", "x"),
          { type: "updateImage", album: "a", name: "y", patch: { name: "w" } },
          removal("a", "w"),
          removalOfAlbum("b"),
          rename("c", "b"),
          removal("b", "z"),
          { ...move("b", "x", "d"), target: { album: "d", name: "z" }, ifExists: "replace" },
          move("a", "z", "b"),
        ],
        { atomic },
      );
      const used = await Promise.all(scopes.map(async (scope) => (await catalog.quotas([scope]))[0]?.used));
      expect(used).toEqual([
        { images: 3, bytes: 30 },
        { images: 1, bytes: 10 },
        { images: 2, bytes: 20 },
      ]);
      expect(await catalog.miscounts()).toEqual([]);
    });
  });

  test("a batch beside others on the same albums in another order ends as if one had come after the other", async () => {
    const names = Array.from({ length: 8 }, (_, index) => `a${index}`);
    for (const name of names) await createImage(catalog, await createAlbum(catalog, name), "i");
    const turns = [names, names.toReversed(), [...names.slice(3), ...names.slice(0, 3)]];
    const titles = Array.from({ length: 12 }, (_, index) => `t${index}`);
    const batches = titles.map((title, index) =>
      run(
        (turns[index % turns.length] ?? names).flatMap((name) => [
          retitle(name, "i", title),
          retitle(name, "i", `${title}!`),
        ]),
      ),
    );
    await Promise.all(batches);
    const images = (
      await pagesOf((start) => catalog.images({ visibility: "all", orderBy: "name", limit: 100, ...start }))
    ).flatMap(({ items }) => items);
    expect(images.map(({ revision }) => revision)).toEqual(names.map(() => 25));
    expect(new Set(images.map(({ title }) => title)).size).toBe(1);
  });

  test("a batch that is atomic is seen whole or not at all", async () => {
    const a = await createAlbum(catalog, "a");
    const names = Array.from({ length: 40 }, (_, index) => `i${index}`);
    await put(
      catalog,
      a,
      names.map((name) => imageNamed(name)),
    );
    const ended = new AbortController();
    const seen = new Set<number>();
    const reading = (async () => {
      while (!ended.signal.aborted) {
        seen.add(new Set((await imagesOf(a)).map(({ title }) => title)).size);
        await Bun.sleep(0);
      }
    })();
    for (const title of ["r", "s", "t", "u", "v", "w"]) await run(names.map((name) => retitle("a", name, title)));
    ended.abort();
    await reading;
    expect([...seen]).toEqual([1]);
  });
}
