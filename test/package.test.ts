import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };
import { newFolder } from "./temporary-folder.ts";

const root = join(import.meta.dir, "..");
const launcher = join(root, packageJson.bin["image-store"]);

let path: string;
beforeAll(async () => {
  path = await newFolder("path");
  // All that the launcher may count on, beside a shell's own.
  await symlink(Bun.which("node") ?? "/no/node", join(path, "node"));
});
afterAll(() => rm(path, { recursive: true, force: true }));

const launch = (...argv: readonly string[]) =>
  Bun.spawn([launcher, ...argv], {
    env: { PATH: `${path}:/usr/bin:/bin`, IMAGE_STORE_DATA: join(path, "data"), IMAGE_STORE_PORT: "0" },
    cwd: path,
    stdout: "pipe",
    stderr: "pipe",
  });

const filesIn = async (folder: string) =>
  (await readdir(join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));

test("the npm package contains exactly what runs", async () => {
  const packing = Bun.spawn(["npm", "pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: root,
    stderr: "ignore",
  });
  const [{ files }] = (await packing.stdout.json()) as [{ files: readonly { path: string; mode: number }[] }];
  const paths = files.map((file) => file.path);
  const sources = (await Promise.all(["src", "client/src", "dist/page"].map(filesIn))).flat();
  expect(paths).toContain("dist/page/index.html");
  expect(paths.toSorted()).toEqual(
    ["LICENSE", "README.md", "package.json", packageJson.bin["image-store"], ...sources].toSorted(),
  );
  expect((files.find((file) => file.path === packageJson.bin["image-store"])?.mode ?? 0) & 0o111).toBe(0o111);
});

test("no dependency reports its installation", () => {
  expect(packageJson.scarfSettings).toEqual({ enabled: false });
  expect(packageJson.allowScripts).toEqual({ bun: true, "@scarf/scarf": false });
});

describe("the launcher", () => {
  test("runs the Bun of the package and passes on arguments and exit code", async () => {
    const version = launch("--version");
    expect(await version.stdout.text()).toBe(`${packageJson.version}\n`);
    expect(await version.stderr.text()).toBe("");
    expect(await version.exited).toBe(0);
    const wrong = launch("explode");
    expect(await wrong.stderr.text()).toStartWith('Unknown command "explode".');
    expect(await wrong.exited).toBe(2);
  });

  test("stops its server cleanly when it is stopped", async () => {
    const server = launch("--log-level", "silent");
    const reader = server.stderr.getReader();
    let told = "";
    while (!told.includes("Data")) told += new TextDecoder().decode((await reader.read()).value);
    const url = /http:[^\s]+(?=\/v1)/.exec(told)?.[0] ?? "";
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    server.kill("SIGTERM");
    expect(await server.exited).toBe(0);
    expect(await fetch(`${url}/healthz`).catch(() => "gone")).toBe("gone");
  });
});
