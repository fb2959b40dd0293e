import { describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { openSqliteCatalog } from "../../../../src/adapters/catalog/sqlite.ts";
import type { PutImage } from "../../../../src/domain/change.ts";
import type { Image } from "../../../../src/domain/image.ts";
import { StoreOpenError } from "../../../../src/domain/open-error.ts";
import type { Catalog } from "../../../../src/ports.ts";
import { createImage, namesOf } from "../../../catalog-changes.ts";
import { openDatabaseFile } from "../../../open-database-file.ts";
import { postgresIsMissing } from "../../../services/postgres-server.ts";
import { usePostgresCatalogs } from "../open-postgres.ts";
import { digestsOf } from "./frozen-migrations.ts";

// Catalogs are kept for ever: each version of one, as the program of its time wrote it, is in dumps/. Every
// one of them has the album "Ferien" with the images i1 and i2, of which i3 was deleted, and the empty album "empty".

/**
 * The migrations that have landed. One of them that changes makes catalogs of the same version that differ, so that this
 * list only grows: a new migration adds its digest here, and what its program writes to dumps/.
 */
const FROZEN = {
  sqlite: [
    "17a3907b87629ac7",
    "6d40fef7fe37d37c",
    "4ced4d29f3a1a6d0",
    "df3346592093cd0f",
    "612057a7178c4fc7",
    "b8df6b7110b4126c",
    "efbb0e4ab8b821ff",
  ],
  postgres: ["397ef4bb7e0bf798", "4fc8fc81aa85d9f3", "464a9437ca6ac1ab", "182694eeb36addaf", "6b0940c25c07060b"],
};

const fixture = (name: string): Promise<string> => readFile(join(import.meta.dir, "dumps", `${name}.sql`), "utf8");

describe("migrations", () => {
  test.each(["sqlite", "postgres"] as const)("the %s migrations have the digests with which they landed", (engine) => {
    expect(digestsOf[engine]()).toEqual(FROZEN[engine]);
  });

  test.each(["sqlite", "postgres"] as const)(
    "each %s migration has a dump of a catalog of its version",
    async (engine) => {
      for (const [index] of FROZEN[engine].entries())
        expect(await fixture(`${engine}-${index + 1}`)).toContain("Ferien");
    },
  );
});

/** An upload under an `Idempotency-Key`, answered before `sound` and `unsoundReason` got their present names. */
const ANSWERED_BEFORE = `insert into idempotency values ('scope', 'upload', 'f',
  '[{"created":true,"image":{"name":"x","title":"\\"sound\\":null,\\"unsoundReason\\":","metadata":{"sound":"true"},
    "exif":null,"sound":true,"unsoundReason":null,"revision":1}}]', 1795980216060);`.replace(/\n\s+/, "");

async function expectCurrentNames(catalog: Catalog): Promise<void> {
  for (const { type, data } of (await catalog.events({ visibility: "all", limit: 100 })).events) {
    expect(data).not.toContain("sound");
    const { described, decodable, decodeError } = JSON.parse(data) as Partial<Image>;
    // The first version knew nothing of descriptions.
    if (!type.startsWith("imagestore.image.") || described === undefined) continue;
    expect({ decodable, decodeError }).toEqual({ decodable: described ? true : null, decodeError: null });
  }
  const idempotency = { scope: "scope", key: "upload", fingerprint: "f" };
  const again = await catalog.write({ type: "putImages", mode: "create", albumId: null, images: [], idempotency });
  expect(again).toMatchObject({
    replayed: true,
    value: [{ image: { decodeError: null, metadata: { sound: "true" } } }],
  });
  const [{ image }] = again.value as [PutImage];
  expect(Object.keys(image)).toEqual(expect.not.arrayContaining(["sound", "unsoundReason"]));
  expect(image.title).toBe('"sound":null,"unsoundReason":');
}

/** Read as it was, then written to, and read again. */
async function expectWhole(catalog: Catalog): Promise<void> {
  expect(namesOf((await catalog.albums({ visibility: "all", orderBy: "name", limit: 9 })).items)).toEqual([
    "Ferien",
    "empty",
  ]);
  const album = await catalog.album("Ferien", "all");
  expect(album).toMatchObject({ title: "T", description: "D", metadata: { k: "v" }, imageCount: 2 });
  const { image, location } = (await catalog.image("Ferien", "i1", "all")) ?? {};
  expect(image).toMatchObject({ title: "Strand", tags: ["sea"], metadata: { a: "b" }, width: 1, height: 1 });
  expect(location).toMatch(/^(file|segment):/);
  const listed = await catalog.images({ visibility: "all", tag: "sea", orderBy: "-takenAt", limit: 9 });
  expect(namesOf(listed.items)).toEqual(["i1"]);
  const sha256 = image?.sha256 ?? "";
  expect(namesOf((await catalog.images({ visibility: "all", sha256, orderBy: "name", limit: 9 })).items)).toEqual([
    "i1",
    "i2",
  ]);
  const { events } = await catalog.events({ visibility: "all", limit: 100 });
  const types = events.map(({ type }) => type);
  expect(types.filter((type) => type === "imagestore.image.created")).toHaveLength(3);
  expect(types).toContain("imagestore.image.deleted");
  const blobs = await catalog.blobs({ limit: 9 });
  expect(blobs.map(({ state }) => state).toSorted()).toEqual(["condemned", "live", "live"]);

  if (album === undefined) throw new Error("It has no album.");
  await createImage(catalog, album, "new");
  await catalog.write({ type: "updateImage", albumId: album.id, name: "i2", patch: { tags: ["sea"] } });
  await catalog.write({ type: "deleteImage", albumId: album.id, name: "i1" });
  expect(
    namesOf((await catalog.images({ visibility: "all", albumId: album.id, orderBy: "name", limit: 9 })).items),
  ).toEqual(["i2", "new"]);
  expect(namesOf((await catalog.images({ visibility: "all", tag: "sea", orderBy: "name", limit: 9 })).items)).toEqual([
    "i2",
  ]);
  expect((await catalog.album("Ferien", "all"))?.imageCount).toBe(2);
  const { storeId } = catalog;
  expect(storeId).toMatch(/^[0-9a-f-]{36}$/);
}

const onFatal = (error: Error): never => {
  throw error;
};

async function openSqlite(name: string, use: (open: () => Promise<Catalog>) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "image-store-earlier-"));
  const path = join(folder, "catalog.sqlite");
  try {
    const db = openDatabaseFile(path, { create: true });
    db.run(await fixture(name));
    db.run(ANSWERED_BEFORE);
    db.close(true);
    await use(() => openSqliteCatalog({ path, exclusive: true, writer: "inline", onFatal }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe("SQLite catalog of an earlier version", () => {
  test.each(FROZEN.sqlite.map((_, index) => index + 1))(
    "a catalog of version %i opens, and can be read and written",
    (version) =>
      openSqlite(`sqlite-${version}`, async (open) => {
        await using catalog = await open();
        await expectCurrentNames(catalog);
        await expectWhole(catalog);
      }),
  );

  test("a catalog of a development version is refused with the reason", () =>
    openSqlite("sqlite-development", async (open) => {
      const failure: unknown = await open().catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(StoreOpenError);
      expect(failure).toMatchObject({ reason: "older_version", message: expect.stringContaining("before 0.1.0") });
    }));

  test("a database of another program is refused and not changed", async () => {
    const folder = await mkdtemp(join(tmpdir(), "image-store-earlier-"));
    const path = join(folder, "places.sqlite");
    try {
      for (const version of [0, 3]) {
        const db = openDatabaseFile(path, { create: true });
        db.run("create table if not exists bookmarks (id integer primary key, title text)");
        db.run(`pragma user_version = ${version}`);
        db.close(true);
        const failure: unknown = await openSqliteCatalog({ path, exclusive: true, writer: "inline", onFatal }).catch(
          (error: unknown) => error,
        );
        expect(failure).toMatchObject({ reason: "foreign_schema", message: expect.stringContaining(path) });
        using after = openDatabaseFile(path, { readonly: true });
        expect(after.query("select name from sqlite_master").all()).toEqual([{ name: "bookmarks" }]);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

if (!postgresIsMissing()) {
  const { createDatabase, open } = usePostgresCatalogs();

  describe("PostgreSQL catalog of an earlier version", () => {
    test.each(FROZEN.postgres.map((_, index) => index + 1))(
      "a catalog of version %i opens, and can be read and written",
      async (version) => {
        const url = await createDatabase();
        const client = new Client({ connectionString: url });
        await client.connect();
        await client.query(await fixture(`postgres-${version}`));
        await client.query(ANSWERED_BEFORE.replace("into ", "into public."));
        await client.end();
        const catalog = await open(url);
        await expectCurrentNames(catalog);
        await expectWhole(catalog);
      },
    );
  });
}
