import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Album } from "../../src/domain/album.ts";
import { type Image, takenAtTime } from "../../src/domain/image.ts";
import { ALBUM_ORDERS, type AlbumOrderBy, IMAGE_ORDERS, type OrderBy } from "../../src/domain/page.ts";
import type { ImageQuery } from "../../src/ports.ts";
import {
  blobOf,
  createAlbum,
  createImage,
  describeImage,
  eventsAfter,
  imageNamed,
  JPEG,
  loggedState,
  namesOf,
  type OpenCatalog,
  type OpenedCatalog,
  pagesOf,
  put,
} from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";

/** Of UTF-8, which is the order of code points, and not of UTF-16. */
const inByteOrder = (names: readonly string[]) =>
  names.toSorted((one, two) => Buffer.compare(Buffer.from(one), Buffer.from(two)));

const HOSTILE_NAMES = [
  "a",
  "A",
  "aa",
  "ab",
  "á",
  "z",
  "%",
  "_",
  "\u{ffff}",
  "\u{10ffff}",
  "\u{10ffff}x",
  "😀",
  "\ud7ff",
  "\ue000",
];

const inBytes = (one: string, two: string) => Buffer.compare(Buffer.from(one), Buffer.from(two));

const takenAt = (item: Image | Album): number | null => ("exif" in item ? takenAtTime(item.exif) : null);

const compareBy = (orderBy: OrderBy) => (one: Image | Album, two: Image | Album) => {
  const field = orderBy.replace("-", "") as "name" | "createdAt" | "updatedAt" | "takenAt";
  const times = [takenAt(one), takenAt(two)];
  if (field === "takenAt" && (times[0] === null) !== (times[1] === null)) return times[0] === null ? 1 : -1;
  const byKey =
    field !== "takenAt"
      ? inBytes(one[field], two[field])
      : (times[0] ?? 0) - (times[1] ?? 0) || (times[0] === null ? inBytes(one.name, two.name) : 0);
  const order = byKey || inBytes(one.id, two.id);
  return orderBy.startsWith("-") ? -order : order;
};

/** Before and after 1970, with and without an offset, some at the same moment, and nothing known of the last. */
const TAKEN_AT = [
  "2026-07-14T09:30:00+02:00",
  "1936-01-01T00:00:00",
  "2026-07-14T07:30:00",
  "2024-02-29T23:59:59-11:00",
  undefined,
];

const isAlbumOrder = (orderBy: OrderBy): orderBy is AlbumOrderBy => ALBUM_ORDERS.some((order) => order === orderBy);

