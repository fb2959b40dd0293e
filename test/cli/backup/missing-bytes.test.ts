import { beforeEach, describe, expect, test } from "bun:test";
import { cp, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Image } from "../../../src/domain/image.ts";
import type { BlobRow } from "../../../src/ports.ts";
import { startStore } from "../../http/harness.ts";
import { newAlbum, newImage, newPng } from "../../http/image-fixtures.ts";
import { until } from "../../waiting.ts";
import { FINE, runCli } from "../run-cli.ts";
import { RESTORED_BLOBS, rowsOf, useBackedUpStore } from "./backed-up-store.ts";

const { home, store, backup, restored, runBackup, runRestore, blobFile } = useBackedUpStore();

describe("restore of a backup that lacks bytes", () => {
  let images: Image[];
  beforeEach(async () => {
    const album = await newAlbum(store(), "a");
    images = [];
    for (const name of ["missing", "cut", "altered", "fine"]) images.push(await newImage(store(), album, name));
    await runBackup();
    const [missing, cut, altered] = images as [Image, Image, Image];
    await cp(backup(), join(home(), "intact"), { recursive: true });
    await rm(blobFile(missing.sha256));
    await truncate(blobFile(cut.sha256), 3);
    await writeFile(blobFile(altered.sha256), new Uint8Array(altered.size));
  });

  test("names the missing blobs, creates no store, and continues once the backup is repaired", async () => {
    const { code, out, err } = await runRestore();
    expect(code).toBe(1);
    for (const [name, reason] of [
      ["missing", "ENOENT"],
      ["cut", "it has 3 bytes"],
      ["altered", "it has the digest"],
    ])
      expect(out).toMatch(new RegExp(`damaged: "a/${name}", SHA-256 [0-9a-f]{64}: ${reason}`));
    expect(err).toContain("The backup lacks the bytes of 3 images");

    expect((await runCli(["check"], restored())).err).toContain("There is no store");
    const serving = await runCli(["serve", "--port", "0"], restored());
    expect([serving.code, serving.err]).toEqual([2, expect.stringContaining("is being restored") as string]);
    const [there] = rowsOf<BlobRow>(join(restored(), "catalog.sqlite.restoring"), RESTORED_BLOBS);

    await cp(join(home(), "intact"), backup(), { recursive: true });
    expect(await runRestore()).toMatchObject(FINE);
    expect(rowsOf<BlobRow>(join(restored(), "catalog.sqlite"), RESTORED_BLOBS)).toContainEqual(there as BlobRow);
    expect(await runCli(["check"], restored())).toMatchObject(FINE);
  });

  test("continues also when catalog and blobs share a folder", async () => {
    const env = {
      IMAGE_STORE_DATA: restored(),
      IMAGE_STORE_BLOBS_URL: `file:${restored()}`,
      IMAGE_STORE_MIN_FREE: "0",
    };
    const restoreHere = () => runCli(["restore", backup()], restored(), { env });
    expect((await restoreHere()).code).toBe(1);
    await cp(join(home(), "intact"), backup(), { recursive: true });
    expect(await restoreHere()).toMatchObject(FINE);
    expect(await runCli(["check"], restored(), { env })).toMatchObject(FINE);
  });

  test("with --partial creates a store whose affected images are 503 until they are uploaded again", async () => {
    expect(await runRestore("--partial")).toMatchObject({
      code: 1,
      out: expect.stringContaining("4 images, 388 bytes, 3 of them damaged") as string,
    });
    expect((await runCli(["check"], restored())).out).toContain("Images: 4, damaged: 3. Blobs without a record: 0,");
    await using again = await startStore({ DATA: restored(), GRACE: "0s" });
    const statusOf = async (name: string) => (await again.fetch(`/v1/albums/a/images/${name}/content`)).status;
    expect(await Promise.all(images.map(({ name }) => statusOf(name)))).toEqual([503, 503, 503, 200]);
    await again.fetch("/v1/albums/a/images/cut/content", { method: "PUT", body: newPng() });
    expect(await statusOf("cut")).toBe(200);
    await again.fetch("/v1/albums/a?recursive=true", { method: "DELETE" });
    // Also what stood in for lost bytes goes as all others do.
    await until(() => rowsOf(join(restored(), "catalog.sqlite"), "select * from blobs").length === 0);
  });

  test("starts over when it was interrupted with another backup", async () => {
    await runRestore();
    await rm(backup(), { recursive: true });
    await newImage(store(), "/v1/albums/a", "more");
    await runBackup();
    await writeFile(join(restored(), "catalog.sqlite.restoring-journal"), "not of this file");
    expect(await runRestore()).toMatchObject(FINE);
    expect(await runCli(["check"], restored())).toMatchObject({
      ...FINE,
      out: expect.stringContaining("Images: 5, damaged: 0. Blobs without a record: 0,") as string,
    });
    expect((await readdir(restored())).sort()).toEqual(["blobs", "catalog.sqlite", "lock.sqlite"]);
  });
});
