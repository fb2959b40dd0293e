import { expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";

test("catalog and bytes may share a folder, which one server has", async () => {
  const folder = await mkdtemp(join(tmpdir(), "image-store-app-"));
  const env = {
    IMAGE_STORE_PORT: "0",
    IMAGE_STORE_DATA: folder,
    IMAGE_STORE_BLOBS_URL: `file:${folder}/.`,
    IMAGE_STORE_MIN_FREE: "0",
  };
  const config = parseConfig({ env, readFile: () => "" });
  try {
    await using app = await createApp(config);
    expect((await fetch(`${app.url}/readyz`)).status).toBe(200);
    expect(await readdir(folder)).toEqual(expect.arrayContaining(["catalog.sqlite", "files", "lock.sqlite", "tmp"]));
    expect(await createApp(config).catch(String)).toContain("Another server uses this folder");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
