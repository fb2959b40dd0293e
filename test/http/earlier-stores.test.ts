import { describe, expect, test } from "bun:test";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Image } from "../../src/domain/image.ts";
import { openDatabaseFile } from "../open-database-file.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { formOf, newPng, postForm, postImage } from "./image-fixtures.ts";

// The harness checks every answer against openapi.json. The dumps have records only: the bytes of their images are gone.

interface Page<Item> {
  readonly items: readonly Item[];
}
interface LoggedEvent {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** With a data folder whose catalog is that of a dump of the migrations' tests. */
async function withEarlierStore(
  version: number,
  use: (serve: () => Promise<TestStore>, path: string) => Promise<void>,
): Promise<void> {
  const folder = await newFolder("earlier-store");
  try {
    const path = join(folder, "catalog.sqlite");
    const dump = join(import.meta.dir, `../adapters/catalog/migrations/dumps/sqlite-${version}.sql`);
    const db = openDatabaseFile(path, { create: true });
    db.run(await readFile(dump, "utf8"));
    // What is kept for an Idempotency-Key goes after a day.
    db.run("update idempotency set created_at = ?", [Date.now()]);
    const { store_id } = db.query("select store_id from store").get() as { store_id: string };
    db.close(true);
    // A store of that time wrote it beside the bytes.
    await mkdir(join(folder, "blobs"));
    await writeFile(join(folder, "blobs", "store-id"), store_id);
    await use(() => startStore({ DATA: folder, CATALOG_URL: "", BLOBS_URL: "", EVENTS_RETENTION: "forever" }), path);
  } finally {
    await removeFolder(folder);
  }
}

const read = async <Value>(store: TestStore, path: string): Promise<Value> => {
  const response = await store.fetch(path);
  expect([path, response.status]).toEqual([path, 200]);
  return jsonOf(response);
};

const names = ({ items }: Page<{ readonly name: string }>) => items.map(({ name }) => name);

describe.each([1, 2, 3, 4])("a store of SQLite version %i", (version) => {
  test("serves its events, albums, images and listings as openapi.json describes them", () =>
    withEarlierStore(version, async (serve) => {
      await using store = await serve();
      const { items } = await read<Page<LoggedEvent>>(store, "/v1/events?limit=1000");
      expect(items.map(({ type }) => type)).toContain("imagestore.image.deleted");
      expect(items.filter(({ data }) => data["actor"] !== undefined)).toEqual([]);

      expect(names(await read(store, "/v1/albums"))).toEqual(["Ferien", "empty"]);
      const album = await read(store, "/v1/albums/Ferien");
      expect(album).toMatchObject({ visibility: "private", imageCount: 2, byteCount: 140 });
      for (const query of ["", "?orderBy=-takenAt", "?tag=sea", "?contentType=image/png"])
        expect(names(await read(store, `/v1/albums/Ferien/images${query}`))).toContain("i1");
      const { id } = await read<Image>(store, "/v1/albums/Ferien/images/i1");
      expect(await read(store, `/v1/images/${id}`)).toMatchObject({ name: "i1", title: "Strand", focalPoint: null });
    }));

  test("repeats its response to POST /v1/albums under an Idempotency-Key with the fields of today", () =>
    withEarlierStore(version, async (serve) => {
      await using store = await serve();
      const body = { name: "Ferien", title: "T", description: "D", metadata: { k: "v" } };
      const response = await store.send("POST", "/v1/albums", body, { "Idempotency-Key": "album" });
      expect([response.status, response.headers.get("idempotent-replayed")]).toEqual([201, "true"]);
      expect(await jsonOf(response)).toMatchObject({ ...body, visibility: "private", imageCount: 0, byteCount: 0 });
    }));

  test("repeats its responses to uploads under an Idempotency-Key with the fields of today", () =>
    withEarlierStore(version, async (serve, path) => {
      const png = newPng();
      const upload = async (store: TestStore) => [
        await postImage(store, "/v1/albums/Ferien", "upload", png, { "Idempotency-Key": "upload" }),
        await postForm(store, "/v1/albums/Ferien", formOf({ form: png }), { "Idempotency-Key": "form" }),
      ];
      {
        await using store = await serve();
        for (const response of await upload(store)) expect(response.status).toBe(201);
      }
      keepEarlierAnswers(path);

      await using store = await serve();
      const [one, many] = await upload(store);
      for (const response of [one, many])
        expect([response?.status, response?.headers.get("idempotent-replayed")]).toEqual([201, "true"]);
      const undescribed = { described: false, placeholder: null, exif: null, decodable: null, decodeError: null };
      const image = { focalPoint: null, ...undescribed };
      expect(await one?.json()).toMatchObject({ ...image, name: "upload" });
      expect(await many?.json()).toMatchObject({ items: [{ ...image, name: "form" }] });
    }));
});

/** Puts the record of i1, as the store's version wrote it to its log, in place of the records that uploads are answered with. */
function keepEarlierAnswers(path: string): void {
  using db = openDatabaseFile(path);
  const created = db.query("select data from events where type = 'imagestore.image.created' order by seq").get();
  const { reason: _, ...image } = JSON.parse((created as { data: string }).data) as Record<string, unknown>;
  for (const name of ["upload", "form"]) {
    const answer = JSON.stringify([{ created: true, image: { ...image, name } }]);
    expect(db.run("update idempotency set answer = ? where key = ?", [answer, name]).changes).toBe(1);
  }
}
