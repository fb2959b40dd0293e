import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Album, EMPTY_ALBUM_FIELDS } from "../../src/domain/album.ts";
import type { PutImages, Requester } from "../../src/domain/change.ts";
import type { QuotaLimits, QuotaScope } from "../../src/domain/quota.ts";
import {
  blobOf,
  createAlbum,
  createKey,
  imageNamed,
  loggedState,
  type OpenCatalog,
  type OpenedCatalog,
  pagesOf,
  put,
} from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";

const limits = (more: Partial<QuotaLimits>): QuotaLimits => ({ maxBytes: null, maxImages: null, ...more });

/** An image of so many bytes, all of the same letter. */
const sized = (name: string, bytes: number, letter = "x") => imageNamed(name, { blob: blobOf(letter.repeat(bytes)) });

const by = (key: string): Requester => ({
  actor: { kind: "key", id: key, name: key },
  albums: "all",
  shared: "all",
  chargedTo: key,
});

const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0);

const fit = (promise: Promise<unknown>) => expectCode(promise, "quota_exceeded");

export function quotaContract(open: OpenCatalog): void {
  let catalog: OpenedCatalog;
  let album: Album;
  beforeEach(async () => {
    catalog = await open();
    album = await createAlbum(catalog, "a");
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  const setQuota = (scope: QuotaScope, more: Partial<QuotaLimits> | null) =>
    catalog.write({ type: "setQuota", scope, limits: more && limits(more) });
  const usedOf = async (scope: QuotaScope) => (await catalog.quotas([scope]))[0]?.used;
  const remove = (name: string) => catalog.write({ type: "deleteImage", albumId: album.id, name });
  const replace = (name: string, bytes: number, more: Partial<PutImages> = {}) =>
    put(catalog, album, [sized(name, bytes, "r")], { mode: "put", ...more });

  const SCOPES = [
    ["an album", () => `albums/${album.id}`],
    ["the store", () => "store"],
    ["a key", () => "keys/k1"],
  ] as const satisfies readonly (readonly [string, () => QuotaScope])[];

  describe.each(SCOPES)("a quota of %s", (_name, scopeOf) => {
    const more = { by: by("k1") };
    beforeEach(() => createKey(catalog, "k1"));

    test("admits what fits to the byte, and nothing beyond", async () => {
      await setQuota(scopeOf(), { maxBytes: 100 });
      await put(catalog, album, [sized("a", 60)], more);
      const refused = await fit(put(catalog, album, [sized("b", 41)], more));
      expect(refused.members).toEqual({ scope: scopeOf(), unit: "bytes", limit: 100, used: 60 });
      await put(catalog, album, [sized("c", 40)], more);
      expect(await usedOf(scopeOf())).toEqual({ images: 2, bytes: 100 });
      await fit(put(catalog, album, [sized("d", 1)], more));
      expect(await catalog.miscounts()).toEqual([]);
    });

    test("counts images too", async () => {
      await setQuota(scopeOf(), { maxImages: 1, maxBytes: 1000 });
      await put(catalog, album, [sized("a", 1)], more);
      expect((await fit(put(catalog, album, [sized("b", 1)], more))).members).toMatchObject({
        unit: "images",
        limit: 1,
        used: 1,
      });
      await replace("a", 900, more);
      expect(await usedOf(scopeOf())).toEqual({ images: 1, bytes: 900 });
    });

    test("counts the images from before it was set", async () => {
      await put(catalog, album, [sized("a", 60), sized("b", 7)], more);
      expect(await setQuota(scopeOf(), { maxBytes: 70 })).toMatchObject({
        scope: scopeOf(),
        maxBytes: 70,
        maxImages: null,
        used: { images: 2, bytes: 67 },
      });
      await fit(put(catalog, album, [sized("c", 4)], more));
      await put(catalog, album, [sized("c", 3)], more);
    });

    test("refuses only growth when it is set below what is used", async () => {
      await put(catalog, album, [sized("a", 60), sized("b", 60)], more);
      await setQuota(scopeOf(), { maxBytes: 10, maxImages: 1 });
      await replace("a", 50, more);
      await replace("b", 60, more);
      await fit(replace("a", 51, more));
      await fit(put(catalog, album, [sized("c", 1)], more));
      await remove("a");
      await remove("b");
      await put(catalog, album, [sized("c", 10)], more);
    });

    test("counts only the difference of a replacement, and nothing for equal bytes", async () => {
      await setQuota(scopeOf(), { maxBytes: 100, maxImages: 1 });
      await put(catalog, album, [sized("a", 90, "r")], more);
      await replace("a", 90, more);
      expect(await usedOf(scopeOf())).toEqual({ images: 1, bytes: 90 });
      await replace("a", 100, more);
      await fit(replace("a", 101, more));
      await replace("a", 20, more);
      expect(await usedOf(scopeOf())).toEqual({ images: 1, bytes: 20 });
    });

    test("stores all images of a change or none, and names those that do not fit", async () => {
      await setQuota(scopeOf(), { maxBytes: 100 });
      const images = [sized("a", 60), sized("b", 50), sized("c", 40), sized("d", 1)];
      const { errors } = await fit(put(catalog, album, images, more));
      expect(errors.map(({ name, code }) => ({ name, code }))).toEqual([
        { name: "b", code: "quota_exceeded" },
        { name: "d", code: "quota_exceeded" },
      ]);
      expect(await usedOf(scopeOf())).toEqual({ images: 0, bytes: 0 });
      await put(
        catalog,
        album,
        [images[0], images[2]].flatMap((image) => image ?? []),
        more,
      );
    });

    test("lets one image of a change use what another one of it frees", async () => {
      await setQuota(scopeOf(), { maxBytes: 100 });
      await put(catalog, album, [sized("z", 90)], more);
      await put(catalog, album, [sized("a", 80), sized("z", 10, "r")], { mode: "put", ...more });
      expect(await usedOf(scopeOf())).toEqual({ images: 2, bytes: 90 });
    });

    test("charges a replayed change once", async () => {
      await setQuota(scopeOf(), { maxImages: 1 });
      const idempotency = { scope: "s", key: "k", fingerprint: "f" };
      const image = sized("a", 5);
      await put(catalog, album, [image], { ...more, idempotency });
      await put(catalog, album, [image], { ...more, idempotency });
      expect(await usedOf(scopeOf())).toEqual({ images: 1, bytes: 5 });
    });

    test("is exceeded by none of many changes that race for the last bytes", async () => {
      await setQuota(scopeOf(), { maxBytes: 100 });
      const changes = Array.from({ length: 64 }, (_, index) => put(catalog, album, [sized(`i${index}`, 7)], more));
      const outcomes = await Promise.allSettled(changes);
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(14);
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "quota_exceeded" });
      }
      expect(await usedOf(scopeOf())).toEqual({ images: 14, bytes: 98 });
      expect(await catalog.miscounts()).toEqual([]);
    });

    test("counts rightly when it is set while images come and go", async () => {
      const names = Array.from({ length: 48 }, (_, index) => `i${index}`);
      const coming = names.map(async (name, index) => {
        await put(catalog, album, [sized(name, index + 1)], more);
        if (index % 3 === 0) await remove(name);
      });
      const setting = [1, 2, 3].map(async (round) => {
        await Bun.sleep(round);
        await setQuota(scopeOf(), { maxImages: 1000 + round });
      });
      await Promise.all([...coming, ...setting]);
      expect(await catalog.miscounts()).toEqual([]);
      expect(await usedOf(scopeOf())).toMatchObject({ images: 32 });
    });

    test("is gone when it is removed, and then unknown", async () => {
      await setQuota(scopeOf(), { maxImages: 0 });
      await fit(put(catalog, album, [sized("a", 1)], more));
      expect(await setQuota(scopeOf(), null)).toBeNull();
      await put(catalog, album, [sized("a", 1)], more);
      expect(await catalog.quotas([scopeOf()])).toEqual([]);
      await expectCode(setQuota(scopeOf(), null), "quota_not_found");
    });
  });

  describe.each(SCOPES.slice(1))("a quota of %s over many albums", (_name, scopeOf) => {
    const more = { by: by("k1") };
    let albums: readonly Album[];
    beforeEach(async () => {
      await createKey(catalog, "k1");
      albums = await Promise.all(Array.from({ length: 24 }, (_, index) => createAlbum(catalog, `many ${index}`)));
    });
    const albumAt = (index: number) => albums[index % albums.length] as Album;

    test("admits the last byte in any album, and nothing beyond", async () => {
      await setQuota(scopeOf(), { maxBytes: 1000, maxImages: 30 });
      await put(catalog, albumAt(0), [sized("a", 400)], more);
      await put(catalog, albumAt(1), [sized("a", 400)], more);
      for (const each of albums) {
        const { members } = await fit(put(catalog, each, [sized("b", 201)], more));
        expect(members).toEqual({ scope: scopeOf(), unit: "bytes", limit: 1000, used: 800 });
      }
      await put(catalog, albumAt(2), [sized("b", 199)], more);
      await put(catalog, albumAt(3), [sized("b", 1)], more);
      for (const each of albums) await fit(put(catalog, each, [sized("c", 1)], more));
      expect(await usedOf(scopeOf())).toEqual({ images: 4, bytes: 1000 });
      expect(await catalog.miscounts()).toEqual([]);
    });

    test("is exceeded by no byte when all race for the last ones, and refuses nothing that fits", async () => {
      const maxBytes = 2000;
      await setQuota(scopeOf(), { maxBytes });
      const sizes = Array.from({ length: 192 }, (_, index) => 5 + (index % 29));
      const outcomes = await Promise.allSettled(
        sizes.map((size, index) => put(catalog, albumAt(index), [sized(`i${index}`, size)], more)),
      );
      const refused = sizes.filter((_, index) => outcomes[index]?.status === "rejected");
      for (const outcome of outcomes)
        if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "quota_exceeded" });
      const used = sum(sizes) - sum(refused);
      expect(used).toBeLessThanOrEqual(maxBytes);
      expect(used + Math.min(...refused)).toBeGreaterThan(maxBytes);
      expect(await usedOf(scopeOf())).toEqual({ images: sizes.length - refused.length, bytes: used });
      expect(await catalog.miscounts()).toEqual([]);
    });

    test("gives what one album frees to another", async () => {
      await setQuota(scopeOf(), { maxBytes: 960 });
      await Promise.all(albums.map((each) => put(catalog, each, [sized("a", 40)], more)));
      await fit(put(catalog, albumAt(0), [sized("b", 1)], more));
      for (const index of [5, 6, 7])
        await catalog.write({ type: "deleteImage", albumId: albumAt(index).id, name: "a" });
      await catalog.write({ type: "deleteAlbum", albumId: albumAt(8).id, recursive: true });
      await fit(put(catalog, albumAt(0), [sized("b", 161)], more));
      await put(catalog, albumAt(0), [sized("b", 160)], more);
      await fit(put(catalog, albumAt(5), [sized("b", 1)], more));
      expect(await usedOf(scopeOf())).toEqual({ images: 21, bytes: 960 });
    });

    test("refuses growth in every album while more is used than it allows", async () => {
      await Promise.all(albums.map((each) => put(catalog, each, [sized("a", 40)], more)));
      await setQuota(scopeOf(), { maxBytes: 100, maxImages: 10 });
      for (const each of albums.slice(2)) {
        await put(catalog, each, [sized("a", 30)], { mode: "put", ...more });
        await fit(put(catalog, each, [sized("a", 31)], { mode: "put", ...more }));
        await catalog.write({ type: "deleteImage", albumId: each.id, name: "a" });
      }
      expect(await usedOf(scopeOf())).toEqual({ images: 2, bytes: 80 });
      await fit(put(catalog, albumAt(9), [sized("b", 21)], more));
      await put(catalog, albumAt(9), [sized("b", 20)], more);
      await setQuota(scopeOf(), { maxBytes: 101 });
      await fit(put(catalog, albumAt(4), [sized("b", 2)], more));
      await put(catalog, albumAt(4), [sized("b", 1)], more);
    });

    test("stays exact while images come, change and go", async () => {
      const maxBytes = 700;
      await setQuota(scopeOf(), { maxBytes, maxImages: 60 });
      const steps = Array.from({ length: 240 }, async (_, index) => {
        const [each, name] = [albumAt(index * 7), `i${index % 5}`];
        await put(catalog, each, [sized(name, 1 + ((index * 13) % 31))], { mode: "put", ...more });
        const { bytes, images } = (await usedOf(scopeOf())) ?? { bytes: Infinity, images: Infinity };
        expect([bytes <= maxBytes, images <= 60]).toEqual([true, true]);
        if (index % 3 === 0) await catalog.write({ type: "deleteImage", albumId: each.id, name });
      });
      for (const outcome of await Promise.allSettled(steps))
        if (outcome.status === "rejected") expect(outcome.reason.code).toBeOneOf(["quota_exceeded", "image_not_found"]);
      expect(await catalog.miscounts()).toEqual([]);
      const left = maxBytes - ((await usedOf(scopeOf()))?.bytes ?? 0);
      await setQuota(scopeOf(), { maxBytes });
      if (left > 0) await put(catalog, albumAt(3), [sized("rest", left)], more);
      await fit(put(catalog, albumAt(4), [sized("more", 1)], more));
    });
  });

  test("the deletion of an album frees what its images used, as it goes", async () => {
    await createKey(catalog, "k1");
    await put(catalog, album, [sized("a", 10), sized("b", 20), sized("c", 30)], { by: by("k1") });
    const other = await createAlbum(catalog, "other");
    await put(catalog, other, [sized("a", 5)]);
    await setQuota("store", { maxBytes: 100 });
    await setQuota("keys/k1", { maxBytes: 100 });
    await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true, atOnce: 1 });
    expect([await usedOf("store"), await usedOf("keys/k1")]).toEqual([
      { images: 4, bytes: 65 },
      { images: 3, bytes: 60 },
    ]);
    await catalog.write({ type: "deleteAlbumChunk", albumId: album.id, limit: 2 });
    expect([await usedOf("store"), await usedOf("keys/k1")]).toEqual([
      { images: 2, bytes: 35 },
      { images: 1, bytes: 30 },
    ]);
    // Images of an album that is being deleted count until they are.
    await setQuota("store", null);
    await setQuota("store", { maxBytes: 100 });
    expect(await usedOf("store")).toEqual({ images: 2, bytes: 35 });
    await catalog.write({ type: "deleteAlbumChunk", albumId: album.id, limit: 2 });
    await catalog.write({ type: "deleteAlbum", albumId: other.id, recursive: true });
    expect([await usedOf("store"), await usedOf("keys/k1")]).toEqual([
      { images: 0, bytes: 0 },
      { images: 0, bytes: 0 },
    ]);
    expect(await catalog.miscounts()).toEqual([]);
  });

  test("an image is charged to the key that uploaded its bytes", async () => {
    for (const key of ["k1", "k2"]) await createKey(catalog, key);
    await setQuota("keys/k1", { maxBytes: 100 });
    await setQuota("keys/k2", { maxBytes: 100 });
    await put(catalog, album, [sized("a", 60)], { by: by("k1") });
    await put(catalog, album, [sized("a", 60)], { mode: "put", by: by("k2") });
    expect([await usedOf("keys/k1"), await usedOf("keys/k2")]).toEqual([
      { images: 1, bytes: 60 },
      { images: 0, bytes: 0 },
    ]);
    await replace("a", 100, { by: by("k2") });
    expect([await usedOf("keys/k1"), await usedOf("keys/k2")]).toEqual([
      { images: 0, bytes: 0 },
      { images: 1, bytes: 100 },
    ]);
    await replace("a", 101);
    expect(await usedOf("keys/k2")).toEqual({ images: 0, bytes: 0 });
    await remove("a");
    expect(await catalog.miscounts()).toEqual([]);
  });

  test("of several quotas that refuse, the album's is reported before the key's, and that before the store's", async () => {
    await createKey(catalog, "k1");
    const scopes = [`albums/${album.id}`, "keys/k1", "store"] as const;
    for (const scope of scopes) await setQuota(scope, { maxImages: 0 });
    for (const scope of scopes) {
      const { members } = await fit(put(catalog, album, [sized("a", 1)], { by: by("k1") }));
      expect(members["scope"]).toBe(scope);
      await setQuota(scope, null);
    }
  });

  test("a refused change beside others takes nothing from them", async () => {
    await setQuota("store", { maxBytes: 100 });
    const outcomes = await Promise.allSettled([
      put(catalog, album, [sized("a", 101)]),
      put(catalog, album, [sized("b", 100)]),
      put(catalog, album, [sized("c", 1000)]),
      catalog.write({ type: "updateImage", albumId: album.id, name: "none", patch: { title: "t" } }),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "rejected", "rejected"]);
    expect(await usedOf("store")).toEqual({ images: 1, bytes: 100 });
  });

  test("a refused replacement frees nothing for the changes beside it", async () => {
    await put(catalog, album, [sized("a", 60), sized("b", 40)]);
    await setQuota("store", { maxBytes: 100 });
    const outcomes = await Promise.allSettled([
      catalog.write({ type: "updateImage", albumId: album.id, name: "b", patch: { title: "t" } }),
      put(catalog, album, [sized("a", 10), sized("c", 5)], { mode: "put", addOnly: true }),
      put(catalog, album, [sized("d", 20)]),
    ]);
    expect(outcomes.map((outcome) => (outcome.status === "rejected" ? outcome.reason.code : "done"))).toEqual([
      "done",
      "forbidden",
      "quota_exceeded",
    ]);
    expect(await usedOf("store")).toEqual({ images: 2, bytes: 100 });
  });

  test("changes of several albums and keys race for quotas without one being exceeded or locked out", async () => {
    const keys = ["k1", "k2", "k3"];
    for (const key of keys) await createKey(catalog, key);
    const albums = [album, await createAlbum(catalog, "b"), await createAlbum(catalog, "c")];
    for (const key of keys) await setQuota(`keys/${key}`, { maxBytes: 150 });
    await setQuota("store", { maxBytes: 400 });
    await setQuota(`albums/${album.id}`, { maxImages: 11 });
    const changes = Array.from({ length: 90 }, async (_, index) => {
      const to = albums[index % 3] as Album;
      const key = keys[Math.floor(index / 3) % 3] as string;
      await put(catalog, to, [sized(`i${index % 20}`, 1 + (index % 13))], { mode: "put", by: by(key) });
      if (index % 4 === 0) await catalog.write({ type: "deleteImage", albumId: to.id, name: `i${index % 20}` });
    });
    for (const outcome of await Promise.allSettled(changes)) {
      if (outcome.status === "rejected") expect(outcome.reason.code).toBeOneOf(["quota_exceeded", "image_not_found"]);
    }
    for (const quota of (await catalog.allQuotas({ limit: 100 })).items) {
      expect(quota.used.bytes).toBeLessThanOrEqual(quota.maxBytes ?? Infinity);
      expect(quota.used.images).toBeLessThanOrEqual(quota.maxImages ?? Infinity);
    }
    expect(await catalog.miscounts()).toEqual([]);
  });

  test("each change of a quota is an event of the audit trail", async () => {
    const { lastSequence, epoch } = await loggedState(catalog);
    const actor = { kind: "key", id: "boss", name: "Boss" } as const;
    const change = { type: "setQuota", scope: "store", by: { actor, albums: "all", shared: "all" } } as const;
    await catalog.write({ ...change, limits: limits({ maxBytes: 7 }) });
    await catalog.write({ ...change, limits: null });
    await loggedState(catalog);
    const query = { visibility: "all", after: { epoch, seq: lastSequence }, limit: 10 } as const;
    expect((await catalog.events(query)).events).toEqual([]);
    const { events } = await catalog.events({ ...query, audit: true });
    expect(events.map(({ type, subject, data }) => ({ type, subject, data: JSON.parse(data) as object }))).toEqual(
      [7, null].map((maxBytes) => ({
        type: "imagestore.quota.updated",
        subject: "quotas/store",
        data: expect.objectContaining({ scope: "store", maxBytes, maxImages: null, actor }) as object,
      })),
    );
  });

  test("quotas are listed in the order of their scopes, page by page", async () => {
    await createKey(catalog, "k1");
    await setQuota("store", { maxBytes: 1 });
    await setQuota("keys/k1", { maxImages: 2 });
    await setQuota(`albums/${album.id}`, { maxBytes: 3, maxImages: 4 });
    const { items: all } = await catalog.allQuotas({ limit: 10 });
    expect(all).toEqual([
      { scope: `albums/${album.id}`, name: "a", maxBytes: 3, maxImages: 4, used: { images: 0, bytes: 0 } },
      { scope: "keys/k1", name: "k1", maxBytes: null, maxImages: 2, used: { images: 0, bytes: 0 } },
      { scope: "store", name: null, maxBytes: 1, maxImages: null, used: { images: 0, bytes: 0 } },
    ]);
    const pages = await pagesOf((start) => catalog.allQuotas({ limit: 2, ...start }));
    expect(pages.map(({ items }) => items)).toEqual([all.slice(0, 2), all.slice(2)]);
    expect(await catalog.quotas(["store", `albums/${album.id}`, "keys/none"])).toEqual(
      all.filter(({ scope }) => scope !== "keys/k1").map(({ name: _name, ...quota }) => quota),
    );
  });

  test("there is no quota for an album or a key that does not exist", async () => {
    await expectCode(setQuota("keys/none", { maxBytes: 1 }), "key_not_found");
    await expectCode(setQuota(`albums/${Bun.randomUUIDv7()}`, { maxBytes: 1 }), "album_not_found");
  });

  test("a quota of an album ends with the album", async () => {
    await setQuota(`albums/${album.id}`, { maxBytes: 1 });
    await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true });
    const fields = EMPTY_ALBUM_FIELDS;
    album = (await catalog.write({ type: "createAlbum", id: Bun.randomUUIDv7(), name: "a", fields })).value;
    await put(catalog, album, [sized("a", 2)]);
    expect((await catalog.allQuotas({ limit: 10 })).items).toEqual([]);
  });
}
