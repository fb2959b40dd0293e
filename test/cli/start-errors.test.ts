import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { runCli } from "./run-cli.ts";

// What only the operator can mend is exit code 2, with the path that is wrong and the reason.

let folder: string;
beforeEach(async () => {
  folder = await newFolder("errors");
});
afterEach(() => removeFolder(folder));

const serve = (env: Readonly<Record<string, string>>) =>
  runCli(["serve", "--port", "0", "--log-level", "silent"], folder, {
    env: { IMAGE_STORE_DATA: join(folder, "data"), ...env },
    // A server that starts after all must not run for ever.
    onStop: (listener) => {
      const timer = setTimeout(listener, 60_000);
      return () => clearTimeout(timer);
    },
  });

const mount = (...args: readonly string[]) => Bun.spawnSync(["mount", ...args]).exitCode === 0;
const unmount = (path: string) => Bun.spawnSync(["umount", path]);

describe("a server exits with the path and the reason when", () => {
  test("its data folder lies inside a file", async () => {
    await writeFile(join(folder, "file"), "");
    const path = join(folder, "file", "data");
    expect(await serve({ IMAGE_STORE_DATA: path })).toEqual({
      code: 2,
      out: "",
      err: expect.stringMatching(new RegExp(`^image-store: ${path}/blobs: it is no folder \\(ENOTDIR`)),
    });
  });

  test("its catalog is a folder or not a database", async () => {
    const path = join(folder, "catalog.sqlite");
    await mkdir(path);
    const isFolder = await serve({ IMAGE_STORE_CATALOG_URL: `sqlite:${path}` });
    expect([isFolder.code, isFolder.err]).toEqual([2, expect.stringContaining(`${path}: no file can be made there`)]);
    await rm(path, { recursive: true });
    await writeFile(path, "not a database ".repeat(1000));
    const isText = await serve({ IMAGE_STORE_CATALOG_URL: `sqlite:${path}` });
    expect([isText.code, isText.err]).toEqual([2, expect.stringContaining(`${path}: it is no SQLite database`)]);
  });

  test("its blobs folder is a file", async () => {
    const path = join(folder, "blobs");
    await writeFile(path, "");
    const { code, err } = await serve({ IMAGE_STORE_BLOBS_URL: `file:${path}` });
    expect([code, err]).toEqual([2, expect.stringContaining(`${path}: it is no folder`)]);
  });

  test("a cache folder is a file", async () => {
    await mkdir(join(folder, "data"));
    await writeFile(join(folder, "data", "variants"), "");
    const { code, err } = await serve({});
    expect([code, err]).toEqual([2, expect.stringContaining(`${join(folder, "data", "variants")}: it is no folder`)]);
  });

  // Only root may mount one.
  test.skipIf(process.getuid?.() !== 0)(
    "the file system of the data, or of the blobs alone, is read-only",
    async () => {
      const path = join(folder, "mounted");
      await mkdir(path);
      expect(mount("-t", "tmpfs", "-o", "ro", "none", path)).toBe(true);
      try {
        for (const [env, at] of [
          [{ IMAGE_STORE_DATA: path }, path],
          [{ IMAGE_STORE_DATA: join(path, "data") }, join(path, "data")],
          [{ IMAGE_STORE_BLOBS_URL: `file:${path}` }, path],
        ] as const) {
          const { code, err } = await serve(env);
          expect([code, err]).toEqual([2, expect.stringContaining(at)]);
          expect(err).toMatch(/read-only|no file can be made|can't be written/);
        }
      } finally {
        unmount(path);
      }
    },
  );
});
