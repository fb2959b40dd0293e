import { describe, expect, test } from "bun:test";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { begin } from "../../../src/adapters/catalog/migrations/sqlite-0001-begin.ts";
import type { Album } from "../../../src/domain/album.ts";
import type { LogState } from "../../../src/domain/event.ts";
import type { Image } from "../../../src/domain/image.ts";
import { failTest } from "../../adapters/catalog/open-sqlite.ts";
import { jsonOf, type TestStore } from "../../http/harness.ts";
import { codeOf, newAlbum, newImage, newPng, sha256 } from "../../http/image-fixtures.ts";
import { openDatabaseFile } from "../../open-database-file.ts";
import { FINE, runCli } from "../run-cli.ts";
import { LOG_STATE, rowsOf, useBackedUpStore } from "./backed-up-store.ts";

const { store, backup, restored, runBackup, runRestore, startRestored, alter, manifest } = useBackedUpStore();

/** Every album, image and byte, as clients see them. */
async function contentsOf(of: TestStore) {
  const albums = await listAll<Album>(of, "/v1/albums");
  const images = await listAll<Image>(of, "/v1/images");
  const bytes = await Promise.all(
    images.map(async ({ links }) => sha256(await (await of.fetch(links.content)).bytes())),
  );
  return { albums, images, bytes };
}

const listAll = async <Item>(of: TestStore, path: string): Promise<readonly Item[]> =>
  (await jsonOf<{ items: Item[] }>(await of.fetch(`${path}?pageSize=1000`))).items;

const eventIds = async (of: TestStore) =>
  (await jsonOf<{ items: { id: string }[] }>(await of.fetch("/v1/events?limit=1000"))).items.map(({ id }) => id);

const createByKey = () => ({
  method: "POST",
  headers: { "Content-Type": "application/json", "Idempotency-Key": "once" },
  body: JSON.stringify({ name: "by key" }),
});