export function listingContract(open: OpenCatalog): void {
  let catalog: OpenedCatalog;
  beforeEach(async () => {
    catalog = await open();
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  const imagesOf = async (query: Omit<ImageQuery, "limit">, limit = 3) => {
    const pages = await pagesOf((start) => catalog.images({ ...query, limit, ...start }));
    expect(pages.every((page) => page.items.length <= limit)).toBe(true);
    return pages.flatMap((page) => page.items);
  };
  const albumsOf = async (query: { orderBy: AlbumOrderBy; q?: string }, limit = 3) =>
    (await pagesOf((start) => catalog.albums({ visibility: "all", ...query, limit, ...start }))).flatMap(
      (page) => page.items,
    );

  /** All but every sixth. */
  const describeSome = async () => {
    for (const [index, { imageId, blobKey }] of (
      await catalog.undescribedImages({ limit: 1000, order: "newest" })
    ).entries()) {
      const taken = TAKEN_AT[index % 6];
      if (index % 6 < TAKEN_AT.length)
        await describeImage(catalog, imageId, blobKey, taken ? { takenAt: taken } : null);
    }
  };

  describe("listings", () => {
    test("are ordered by the bytes of their names, ascending and descending", async () => {
      for (const name of HOSTILE_NAMES) await createAlbum(catalog, name);
      const album = (await catalog.album("a", "all")) as Album;
      await put(
        catalog,
        album,
        HOSTILE_NAMES.map((name) => imageNamed(name)),
      );
      const expected = inByteOrder(HOSTILE_NAMES);
      expect(namesOf(await albumsOf({ orderBy: "name" }))).toEqual(expected);
      expect(namesOf(await albumsOf({ orderBy: "-name" }))).toEqual(expected.toReversed());
      expect(namesOf(await imagesOf({ visibility: "all", orderBy: "name", albumId: album.id }))).toEqual(expected);
      expect(namesOf(await imagesOf({ visibility: "all", orderBy: "-name" }))).toEqual(expected.toReversed());
    });

    test("are the same in pages and at once, in each order, with ties by id", async () => {
      const albums = await Promise.all(["x", "y"].map((name) => createAlbum(catalog, name)));
      for (const album of albums)
        await put(
          catalog,
          album,
          ["b", "c", "a", "e", "d"].map((name) => imageNamed(name)),
        );
      const [album] = albums as [Album, Album];
      for (const name of ["c", "a"])
        await catalog.write({ type: "updateImage", albumId: album.id, name, patch: { title: name } });
      await describeSome();
      for (const orderBy of IMAGE_ORDERS)
        for (const albumId of [undefined, album.id]) {
          const query = { visibility: "all" as const, orderBy, ...(albumId && { albumId }) };
          const whole = [...(await catalog.images({ ...query, limit: 1000 })).items];
          expect(whole).toHaveLength(albumId ? 5 : 10);
          expect(whole).toEqual(whole.toSorted(compareBy(orderBy)));
          for (const limit of [1, 3]) expect(await imagesOf(query, limit)).toEqual(whole);
        }
      for (const orderBy of ALBUM_ORDERS) {
        const allAlbums = await albumsOf({ orderBy }, 1);
        expect(allAlbums).toEqual(allAlbums.toSorted(compareBy(orderBy)));
        expect(allAlbums).toHaveLength(2);
      }
    });

    test("with q have names that start with those bytes", async () => {
      for (const name of HOSTILE_NAMES) await createAlbum(catalog, name);
      const album = (await catalog.album("a", "all")) as Album;
      await put(
        catalog,
        album,
        HOSTILE_NAMES.map((name) => imageNamed(name)),
      );
      for (const q of ["", ...HOSTILE_NAMES, "b", "\u{10ffff}\u{10ffff}", "\ud7ffx"])
        for (const orderBy of IMAGE_ORDERS) {
          const expected = inByteOrder(HOSTILE_NAMES.filter((name) => name.startsWith(q)));
          expect(inByteOrder(namesOf(await imagesOf({ visibility: "all", orderBy, q, albumId: album.id }, 2)))).toEqual(
            expected,
          );
          if (!isAlbumOrder(orderBy)) continue;
          expect(inByteOrder(namesOf(await albumsOf({ orderBy, q }, 2)))).toEqual(expected);
        }
    });

    test("apply filters of images, alone and together, in each order", async () => {
      const albums = await Promise.all(["x", "y"].map((name) => createAlbum(catalog, name)));
      const contents = ["one", "two", "three"];
      for (const [index, album] of albums.entries())
        for (let number = 0; number < 12; number++)
          await createImage(catalog, album, `${number % 2 ? "odd" : "even"}${number}`, {
            blob: blobOf(contents[(number + index) % 3] as string),
            info: { ...JPEG, contentType: number % 4 === 0 ? "image/png" : "image/jpeg" },
            fields: {
              title: null,
              description: null,
              metadata: {},
              focalPoint: null,
              tags: [...(number % 3 === 0 ? ["third"] : []), ...(number % 2 ? ["odd"] : ["even"])],
            },
          });
      await describeSome();
      const all = (await catalog.images({ visibility: "all", orderBy: "name", limit: 1000 })).items;
      const times = all.map((image) => Date.parse(image.createdAt)).toSorted((one, two) => one - two);
      const middle = times[Math.floor(times.length / 2)] as number;

      const options: { [Name in keyof ImageQuery]?: readonly ImageQuery[Name][] } = {
        albumId: [albums[0]?.id],
        contentType: ["image/png"],
        tag: ["third", "none"],
        sha256: [blobOf("two").sha256],
        q: ["odd"],
        createdAfter: [middle],
        createdBefore: [middle],
        takenAfter: [Date.parse("2000-01-01T00:00:00Z"), Date.parse("2026-07-14T07:30:00Z"), -1e13],
        takenBefore: [Date.parse("2026-07-14T07:30:00Z"), Date.parse("2026-07-14T07:30:00.001Z")],
      };
      const filters = fc
        .tuple(
          ...Object.entries(options).map(([name, values]) =>
            fc.option(fc.constantFrom(...values.map((value) => ({ [name]: value })))),
          ),
        )
        .map((chosen) => Object.assign({}, ...chosen) as Partial<ImageQuery>);
      await fc.assert(
        fc.asyncProperty(
          filters,
          fc.constantFrom(...IMAGE_ORDERS),
          fc.integer({ min: 1, max: 9 }),
          async (filter, orderBy, limit) => {
            const expected = all.filter(
              (image) =>
                (filter.albumId === undefined || image.albumId === filter.albumId) &&
                (filter.contentType === undefined || image.contentType === filter.contentType) &&
                (filter.tag === undefined || image.tags.includes(filter.tag)) &&
                (filter.sha256 === undefined || image.sha256 === filter.sha256) &&
                (filter.q === undefined || image.name.startsWith(filter.q)) &&
                (filter.createdAfter === undefined || Date.parse(image.createdAt) > filter.createdAfter) &&
                (filter.createdBefore === undefined || Date.parse(image.createdAt) < filter.createdBefore) &&
                (filter.takenAfter === undefined || (takenAt(image) ?? -Infinity) > filter.takenAfter) &&
                (filter.takenBefore === undefined || (takenAt(image) ?? Infinity) < filter.takenBefore),
            );
            expect(await imagesOf({ visibility: "all", ...filter, orderBy }, limit)).toEqual(
              expected.toSorted(compareBy(orderBy)),
            );
          },
        ),
        { numRuns: 300 },
      );
    });

    test("with an impossible filter value are empty", async () => {
      const album = await createAlbum(catalog, "a");
      await createImage(catalog, album, "ab");
      for (const text of ["\0", "a\0", "a\0b", "\0ab", "a\ud800", "\udfffb"]) {
        const none = [
          catalog.album(text, "all"),
          catalog.image("a", text, "all"),
          catalog.image(text, "ab", "all"),
          catalog.imageById(text, "all"),
        ];
        expect(await Promise.all(none)).toEqual([undefined, undefined, undefined, undefined]);
        expect(await catalog.content(text, "ab", "all")).toBeUndefined();
        expect(await catalog.contentById(text, "all")).toBeUndefined();
        for (const filter of [{ q: text }, { tag: text }, { sha256: text }, { contentType: text }, { albumId: text }])
          expect(await imagesOf({ visibility: "all", orderBy: "createdAt", ...filter })).toEqual([]);
        expect(await imagesOf({ visibility: "all", orderBy: "name", q: text })).toEqual([]);
        expect((await catalog.albums({ visibility: "all", orderBy: "-name", limit: 9, q: text })).items).toEqual([]);
        expect((await catalog.events({ visibility: "all", limit: 9, albumId: text })).events).toEqual([]);
        await expectCode(catalog.write({ type: "updateAlbum", albumId: text, patch: {} }), "album_not_found");
        await expectCode(catalog.write({ type: "deleteCursor", name: text }), "cursor_not_found");
      }
      // A page may go on from there: what is listed comes before or after it.
      const watermark = { epoch: 1, seq: 0 };
      const from = (key: string) =>
        catalog.images({
          visibility: "all",
          orderBy: "name",
          limit: 9,
          start: { after: { key, id: "\0" }, watermark },
        });
      expect(namesOf((await from("a\0")).items)).toEqual(["ab"]);
      expect(namesOf((await from("ab\0")).items)).toEqual([]);
    });

    test("have the watermark of their first page on every page", async () => {
      for (const name of ["a", "b", "c"]) await createAlbum(catalog, name);
      await eventsAfter(catalog, 0, 3);
      const { epoch } = await catalog.log();
      const pages = await pagesOf(
        (start) => catalog.albums({ visibility: "all", orderBy: "name", limit: 1, ...start }),
        async () => {
          await createAlbum(catalog, crypto.randomUUID());
        },
      );
      expect(pages.length).toBeGreaterThan(2);
      for (const page of pages) expect(page.watermark).toEqual({ epoch, seq: 3 });
      await loggedState(catalog);
      expect((await catalog.images({ visibility: "all", orderBy: "name", limit: 1 })).watermark.seq).toBeGreaterThan(3);
    });

    test("have rows and watermark of one snapshot: later events complete the rows", async () => {
      const writes = Array.from({ length: 200 }, (_, index) => createAlbum(catalog, `a${index}`));
      const listings: { ids: ReadonlySet<string>; seq: number }[] = [];
      while (Bun.peek.status(writes.at(-1) as Promise<Album>) === "pending") {
        const { items, watermark } = await catalog.albums({ visibility: "all", orderBy: "name", limit: 1000 });
        listings.push({ ids: new Set(items.map(({ id }) => id)), seq: watermark.seq });
        await Bun.sleep(0);
      }
      await Promise.all(writes);
      const events = await eventsAfter(catalog, 0, 200);
      // A listing may know more than its watermark says, never less.
      for (const { ids, seq } of listings)
        expect(events.filter((event) => event.seq <= seq && !ids.has(event.albumId))).toEqual([]);
    });

    for (const orderBy of IMAGE_ORDERS)
      test(`by ${orderBy} show each unchanged item exactly once during concurrent writes`, async () => {
        const names = fc.string({ minLength: 1, maxLength: 2, unit: fc.constantFrom("a", "b", "é", "😀") });
        const disturbance = fc.record({
          kind: fc.constantFrom("create", "delete", "update", "rename", "describe"),
          name: names,
          other: names,
        });
        await fc.assert(
          fc.asyncProperty(
            fc.uniqueArray(names, { minLength: 1, maxLength: 15 }),
            fc.array(fc.array(disturbance, { maxLength: 3 }), { maxLength: 8 }),
            fc.integer({ min: 1, max: 4 }),
            async (present, disturbances, limit) => {
              const album = await createAlbum(catalog, crypto.randomUUID());
              const created = await put(
                catalog,
                album,
                present.map((name) => imageNamed(name)),
              );
              await describeSome();
              const steady = new Set(created.map(({ image }) => image.id));

              const disturb = async () => {
                for (const { kind, name, other } of disturbances.shift() ?? []) {
                  const id = (await catalog.image(album.name, name, "all"))?.image.id ?? "";
                  const target = { albumId: album.id, name };
                  try {
                    if (kind === "create") await createImage(catalog, album, name);
                    if (kind === "delete") await catalog.write({ type: "deleteImage", ...target });
                    if (kind === "update")
                      await catalog.write({ type: "updateImage", ...target, patch: { title: crypto.randomUUID() } });
                    if (kind === "rename")
                      await catalog.write({ type: "updateImage", ...target, patch: { name: other } });
                    if (kind === "describe") await describeSome();
                  } catch {
                    continue;
                  }
                  const moves = {
                    create: false,
                    delete: true,
                    update: orderBy.endsWith("updatedAt"),
                    rename: !orderBy.endsWith("createdAt"),
                    describe: false,
                  };
                  if (moves[kind]) steady.delete(id);
                  // It gives several an order key.
                  if (kind === "describe" && orderBy.endsWith("takenAt")) steady.clear();
                }
              };
              const pages = await pagesOf(
                (start) => catalog.images({ visibility: "all", albumId: album.id, orderBy, limit, ...start }),
                disturb,
              );
              const seen = pages.flatMap((page) => page.items.map(({ id }) => id));
              for (const id of steady) expect(seen.filter((each) => each === id)).toHaveLength(1);
            },
          ),
          { numRuns: 40 },
        );
      });
  });
}
