import { afterEach, describe, expect, test } from "bun:test";
import { begin } from "../../../../src/adapters/catalog/migrations/sqlite-0001-begin.ts";
import { openConnection } from "../../../../src/adapters/catalog/sqlite/connection.ts";
import { lockFolder } from "../../../../src/adapters/catalog/sqlite/lock.ts";
import { run } from "../../../../src/cli/run.ts";
import { ADDED_ALBUM_FIELDS, type Album } from "../../../../src/domain/album.ts";
import { StoreOpenError } from "../../../../src/domain/open-error.ts";
import {
  albumNamed,
  describeImage,
  digest,
  eventsAfter,
  imageNamed,
  namesOf,
  put,
  UNDESCRIBED,
} from "../../../catalog-changes.ts";
import { useCatalogFolder } from "../open-sqlite.ts";

const { at, open } = useCatalogFolder();

const ALBUM = "0192e4a0-7c1b-7d3e-9f00-4a5b6c7d8e9f";
const OTHER = "0192e4a0-7c1b-7d3e-9f00-4a5b6c7d8e90";
const SHA256 = digest("bytes");
const imageId = (number: number) => `0192e4a0-7c1b-7d3e-9f00-00000000000${number}`;

/** A catalog as version 1 left it: two albums, one with three images, and what had happened. */
function writeVersion1(): string {
  const db = openConnection(at.path, { readonly: false });
  try {
    begin(db);
    db.run("pragma user_version = 1");
    const album = `insert into albums (id, name, metadata, image_count, byte_count, revision, created_at, updated_at)
      values (?1, ?2, '{"k":"v"}', ?3, ?4, 4, 1000, 2000)`;
    db.run(album, [ALBUM, "Ferien", 3, 15]);
    db.run(album, [OTHER, "empty", 0, 0]);
    for (const number of [1, 2, 3]) {
      db.run(
        `insert into images (id, album_id, name, title, metadata, tags, content_type, size, sha256, width, height, frames,
           has_alpha, orientation, revision, created_at, updated_at)
         values (?1, ?2, ?3, 'T', '{}', '["sea"]', 'image/png', 5, ?4, 40, 30, 1, 1, 6, 7, 1500, 1600)`,
        [imageId(number), ALBUM, `i${number}`, SHA256],
      );
      db.run("insert into image_tags (tag, image_id) values ('sea', ?1)", [imageId(number)]);
      db.run("insert into blobs values (?1, ?2, 5, ?3, ?4, 'live', 1500)", [
        `key${number}`,
        `files/key${number}`,
        SHA256,
        imageId(number),
      ]);
      db.run(
        `insert into events (id, type, album_id, image_id, time, data)
         values (?1, 'imagestore.image.created', ?2, ?1, 1500, '{"as":"it was"}')`,
        [imageId(number), ALBUM],
      );
    }
    return (db.query("select store_id from store").get() as { store_id: string }).store_id;
  } finally {
    db.close(true);
  }
}

function versionOf(): number {
  using db = openConnection(at.path, { readonly: true });
  return (db.query("pragma user_version").get() as { user_version: number }).user_version;
}

const reasonOf = async (opening: Promise<unknown>): Promise<string | undefined> =>
  opening.then(
    () => undefined,
    (error: unknown) => {
      if (!(error instanceof StoreOpenError)) throw error;
      return error.reason;
    },
  );

const answerOf = (name: string) => ({ created: true, image: { id: imageId(1), name, tags: ["sea"] } });
const keyed = (key: string) => ({ idempotency: { scope: "scope", key, fingerprint: "fingerprint" } });

