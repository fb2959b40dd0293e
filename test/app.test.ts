import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createApp } from "../src/app.ts";
import { parseConfig } from "../src/config.ts";
import { newFolder, removeFolder } from "./temporary-folder.ts";

test("catalog and blobs may share a folder, which one server may use", async () => {
  const folder = await newFolder("app");
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
    await removeFolder(folder);
  }
});

test("a second server is refused on a data folder, even when catalog and blobs are elsewhere", async () => {
  const folder = await newFolder("app");
  const configOf = (node: string, data: string) =>
    parseConfig({
      env: {
        IMAGE_STORE_PORT: "0",
        IMAGE_STORE_DATA: join(folder, data),
        IMAGE_STORE_CATALOG_URL: `sqlite:${folder}/${node}/catalog.sqlite`,
        IMAGE_STORE_BLOBS_URL: `file:${folder}/${node}/blobs`,
        IMAGE_STORE_MIN_FREE: "0",
      },
      readFile: () => "",
    });
  try {
    {
      await using apps = new AsyncDisposableStack();
      apps.use(await createApp(configOf("one", "shared")));
      expect(await createApp(configOf("two", "shared")).catch(String)).toContain("Another server uses this folder");
      apps.use(await createApp(configOf("two", "its own")));
    }
    await using _ = await createApp(configOf("two", "shared"));
  } finally {
    await removeFolder(folder);
  }
});
