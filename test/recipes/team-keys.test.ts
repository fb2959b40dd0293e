import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFile, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../services/free-ports.ts";
import { until } from "../waiting.ts";
import { codeOf, environmentOf } from "./page.ts";

const root = join(import.meta.dir, "../..");
const { sh: [makeFirst = "", start = "", makeKeys = "", useKeys = "", leak = "", look = ""] = [] } =
  codeOf("team-keys");

let folder: string;
let url: string;
let store: Bun.Subprocess;

/** The commands of the page as they stand, but for the port. */
function run(commands: string) {
  const pasted = commands.replaceAll("http://localhost:8080", url);
  return Bun.spawn(["bash", "-euo", "pipefail", "-c", `image-store() { bun ${root}/src/main.ts "$@"; }\n${pasted}`], {
    cwd: folder,
    env: environmentOf(url),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
}

async function linesOf(commands: string): Promise<readonly string[]> {
  const child = run(commands);
  const text = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  return text.split("\n").filter((line) => line !== "");
}

describe("the recipe of a team's keys", () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "image-store-team-"));
    await copyFile(join(root, "docs/dusk.jpg"), join(folder, "dusk.jpg"));
    url = `http://localhost:${await freePort()}`;
    expect(await linesOf(makeFirst)).toEqual([]);
    store = run(start.replace("image-store", `exec bun ${root}/src/main.ts`));
    await until(async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.ok === true, 20);
  });
  afterAll(async () => {
    store.kill();
    await store.exited;
    await rm(folder, { recursive: true });
  });

  test("gives each member what its key allows, refuses the leaked key, and tells what it did", async () => {
    expect(await linesOf(makeKeys)).toEqual([]);
    for (const name of (await readdir(folder)).filter((file) => file.endsWith(".key")))
      expect((await stat(join(folder, name))).mode & 0o077).toBe(0);

    const [album, image, albums, ...refusals] = await linesOf(useKeys);
    expect(JSON.parse(album ?? "")).toMatchObject({ name: "press-2026" });
    expect(JSON.parse(image ?? "")).toMatchObject({ name: "dusk.jpg", album: "press-2026" });
    expect(JSON.parse(albums ?? "")).toMatchObject({ items: [{ name: "press-2026", imageCount: 1 }] });
    expect(refusals).toEqual(["403", "403"]);

    expect(await linesOf(leak)).toEqual(["401", "200"]);

    const [key, changes, trail] = await linesOf(look);
    expect(JSON.parse(key ?? "")).toMatchObject({ name: "ed", revokedAt: expect.any(String) });
    // The album and the image.
    expect(changes).toBe("2");
    const { items } = JSON.parse(trail ?? "") as { items: { type: string; data: { name: string } }[] };
    expect(items.map(({ type, data }) => `${data.name} ${type.slice("imagestore.key.".length)}`)).toEqual([
      "admin created",
      "vera created",
      "ed created",
      "dashboard created",
      "ed revoked",
      "ed created",
    ]);
  });
});