describe("SQLite catalog of version 1", () => {
  test("opens with all of its records, and its images are undescribed", async () => {
    const storeId = writeVersion1();
    await using catalog = await open();
    expect(catalog.storeId).toBe(storeId);
    expect(namesOf((await catalog.albums({ visibility: "all", orderBy: "name", limit: 9 })).items)).toEqual([
      "Ferien",
      "empty",
    ]);
    const { image, location } = (await catalog.image("Ferien", "i2", "all")) ?? {};
    expect(location).toBe("files/key2");
    expect(image).toEqual({
      id: imageId(2),
      name: "i2",
      album: "Ferien",
      albumId: ALBUM,
      title: "T",
      description: null,
      metadata: {},
      tags: ["sea"],
      focalPoint: null,
      contentType: "image/png",
      size: 5,
      sha256: SHA256,
      width: 40,
      height: 30,
      frames: 1,
      hasAlpha: true,
      orientation: 6,
      ...UNDESCRIBED,
      revision: 7,
      createdAt: "1970-01-01T00:00:01.500Z",
      updatedAt: "1970-01-01T00:00:01.600Z",
      links: { self: "/v1/albums/Ferien/images/i2", content: `/v1/images/${imageId(2)}/content/${SHA256}` },
    } as never);
    expect((await eventsAfter(catalog, 0, 3)).map(({ data }) => data)).toEqual(Array(3).fill('{"as":"it was"}'));
    expect(namesOf((await catalog.images({ visibility: "all", orderBy: "-takenAt", limit: 9 })).items)).toEqual([
      "i3",
      "i2",
      "i1",
    ]);

    expect(await catalog.undescribedImages({ limit: 9, order: "newest" })).toHaveLength(3);
    expect(await describeImage(catalog, imageId(2), "key2", { takenAt: "2020-01-01T00:00:00" })).toEqual({
      applied: true,
    });
    const patch = { focalPoint: { x: 0, y: 0.5 } };
    await catalog.write({ type: "updateImage", albumId: ALBUM, name: "i1", patch });
    expect(namesOf((await catalog.images({ visibility: "all", orderBy: "-takenAt", limit: 9 })).items)).toEqual([
      "i2",
      "i3",
      "i1",
    ]);
    expect((await catalog.imageById(imageId(1), "all"))?.image).toMatchObject({ ...patch, revision: 8 });
    await eventsAfter(catalog, 3, 2);
  });

  test("replays idempotent writes with the records' present fields", async () => {
    writeVersion1();
    const albumAnswer = { id: ALBUM, name: "Ferien", metadata: { image: null } };
    const insert = "insert into idempotency values ('scope', ?1, 'fingerprint', ?2, 1000)";
    using db = openConnection(at.path, { readonly: false });
    db.run(insert, ["upload", JSON.stringify([answerOf("one"), answerOf("two")])]);
    db.run(insert, ["album", JSON.stringify(albumAnswer)]);

    await using catalog = await open();
    const album = { id: ALBUM } as Album;
    const now = ({ created, image }: ReturnType<typeof answerOf>) => ({
      created,
      image: { ...image, ...UNDESCRIBED, focalPoint: null },
    });
    expect(await put(catalog, album, [imageNamed("one")], keyed("upload"))).toEqual([
      now(answerOf("one")),
      now(answerOf("two")),
    ] as never);
    expect((await catalog.write(albumNamed("Ferien", keyed("album")))).value).toEqual({
      ...albumAnswer,
      ...ADDED_ALBUM_FIELDS,
    } as never);
  });

  test("is migrated once", async () => {
    writeVersion1();
    await (await open())[Symbol.asyncDispose]();
    const version = versionOf();
    expect(version).toBeGreaterThan(1);
    await using again = await open();
    expect(versionOf()).toBe(version);
    expect(await again.undescribedImages({ limit: 9, order: "newest" })).toHaveLength(3);
  });
});

describe("SQLite catalog of version 1 beside a running server", () => {
  let server: Disposable | undefined;
  afterEach(() => server?.[Symbol.dispose]());

  test("is refused and not changed while that server runs", async () => {
    writeVersion1();
    server = lockFolder(at.folder);
    expect(await reasonOf(open({ exclusive: false }))).toBe("older_version");
    expect(versionOf()).toBe(1);

    server[Symbol.dispose]();
    await using beside = await open({ exclusive: false });
    expect(await beside.undescribedImages({ limit: 9, order: "newest" })).toHaveLength(3);
    // The lock was let go of.
    await using _ = await open();
  });

  test("makes the command line exit with 2 and say what to do", async () => {
    writeVersion1();
    server = lockFolder(at.folder);
    let told = "";
    const tell = (text: string) => {
      told += text;
    };
    const code = await run({
      argv: ["check", "--data", at.folder],
      env: {},
      isTerminal: false,
      out: tell,
      err: tell,
      readFile: () => "",
      onStop: () => () => {},
    });
    expect({ code, told }).toEqual({ code: 2, told: expect.stringContaining("Stop that server") });
    expect(versionOf()).toBe(1);
  });
});