describe("a restored backup", () => {
  test("has the albums, images, bytes, tags, names, events and idempotent answers, and passes check", async () => {
    const album = await newAlbum(store(), "Straße \u2603 'quoted\" % ?#&");
    const images = [
      await newImage(store(), album, "a b\u200d🏔.png"),
      await newImage(store(), album, "large", newPng(3_000_000)),
    ];
    await newImage(store(), album, "gone");
    await store().fetch(`${album}/images/gone`, { method: "DELETE" });
    const twice = newPng();
    await newImage(store(), album, "one", twice);
    await newImage(store(), album, "two", twice);
    await newAlbum(store(), "empty");
    const patched = await store().fetch(`${album}/images/large`, {
      method: "PATCH",
      headers: { "Content-Type": "application/merge-patch+json" },
      body: JSON.stringify({ tags: ["sea", "Größe"], metadata: { by: "me" }, title: "t" }),
    });
    expect(patched.status).toBe(200);
    const answer = await jsonOf(await store().fetch("/v1/albums", createByKey()));
    const contents = await contentsOf(store());

    const { code, out, err } = await runBackup();
    expect({ code, err }).toEqual(FINE);
    expect(out).toMatch(/^2\.9 MiB backed up\. Images: 4, damaged: 0\. Blobs copied: 3, 2\.9 MiB; removed: 0\.\n$/);
    // What comes afterwards is in no backup.
    await newImage(store(), album, "late");

    expect(await runRestore()).toMatchObject({ ...FINE, out: expect.stringContaining("4 images, 2.9 MiB.") as string });
    const check = await runCli(["check"], restored());
    expect(check).toMatchObject({
      ...FINE,
      out: expect.stringContaining(
        "Images: 4, damaged: 0. Blobs without a record: 0, younger than the grace: 0.",
      ) as string,
    });
    await using again = await startRestored();
    expect(await contentsOf(again)).toEqual(contents);
    expect(await eventIds(again)).toEqual((await eventIds(store())).slice(0, -1));
    expect(await jsonOf(await again.fetch("/v1/albums", createByKey()))).toEqual(answer as object);
    const tagged = await jsonOf<{ items: Image[] }>(await again.fetch(`${album}/images?tag=sea`));
    expect(tagged.items.map(({ id }) => id)).toEqual([images[1]?.id as string]);
    expect((await newImage(again, album, "new")).name).toBe("new");
  });

  test("has a new log epoch: client cursors are unknown, durable cursors continue", async () => {
    await newAlbum(store());
    const { nextCursor } = await jsonOf<{ nextCursor: string }>(await store().fetch("/v1/events"));
    alter("insert into cursors (name, seq, updated_at) values ('topic', 1, 1), ('beyond', 99, 1)");
    await newAlbum(store());
    await runBackup();
    await runRestore();

    const catalog = join(restored(), "catalog.sqlite");
    const [{ epoch, ...rest } = failTest(new Error("no log"))] = rowsOf<LogState>(catalog, LOG_STATE);
    const [before] = rowsOf<LogState>(join(store().dataFolder, "catalog.sqlite"), LOG_STATE);
    expect(epoch).toBeGreaterThan(before?.epoch as number);
    expect(epoch).toBeGreaterThanOrEqual(Math.floor(Date.now() / 60_000) - 1);
    expect(rest).toEqual({ prunedThrough: 0, lastSequence: 2 } as typeof rest);
    expect(rowsOf<object>(catalog, "select name, seq from cursors order by name")).toEqual([
      { name: "beyond", seq: 2 },
      { name: "topic", seq: 1 },
    ]);
    expect(rowsOf(catalog, "select * from holds where until > 0")).toEqual([]);
    await using again = await startRestored();
    const refused = await again.fetch(`/v1/events?after=${nextCursor}`);
    expect([refused.status, await codeOf(refused)]).toEqual([410, "cursor_unknown"]);
    expect(await eventIds(again)).toEqual(await eventIds(store()));
  });

  test("has an epoch above the backup's even when the clock is behind", async () => {
    alter("update log_state set epoch = 90000000");
    await runBackup();
    await runRestore();
    expect(rowsOf<object>(join(restored(), "catalog.sqlite"), "select epoch from log_state")).toEqual([
      { epoch: 90000001 },
    ]);
  });

  test("has none of the blobs that were waiting for deletion", async () => {
    const album = await newAlbum(store(), "leaving");
    await newImage(store(), album, "i");
    await newImage(store(), await newAlbum(store(), "staying"), "j");
    // As a large album is between its deletion and the end of it.
    alter("update albums set state = 'deleting' where name = 'leaving'");
    expect((await runBackup()).out).toContain("Images: 1, damaged: 0. Blobs copied: 1,");
    expect(await runRestore()).toMatchObject(FINE);
    expect(await runCli(["check"], restored())).toMatchObject(FINE);
    await using again = await startRestored();
    const { images } = await contentsOf(again);
    expect(images.map(({ name }) => name)).toEqual(["j"]);
  });
});

test("restore migrates a backup of an older version", async () => {
  await runBackup();
  const { backup: about, ...rest } = await manifest();
  const path = join(backup(), (await readdir(backup())).find((name) => name.startsWith("catalog-")) as string);
  await rm(path);
  const old = openDatabaseFile(path, { create: true });
  begin(old);
  old.run("pragma user_version = 1");
  old.run(
    `insert into albums (id, name, metadata, revision, created_at, updated_at) values ('${Bun.randomUUIDv7()}', 'old', '{}', 1, 0, 0)`,
  );
  old.close();
  const digest = sha256(await Bun.file(path).bytes());
  await writeFile(
    join(backup(), "backup.json"),
    JSON.stringify({ ...rest, backup: { ...about, catalog: { ...about.catalog, sha256: digest } } }),
  );
  expect(await runRestore()).toMatchObject(FINE);
  await using again = await startRestored();
  expect((await contentsOf(again)).albums.map(({ name }) => name)).toEqual(["old"]);
});
