import { expect, test } from "bun:test";
import { ALBUM_ORDERS, IMAGE_ORDERS } from "../../../../src/domain/page.ts";
import type { Visibility } from "../../../../src/domain/visibility.ts";
import type { Catalog } from "../../../../src/ports.ts";
import { createAlbum, createImage, describing, imageNamed, replaceWith } from "../../../catalog-changes.ts";
import { until } from "../../../waiting.ts";
import { useCatalogFolder } from "../open-sqlite.ts";

const { open } = useCatalogFolder();

const NONE = { ids: [], names: [], public: false } as const;

/** All that the catalog remembers, as callers with different rights ask for it. */
async function readAll(
  catalog: Catalog,
  ids: { readonly albums: readonly string[]; readonly images: readonly string[] },
) {
  const visibilities: Visibility[] = ["all", NONE, { ...NONE, public: true }, { ...NONE, names: ["a*"] }];
  visibilities.push(...ids.albums.map((id) => ({ ...NONE, ids: [id] })));
  const reads = visibilities.flatMap((visibility) => [
    ...ALBUM_ORDERS.map((orderBy) => catalog.albums({ orderBy, limit: 100, visibility })),
    ...IMAGE_ORDERS.map((orderBy) => catalog.images({ orderBy, limit: 100, visibility })),
    ...ids.albums.map((albumId) => catalog.images({ orderBy: "name", limit: 1, visibility, albumId })),
    ...ids.images.flatMap((id) => [catalog.imageById(id, visibility), catalog.contentById(id, visibility)]),
    ...["a", "aa", "b", "c"].flatMap((album) => [
      catalog.album(album, visibility),
      ...["i", "j"].flatMap((name) => [
        catalog.image(album, name, visibility),
        catalog.content(album, name, visibility),
      ]),
    ]),
  ]);
  return Promise.all(reads);
}

test("what is remembered is what a catalog reads that remembers nothing, for each caller and after each change", async () => {
  await using catalog = await open({ writer: "thread" });
  await using beside = await open({ exclusive: false });
  const a = await createAlbum(catalog, "a");
  const b = await createAlbum(catalog, "b");
  const blobbed = imageNamed("i");
  const first = await replaceWith(catalog, a, blobbed);
  const { id } = first.image;
  const ids = { albums: [a.id, b.id], images: [id] };
  const update = (albumId: string, patch: { readonly name?: string; readonly visibility?: "public" | "private" }) =>
    catalog.write({ type: "updateAlbum", albumId, patch });
  const changes: readonly (() => Promise<unknown>)[] = [
    () => createImage(catalog, b, "i"),
    () => update(a.id, { visibility: "public" }),
    () => update(a.id, { name: "c" }),
    () => catalog.write({ type: "updateImage", albumId: a.id, name: "i", patch: { title: "t" } }),
    () => catalog.write(describing(id, blobbed.blob.key)),
    () => catalog.write({ type: "updateImage", albumId: a.id, name: "i", patch: { name: "j" } }),
    () => replaceWith(catalog, a, imageNamed("j", { blob: imageNamed("other").blob })),
    () => update(a.id, { visibility: "private" }),
    () => update(a.id, { name: "aa" }),
    () => catalog.write({ type: "deleteImage", albumId: a.id, name: "j" }),
    () => catalog.write({ type: "deleteAlbum", albumId: b.id, recursive: true }),
  ];
  let before = await readAll(catalog, ids);
  for (const change of changes) {
    // Also while it is being made, when both the old and the new are right.
    const making = change();
    await readAll(catalog, ids);
    await making;
    const remembered = await readAll(catalog, ids);
    expect(remembered).toEqual(await readAll(beside, ids));
    expect(remembered).not.toEqual(before);
    before = remembered;
  }
});

test("a record and a page are the same objects until the next write, and a longer page is not remembered", async () => {
  await using catalog = await open();
  const album = await createAlbum(catalog, "a");
  await createImage(catalog, album, "i");
  const read = () =>
    Promise.all([catalog.image("a", "i", "all"), catalog.images({ orderBy: "name", limit: 100, visibility: "all" })]);
  const longer = () => catalog.images({ orderBy: "name", limit: 101, visibility: "all" });
  let [image, page] = await read();
  // Unless the second in which they are remembered ends between the two reads.
  await until(async () => {
    const before = [image, page];
    [image, page] = await read();
    return before[0] === image && before[1] === page;
  });
  expect(await longer()).not.toBe(await longer());
  await createAlbum(catalog, "b");
  const later = await read();
  expect(later[0] !== image && later[1] !== page).toBe(true);
});

test("what another process corrects is read within a second or so, without a write of this one", async () => {
  await using catalog = await open();
  const album = await createAlbum(catalog, "a");
  const damaged = imageNamed("i");
  await replaceWith(catalog, album, damaged);
  const { location: from = "" } = (await catalog.content("a", "i", "all")) ?? {};
  await using beside = await open({ exclusive: false });
  const { key } = damaged.blob;
  expect(await beside.write({ type: "moveBlobs", moves: [{ key, from, to: "file:healed" }] })).toEqual({
    moved: [key],
  });
  await until(async () => (await catalog.content("a", "i", "all"))?.location === "file:healed");
});
