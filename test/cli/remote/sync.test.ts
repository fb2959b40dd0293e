import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, readdir, rename, rm, stat, symlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import { type Front, startFront } from "../../../client/test/front.ts";
import { startStore, type TestStore } from "../../http/harness.ts";
import { newPng } from "../../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { cliOf, documentsOf, type Ran, treeOf } from "./run-remote.ts";

let store: TestStore;
let front: Front;
beforeAll(async () => {
  store = await startStore();
  front = startFront(store.url);
});
afterAll(async () => {
  await front[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});

const badGateway = () =>
  new Response("<h1>Bad gateway</h1>", { status: 502, headers: { "Content-Type": "text/html" } });

let home: string;
let photos: string;
let album: string;
let cli: ReturnType<typeof cliOf>;
let made = 0;
beforeEach(async () => {
  home = await newFolder("sync");
  photos = join(home, "photos");
  await mkdir(photos);
  album = `Sync ${++made}`;
  cli = cliOf(front.url, home);
});
afterEach(() => removeFolder(home));

const write = (name: string, bytes = newPng(1000)) => Bun.write(join(photos, name), bytes);
const up = (...options: readonly string[]) => cli("sync", photos, album, ...options);
const down = (...options: readonly string[]) => cli("sync", album, join(home, "copy"), ...options);
/** Of the last line with `--json`. */
const totalsOf = (ran: Ran) => documentsOf(ran).at(-1);

/** Requests of the work by method. */
async function requestsOf(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = front.seen.length;
  await work();
  const methods = front.seen.slice(before).map((request) => request.split(" ", 1)[0] ?? "");
  return Object.fromEntries(
    [...new Set(methods)].map((method) => [method, methods.filter((m) => m === method).length]),
  );
}

describe("image-store sync DIR ALBUM", () => {
  test("sends what is new or changed, and a second run sends nothing", async () => {
    for (let number = 0; number < 40; number++) await write(`${number}.png`);
    expect(totalsOf(await up("--json"))).toMatchObject({ sent: 40, failed: 0 });
    expect(totalsOf(await down("--json"))).toMatchObject({ received: 40, failed: 0 });
    expect(await treeOf(join(home, "copy"))).toEqual(await treeOf(photos));
    for (const run of [up, down])
      expect(
        await requestsOf(async () => expect(totalsOf(await run("--json"))).toMatchObject({ unchanged: 40 })),
      ).not.toMatchObject({
        PUT: expect.anything(),
      });
    await write("7.png");
    await write("new.png");
    expect(totalsOf(await up("--json"))).toMatchObject({ sent: 2, unchanged: 39, bytes: expect.any(Number) });
    expect(totalsOf(await down("--json"))).toMatchObject({ received: 2, unchanged: 39 });
    expect(await treeOf(join(home, "copy"))).toEqual(await treeOf(photos));
  });

  test("notices changed bytes under the same size", async () => {
    const one = newPng(1000);
    const other = Buffer.from(one);
    other.writeUInt8(other.readUInt8(other.length - 20) ^ 1, other.length - 20);
    await write("a.png", one);
    await up();
    await write("a.png", other);
    expect(totalsOf(await up("--json"))).toMatchObject({ sent: 1, unchanged: 0 });
  });

  test("--delete removes images that the folder lacks, --dry-run only says so", async () => {
    await write("a.png");
    await write("b.png");
    await up();
    await rm(join(photos, "a.png"));
    await write("c.png");
    const requests = await requestsOf(async () => {
      const { code, out } = await up("--delete", "--dry-run");
      expect(code).toBe(0);
      expect(out).toContain(`${photos}/c.png would be sent\n`);
      expect(out).toContain(`${album}/a.png would be deleted\n`);
    });
    expect(Object.keys(requests)).toEqual(["GET"]);
    expect(totalsOf(await up("--json"))).toMatchObject({ sent: 1, deleted: 0 });
    expect(totalsOf(await up("--delete", "--json"))).toMatchObject({ sent: 0, deleted: 1, unchanged: 2 });
    await down();
    expect(await treeOf(join(home, "copy"))).toEqual(await treeOf(photos));
  });

  test("--delete sends one request for many images", async () => {
    for (let number = 0; number < 40; number++) await write(`${number}.png`);
    await up();
    for (let number = 0; number < 30; number++) await rm(join(photos, `${number}.png`));
    expect(totalsOf(await up("--delete", "--dry-run", "--json"))).toMatchObject({ deleted: 30 });
    const before = front.seen.length;
    expect(totalsOf(await up("--delete", "--json"))).toMatchObject({ deleted: 30, unchanged: 10, failed: 0 });
    const requests = front.seen.slice(before);
    expect(requests.filter((request) => request === "POST /v1/batches")).toHaveLength(1);
    expect(requests.filter((request) => request.startsWith("DELETE"))).toEqual([]);
    expect((await cli("ls", album)).out.trimEnd().split("\n")).toHaveLength(10);
  });

  test("goes on when files fail, says which, and a second run completes it", async () => {
    await write("good.png");
    await write("notes.txt", Buffer.from("no image"));
    await write(`${"\u00e9".repeat(2)}.png`);
    await mkdir(join(photos, "folder"));
    await symlink("loop.png", join(photos, "loop.png"));
    await symlink("nowhere", join(photos, "dangling.png"));
    await symlink("good.png", join(photos, "link.png"));
    await write("bad\u0001name.png");
    const ran = await up("--json");
    expect(ran.code).toBe(1);
    expect(ran.err).toContain(`${photos}/loop.png: its symbolic links form a loop\n`);
    expect(ran.err).toContain(`${photos}/dangling.png: no such file or folder\n`);
    expect(ran.err).toContain("name.png: A name must not contain control characters.\n");
    expect(ran.err).toContain(`${photos}/notes.txt: skipped, it is not an image\n`);
    expect(ran.err).toContain(`${photos}/folder: skipped, it is a folder\n`);
    expect(ran.err).toEndWith("Run the command again to complete it.\n");
    expect(totalsOf(ran)).toMatchObject({ sent: 3, failed: 3 });
    for (const name of ["loop.png", "dangling.png", "bad\u0001name.png"]) await rm(join(photos, name));
    expect(totalsOf(await up("--json"))).toMatchObject({ sent: 0, unchanged: 3, failed: 0 });
  });

  test("names the file of which the store refuses the bytes, and retries what passes", async () => {
    await write("a.png");
    await write("broken.png", newPng(1000).subarray(0, 20));
    const ran = await up();
    expect(ran).toMatchObject({ code: 1, err: expect.stringContaining(`${photos}/broken.png: `) });
    await rm(join(photos, "broken.png"));
    await write("b.png");
    front.next(badGateway);
    expect(await up()).toMatchObject({ code: 0, err: "" });
    expect((await cli("ls", album)).out.trimEnd().split("\n")).toHaveLength(2);
  });

  test("stops when the store is gone, and the next run completes it", async () => {
    for (let number = 0; number < 5; number++) await write(`${number}.png`);
    await front.close();
    expect(await up()).toMatchObject({ code: 1, err: expect.stringContaining("No store answers") });
    front.open();
    expect(await up()).toMatchObject({ code: 0 });
  });

  test("refuses a folder that is not there before it makes an album", async () => {
    expect(await cli("sync", join(home, "none"), album)).toMatchObject({
      code: 1,
      err: `image-store: ${join(home, "none")}: no such file or folder\n`,
    });
  });
});

describe("image-store sync ALBUM DIR", () => {
  test("--delete removes images that the album lacks, and leaves other files", async () => {
    await write("a.png");
    await up();
    await down();
    const copy = join(home, "copy");
    await Bun.write(join(copy, "old.png"), newPng());
    await Bun.write(join(copy, "notes.txt"), "mine");
    expect(totalsOf(await down("--delete", "--dry-run", "--json"))).toMatchObject({ deleted: 1, unchanged: 1 });
    expect((await readdir(copy)).toSorted()).toEqual(["a.png", "notes.txt", "old.png"]);
    expect(totalsOf(await down("--delete", "--json"))).toMatchObject({ deleted: 1, unchanged: 1 });
    expect((await readdir(copy)).toSorted()).toEqual(["a.png", "notes.txt"]);
  });

  test("restores a damaged file, also one with its size and times where --checksum is given", async () => {
    await write("a.png");
    await up();
    await down();
    const path = join(home, "copy", "a.png");
    const { atime, mtime, size } = await stat(path);
    await Bun.write(path, Buffer.alloc(size));
    await utimes(path, atime, mtime);
    expect(totalsOf(await down("--checksum", "--json"))).toMatchObject({ received: 1 });
    expect(await treeOf(join(home, "copy"))).toEqual(await treeOf(photos));
  });

  test("names an image whose place a folder takes, and the rest goes on", async () => {
    await write("a.png");
    await write("b.png");
    await up();
    await mkdir(join(home, "copy", "a.png"), { recursive: true });
    const ran = await down("--json");
    expect(ran).toMatchObject({
      code: 1,
      err: expect.stringContaining("a.png: a folder of the name is in its place\n"),
    });
    expect(totalsOf(ran)).toMatchObject({ received: 1, failed: 1 });
    await rename(join(home, "copy", "a.png"), join(home, "elsewhere"));
    expect(totalsOf(await down("--json"))).toMatchObject({ received: 1, unchanged: 1, failed: 0 });
  });

  test("of an album that is not there makes no folder", async () => {
    expect(await down()).toMatchObject({ code: 1, err: expect.stringContaining("There is no such album.") });
    expect(await readdir(home)).toEqual(["photos"]);
  });
});
