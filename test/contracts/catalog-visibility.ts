import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Album, EMPTY_ALBUM_FIELDS } from "../../src/domain/album.ts";
import type { Change } from "../../src/domain/change.ts";
import type { ErrorCode } from "../../src/domain/errors.ts";
import { STORE } from "../../src/domain/event.ts";
import { type Image, type ImageLayout, takenAtTime } from "../../src/domain/image.ts";
import { ALBUM_ORDERS, IMAGE_ORDERS, type Page, type PageQuery } from "../../src/domain/page.ts";
import { type AlbumSet, includesAlbum, type Visibility } from "../../src/domain/visibility.ts";
import type { FoundImage, ImageRef } from "../../src/ports/access.ts";
import type { EventQuery } from "../../src/ports.ts";
import {
  createAlbum,
  createImage,
  dataOf,
  describeImage,
  eventsAfter,
  imageNamed,
  loggedState,
  type OpenCatalog,
  type OpenedCatalog,
  replaceWith,
} from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";

const NAMES = ["u-1-a", "u-1-b", "u-10", "u-1%", "u-2", "Shared", "shared", "ü", "u\u{1f600}x", "u\u{1f600}y"];
const PUBLIC = new Set(["u-1-b", "u-2", "Shared"]);
const some = (...names: string[]): AlbumSet => ({ ids: [], names, public: false });
const NONE: AlbumSet = { ids: [], names: [], public: false };

/** All pages of a listing, each of which must be full but for the last. */
async function itemsOf<Query extends PageQuery, Item>(
  read: (query: Query) => Promise<Page<Item>>,
  query: Query,
): Promise<Item[]> {
  const items: Item[] = [];
  for (let start = query.start; ; ) {
    const page = await read({ ...query, ...(start && { start }) });
    items.push(...page.items);
    if (page.next === undefined) return items;
    expect(page.items).toHaveLength(query.limit);
    start = page.next;
  }
}

async function eventsOf(catalog: OpenedCatalog, query: Omit<EventQuery, "after">) {
  const events = [];
  for (let after: EventQuery["after"]; ; ) {
    const batch = await catalog.events({ ...query, after });
    expect(batch.events.length).toBeLessThanOrEqual(query.limit);
    events.push(...batch.events);
    if (batch.atEnd) return events;
    after = batch.next;
  }
}

const layoutOf = ({ id, sha256, width, height, placeholder, exif, createdAt }: Image): ImageLayout => ({
  id,
  sha256,
  width,
  height,
  placeholder,
  takenAt: takenAtTime(exif),
  createdAt: Date.parse(createdAt),
});

