import { expect, test } from "bun:test";
import { join } from "node:path";
import { startStore } from "./http/harness.ts";
import { newPng } from "./http/image-fixtures.ts";
import type { LoadedPackages } from "./print-loaded-packages.ts";
import { freePort } from "./services/free-ports.ts";
import { newFolder, removeFolder } from "./temporary-folder.ts";

const MAIN = join(import.meta.dir, "..", "src", "main.ts");

test("the embedded default loads no client of PostgreSQL, S3, Kafka or an issuer of tokens", async () => {
  const folder = await newFolder("loaded");
  try {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "print-loaded-packages.ts")], {
      env: {
        PATH: process.env["PATH"],
        IMAGE_STORE_DATA: folder,
        IMAGE_STORE_PORT: String(await freePort()),
        IMAGE_STORE_MIN_FREE: "0",
        IMAGE_STORE_LOG_LEVEL: "error",
      },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    expect({ code: await child.exited, err }).toMatchObject({ code: 0 });
    const { ready, elsewhere } = JSON.parse(out) as LoadedPackages;
    expect(clients(ready)).toEqual([]);
    // What is looked for here would be found, by these names.
    expect(ready).toContain("hono");
    expect(clients(elsewhere)).toEqual(
      expect.arrayContaining(["@aws-sdk/client-s3", "@platformatic/kafka", "jose", "pg"]),
    );
  } finally {
    await removeFolder(folder);
  }
});

test("a command that talks to a store loads no package", async () => {
  const folder = await newFolder("loaded");
  try {
    await using store = await startStore();
    const photos = join(folder, "photos");
    await Bun.write(join(photos, "a.png"), newPng());
    const loadedBy = async (...argv: readonly string[]) => {
      const report = join(folder, "loaded.json");
      const child = Bun.spawn(
        [process.execPath, "--preload", join(import.meta.dir, "print-packages-at-exit.ts"), MAIN, ...argv],
        {
          env: { HOME: folder, LOADED_PACKAGES: report, IMAGE_STORE_URL: store.url, IMAGE_STORE_MIN_FREE: "0" },
          stdout: "pipe",
          stderr: "pipe",
        },
      );
      const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
      expect({ argv, code: await child.exited, out, err }).toMatchObject({ code: 0 });
      return (await Bun.file(report).json()) as string[];
    };
    for (const argv of [
      ["put", join(photos, "a.png"), "Summer"],
      ["ls", "Summer"],
      ["sync", photos, "Copy"],
      ["export", "Summer", join(folder, "received")],
      ["webhook", "list"],
    ])
      expect([argv, await loadedBy(...argv)]).toEqual([argv, []]);
    // What is looked for here would be found.
    expect(await loadedBy("openapi")).toContain("zod");
  } finally {
    await removeFolder(folder);
  }
});

const clients = (names: readonly string[]) =>
  names.filter((name) => /^(@aws|@aws-sdk|@smithy|@platformatic)\/|^(pg|postgres|jose)(-|$)/.test(name));