export function visibilityContract(open: OpenCatalog): void {
  let catalog: OpenedCatalog;
  let albums: Album[];
  beforeEach(async () => {
    catalog = await open();
    albums = [];
    for (const name of NAMES) {
      const visibility = PUBLIC.has(name) ? "public" : "private";
      const album = await createAlbum(catalog, name, { fields: { ...EMPTY_ALBUM_FIELDS, visibility } });
      albums.push(album);
      for (const image of ["one", "two"]) await createImage(catalog, album, `${name} ${image}`);
    }
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  const idOf = (name: string): string => albums.find((album) => album.name === name)?.id ?? "";
  const visibilities = (): [string, Visibility][] => [
    ["all", "all"],
    ["none", NONE],
    ["ids", { ids: [idOf("u-2"), idOf("ü"), "no such album"], names: [], public: false }],
    ["names", { ids: [], names: ["Shared", "u-1%"], public: false }],
    ["prefixes", { ids: [], names: ["u-1-*", "u\u{1f600}*"], public: false }],
    ["every name", { ids: [], names: ["*"], public: false }],
    ["public ones", { ids: [], names: [], public: true }],
    ["public ones and those by ids and names", { ids: [idOf("u-10")], names: ["u-1-*"], public: true }],
    ["ids and names that meet", { ids: [idOf("u-1-a"), idOf("u-2")], names: ["u-1-*", "u-1-a"], public: false }],
  ];
  const sees = (visibility: Visibility) => albums.filter((album) => includesAlbum(visibility, album));

  test("one record is there for those who see its album, and for no other", async () => {
    for (const [name, visibility] of visibilities())
      for (const album of albums) {
        const { items } = await catalog.images({ visibility: "all", orderBy: "name", limit: 1, albumId: album.id });
        const image = items[0];
        if (image === undefined) throw new Error("The album is empty.");
        const found = [
          await catalog.album(album.name, visibility),
          await catalog.image(album.name, image.name, visibility),
          await catalog.imageById(image.id, visibility),
          await catalog.content(album.name, image.name, visibility),
          await catalog.contentById(image.id, visibility),
        ].map((record) => record !== undefined);
        const isSeen = includesAlbum(visibility, album);
        expect({ name, album: album.name, found }).toEqual({ name, album: album.name, found: Array(5).fill(isSeen) });
      }
  });

  test("many references at once find the same as one after the other", async () => {
    const { items } = await catalog.images({ visibility: "all", orderBy: "name", limit: 99 });
    const refs: ImageRef[] = [
      ...items.flatMap(({ id, album, name }) => [{ id }, { album, name }]),
      { id: "no such image" },
      { album: "no such album", name: "x" },
      { album: "u-2", name: "no such image" },
      { album: "u-2", name: items[0]?.name ?? "" },
    ];
    for (const [name, visibility] of visibilities()) {
      const one = async (ref: ImageRef): Promise<FoundImage> => {
        const stored = await ("id" in ref
          ? catalog.imageById(ref.id, visibility)
          : catalog.image(ref.album, ref.name, visibility));
        const albumName = "id" in ref ? (stored?.image.album ?? "") : ref.album;
        const album = await catalog.album(albumName, visibility);
        if (album === undefined) return {};
        const found = { album: { id: album.id, name: album.name, visibility: album.visibility } };
        return stored === undefined ? found : { ...found, image: stored.image };
      };
      for (const count of [1, 9, refs.length]) {
        const last = refs.slice(-count);
        const expected = await Promise.all(last.map(one));
        expect({ name, found: await catalog.imagesByRefs(last, visibility) }).toEqual({ name, found: expected });
      }
    }
    const many = Array.from({ length: 2300 }, (_, index) => refs[index % refs.length] as ImageRef);
    const found = await catalog.imagesByRefs(many, "all");
    expect(found.filter(({ image }) => image !== undefined).length).toBeGreaterThan(2000);
    expect(found.slice(refs.length, 2 * refs.length)).toEqual(found.slice(0, refs.length));
    expect(await catalog.imagesByRefs([], "all")).toEqual([]);
  });

  test("what one caller got is not given to another who sees less, in whatever order they come", async () => {
    const [album] = albums;
    const [image] = (await catalog.images({ visibility: "all", orderBy: "name", limit: 1, albumId: album?.id ?? "" }))
      .items;
    if (album === undefined || image === undefined) throw new Error("There is nothing.");
    const look = async (visibility: Visibility) => [
      (await catalog.album(album.name, visibility))?.id,
      (await catalog.content(album.name, image.name, visibility))?.image.id,
      (await catalog.contentById(image.id, visibility))?.image.id,
    ];
    const seen = [album.id, image.id, image.id];
    const unseen = [undefined, undefined, undefined];
    for (const [visibility, expected] of [
      [NONE, unseen],
      ["all", seen],
      [NONE, unseen],
      [{ ids: [], names: ["u-1-*"], public: false }, seen],
      [{ ids: [], names: ["u-2*"], public: false }, unseen],
      [{ ids: [album.id], names: [], public: false }, seen],
    ] as const)
      expect(await look(visibility)).toEqual([...expected]);
  });

  test("listings of albums have the visible ones, in full pages", async () => {
    for (const [name, visibility] of visibilities())
      for (const orderBy of ALBUM_ORDERS)
        for (const q of [undefined, "u-1"]) {
          const all = await catalog.albums({ visibility: "all", orderBy, limit: 100, ...(q && { q }) });
          const expected = all.items.filter((album) => includesAlbum(visibility, album));
          const query = { visibility, orderBy, limit: 2, ...(q && { q }) };
          const items = await itemsOf((part: typeof query) => catalog.albums(part), query);
          expect({ name, orderBy, q, items }).toEqual({ name, orderBy, q, items: expected });
        }
  });

  test("listings of images have those of visible albums, in full pages", async () => {
    for (const [name, visibility] of visibilities())
      for (const orderBy of IMAGE_ORDERS)
        for (const filter of [{}, { q: "u" }, { contentType: "image/jpeg" }, { createdAfter: 1 }]) {
          const all = await catalog.images({ visibility: "all", orderBy, limit: 100, ...filter });
          const seen = new Set(sees(visibility).map(({ id }) => id));
          const expected = all.items.filter((image) => seen.has(image.albumId));
          const query = { visibility, orderBy, limit: 3, ...filter };
          const items = await itemsOf((part: typeof query) => catalog.images(part), query);
          expect({ name, orderBy, filter, items }).toEqual({ name, orderBy, filter, items: expected });
          const layout = await itemsOf((part: typeof query) => catalog.imageLayout(part), query);
          expect(layout).toEqual(expected.map(layoutOf));
        }
  });

  test("bytes are known to those who see an image that has them", async () => {
    const { items } = await catalog.images({ visibility: "all", orderBy: "name", limit: 100 });
    const sha256 = [...new Set(items.map((image) => image.sha256)), "0".repeat(64)];
    for (const [name, visibility] of visibilities())
      for (const albumId of [undefined, idOf("u-2")]) {
        const has = items.filter(
          (image) =>
            sees(visibility).some(({ id }) => id === image.albumId) &&
            (albumId === undefined || image.albumId === albumId),
        );
        const known = await catalog.knownImages({ visibility, sha256, albumId });
        const digests = known.map((image) => image.sha256).toSorted();
        const expected = [...new Set(has.map((image) => image.sha256))].toSorted();
        expect({ name, albumId, digests }).toEqual({ name, albumId, digests: expected });
        for (const { id, name: called, album, albumId: of, sha256: digest } of known)
          expect(has.find((image) => image.id === id)).toMatchObject({
            name: called,
            album,
            albumId: of,
            sha256: digest,
          });
      }
    expect(await catalog.knownImages({ visibility: "all", sha256: [] })).toEqual([]);
  });

  test("an album that is not visible has no images to list, one that is has all", async () => {
    const seen = { ids: [], names: ["u-1-a"], public: false };
    const list = async (name: string) =>
      (await catalog.images({ visibility: seen, orderBy: "name", limit: 9, albumId: idOf(name) })).items.length;
    expect([await list("u-1-a"), await list("u-1-b")]).toEqual([2, 0]);
  });

  test("a renamed album is seen under its new name, and no longer under the old", async () => {
    await catalog.write({ type: "updateAlbum", albumId: idOf("u-2"), patch: { name: "u-3" } });
    const sight = async (pattern: string) => {
      const visibility = { ids: [], names: [pattern], public: false };
      const names = (await catalog.albums({ visibility, orderBy: "name", limit: 9 })).items.map((album) => album.name);
      const images = await catalog.images({ visibility, orderBy: "name", limit: 9 });
      return [names, images.items.length, (await catalog.album("u-3", visibility)) !== undefined];
    };
    expect(await sight("u-2*")).toEqual([[], 0, false]);
    expect(await sight("u-3*")).toEqual([["u-3"], 2, true]);
  });

  const listings = async (of: Visibility) => {
    const albumsBy = ALBUM_ORDERS.map((orderBy) => catalog.albums({ visibility: of, orderBy, limit: 100 }));
    const imagesBy = IMAGE_ORDERS.map((orderBy) => catalog.images({ visibility: of, orderBy, limit: 100 }));
    return {
      albums: (await Promise.all(albumsBy)).map(({ items }) => items),
      images: (await Promise.all(imagesBy)).map(({ items }) => items),
    };
  };

  test("a listing that was read before has each change at once", async () => {
    const visibility = { ids: [idOf("u-10")], names: ["u-1-*", "u-2", "u-5*"], public: true };
    const expectCurrent = async (after: string) => {
      const all = await listings("all");
      const seen = new Set(
        (all.albums[0] ?? []).filter((album) => includesAlbum(visibility, album)).map(({ id }) => id),
      );
      const found = await listings(visibility);
      const passing = ({ albums: byAlbums, images: byImages }: typeof all, passes: (id: string) => boolean) => [
        ...byAlbums.map((items) => items.filter(({ id }) => passes(id))),
        ...byImages.map((items) => items.filter(({ albumId }) => passes(albumId))),
      ];
      expect({ after, records: passing(found, () => true) }).toEqual({
        after,
        records: passing(all, (id) => seen.has(id)),
      });
    };
    const fields = { ...EMPTY_ALBUM_FIELDS, visibility: "private" } as const;
    const patched = (name: string, patch: object) =>
      ({ type: "updateAlbum", albumId: idOf(name), patch }) as unknown as Change;
    const changes: readonly Change[] = [
      patched("u-1-a", { title: "t" }),
      patched("ü", { name: "u-5" }),
      patched("u-1-b", { name: "hidden", visibility: "private" }),
      patched("shared", { visibility: "public" }),
      patched("Shared", { visibility: "private" }),
      patched("u-1-a", { name: "u-1-c" }),
      patched("u-1%", { title: "of no album that is seen" }),
      { type: "createAlbum", id: "new", name: "u-5-new", fields },
      { type: "putImages", albumId: "new", mode: "create", images: [imageNamed("0 first"), imageNamed("z last")] },
      { type: "deleteImage", albumId: idOf("u-2"), name: "u-2 one" },
      {
        type: "moveImage",
        albumId: idOf("u-1-a"),
        name: "u-1-a one",
        target: { albumId: idOf("u-1%") },
        ifExists: "fail",
      },
      { type: "moveImage", albumId: idOf("u-1%"), name: "u-1% two", target: { albumId: "new" }, ifExists: "fail" },
      { type: "deleteAlbum", albumId: idOf("u-10"), recursive: true, atOnce: 1 },
      { type: "deleteAlbumChunk", albumId: idOf("u-10"), limit: 1 },
      { type: "deleteAlbum", albumId: "new", recursive: true },
    ];
    for (const change of changes) {
      for (let times = 0; times < 3; times++) await expectCurrent("nothing");
      await catalog.write(change);
      for (let times = 0; times < 2; times++) await expectCurrent(JSON.stringify(change));
    }
    for (const { id } of (await catalog.images({ visibility, orderBy: "name", limit: 2 })).items) {
      for (let times = 0; times < 3; times++) await expectCurrent("nothing");
      const undescribed = await catalog.undescribedImages({ limit: 100, order: "newest" });
      const blobKey = undescribed.find(({ imageId }) => imageId === id)?.blobKey ?? "";
      await describeImage(catalog, id, blobKey, { takenAt: new Date(Date.parse("2001-01-01")).toISOString() });
      await expectCurrent(`the description of ${id}`);
    }
  });

  describe("the log", () => {
    test("has the events of albums that are visible though they are private, and their images, deletions among them", async () => {
      const { lastSequence: head } = await loggedState(catalog);
      const gone = albums[0] as Album;
      await replaceWith(catalog, albums[4] as Album, imageNamed("u-2 one"));
      await catalog.write({ type: "deleteAlbum", albumId: gone.id, recursive: true });
      await eventsAfter(catalog, head, 3);
      const all = await eventsOf(catalog, { visibility: "all", limit: 100 });
      for (const [name, visibility] of visibilities()) {
        const follows = visibility === "all" ? visibility : { ...visibility, public: false };
        const ids = new Set(sees(follows).map(({ id }) => id));
        const types = ["imagestore.image.created", "imagestore.album.deleted"] as const;
        for (const filter of [{}, { types }, { albumId: gone.id }, { types, albumId: gone.id }])
          for (const limit of [1, 4, 100]) {
            const passes = all.filter(
              (event) =>
                ids.has(event.albumId) &&
                (!("types" in filter) || (filter.types as readonly string[]).includes(event.type)) &&
                (!("albumId" in filter) || event.albumId === filter.albumId),
            );
            const events = await eventsOf(catalog, { visibility, limit, ...filter });
            expect({ name, filter, limit, events }).toEqual({ name, filter, limit, events: passes });
          }
      }
    });

    test("has events of an album under the name that it had then, also after a rename", async () => {
      const { lastSequence: head } = await loggedState(catalog);
      await catalog.write({ type: "updateAlbum", albumId: idOf("u-2"), patch: { name: "u-3" } });
      await createImage(catalog, { ...(albums[4] as Album), name: "u-3" }, "later");
      await eventsAfter(catalog, head, 2);
      const typesOf = async (pattern: string) =>
        (await eventsOf(catalog, { visibility: { ids: [], names: [pattern], public: false }, limit: 100 })).map(
          ({ type }) => type.slice(11),
        );
      expect(await typesOf("u-2*")).toEqual(["album.created", "image.created", "image.created"]);
      expect(await typesOf("u-3*")).toEqual(["album.updated", "image.created"]);
    });
  });

  describe("a change", () => {
    const actor = { kind: "key", id: "k", name: "k" } as const;
    const by = (...names: string[]) => ({ actor, albums: some(...names), shared: some() });

    test("finds no album that the requester must not write to, by the name that it has by then", async () => {
      const albumId = idOf("u-2");
      const { items } = await catalog.images({ visibility: "all", orderBy: "name", limit: 1, albumId });
      const imageId = items[0]?.id ?? "";
      const { lastSequence: head } = await loggedState(catalog);
      const changes: [Change, ErrorCode][] = [
        [{ type: "updateAlbum", albumId, patch: { title: "t" } }, "album_not_found"],
        [{ type: "putAlbum", id: "p", name: "u-2", fields: EMPTY_ALBUM_FIELDS }, "album_not_found"],
        [{ type: "putAlbum", id: "p", name: "u-4", fields: EMPTY_ALBUM_FIELDS }, "album_not_found"],
        [{ type: "deleteAlbum", albumId, recursive: true }, "album_not_found"],
        [{ type: "putImages", albumId, mode: "put", images: [imageNamed("new")] }, "album_not_found"],
        [{ type: "updateImage", albumId, name: "u-2 one", patch: { title: "t" } }, "album_not_found"],
        [{ type: "deleteImage", albumId, name: "u-2 one" }, "album_not_found"],
        [{ type: "forgetDescription", imageId }, "image_not_found"],
      ];
      for (const [change, code] of changes)
        await expectCode(catalog.write({ ...change, by: by("u-1*") } as Change), code);
      await eventsAfter(catalog, head, 0);
      await catalog.write({ type: "updateAlbum", albumId, patch: { name: "u-3" } });
      for (const [change, code] of changes.filter(([{ type }]) => type !== "putAlbum"))
        await expectCode(catalog.write({ ...change, by: by("u-2") } as Change), code);
    });

    test("has an event that names the actor, or the store where there is none", async () => {
      const { lastSequence: head } = await loggedState(catalog);
      const album = await createAlbum(catalog, "u-9", { by: by("u-9*") });
      const asked = { albumId: album.id, by: by("u-9*") };
      const [put] = (await catalog.write({ type: "putImages", mode: "create", images: [imageNamed("i")], ...asked }))
        .value;
      await catalog.write({ type: "updateImage", name: "i", patch: { title: "t" }, ...asked });
      const [undescribed] = await catalog.undescribedImages({ limit: 1, order: "newest" });
      await describeImage(catalog, put?.image.id ?? "", undescribed?.blobKey ?? "");
      await catalog.write({ type: "forgetDescription", imageId: put?.image.id ?? "", by: by("u-9*") });
      await catalog.write({ type: "updateAlbum", patch: { title: "t" }, ...asked });
      await catalog.write({ type: "putAlbum", id: "p", name: "u-9", fields: EMPTY_ALBUM_FIELDS, by: by("u-9*") });
      await catalog.write({ type: "deleteImage", name: "i", ...asked });
      await catalog.write({ type: "deleteAlbum", recursive: true, ...asked });
      const told = (await eventsAfter(catalog, head, 9)).map((event) => [event.type.slice(11), dataOf(event).actor]);
      expect(told).toEqual([
        ["album.created", actor],
        ["image.created", actor],
        ["image.updated", actor],
        ["image.updated", STORE],
        ["image.updated", actor],
        ["album.updated", actor],
        ["album.updated", actor],
        ["image.deleted", actor],
        ["album.deleted", actor],
      ]);
    });

    test("of a whole album names the actor in all of its events, also in those that are finished later", async () => {
      const { lastSequence: head } = await loggedState(catalog);
      await catalog.write({ type: "deleteAlbum", albumId: idOf("u-2"), recursive: true, by: by("u-2") });
      const later = idOf("u-10");
      const traceparent = "00-a-b-01";
      await catalog.write({
        type: "deleteAlbum",
        albumId: later,
        recursive: true,
        atOnce: 1,
        by: by("u-10"),
        traceparent,
      });
      await catalog.write({ type: "deleteAlbumChunk", albumId: later, limit: 10 });
      const events = await eventsAfter(catalog, head, 6);
      expect(events.map((event) => dataOf(event).actor)).toEqual([actor, actor, actor, actor, actor, actor]);
      expect(events.map((event) => event.traceparent)).toEqual([
        null,
        null,
        null,
        traceparent,
        traceparent,
        traceparent,
      ]);
    });
  });
}
