import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { startStore, type TestStore } from "../../http/harness.ts";
import { imagePath, newAlbum, newImage, newPng, sha256 } from "../../http/image-fixtures.ts";
import { readZip } from "../../read-zip.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { cliOf, documentsOf } from "./run-remote.ts";

let store: TestStore;
let album: string;
let home: string;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(async () => {
  home = await newFolder("get-zip");
  album = await newAlbum(store);
  for (const name of ["a.png", "b.png", "c.png"]) await newImage(store, album, name, newPng(1_500_000));
});
afterEach(() => removeFolder(home));

const nameOf = () => decodeURIComponent(album.slice("/v1/albums/".length));
const archive = async () => Buffer.from(await (await store.fetch(`${album}/zip`)).bytes());
const fileOf = async (path: string) => Buffer.from(await Bun.file(path).bytes());

/** A store whose responses to downloads are cut, or stall, after so many bytes, the next ones later; what was asked of it. */
function cutting(bytes: number, how: "cut" | "stall" = "cut") {
  const ranges: (string | null)[] = [];
  let left = bytes;
  const server = Bun.serve({
    port: 0,
    // It would print the cuts.
    development: false,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const range = request.headers.get("range");
      const response = await fetch(`${store.url}${pathname}`, { headers: request.headers });
      if (range === "bytes=0-0" || !pathname.endsWith("/zip")) return response;
      ranges.push(range);
      const body = await response.bytes();
      const sent = left;
      left += bytes;
      const cut = new ReadableStream({
        async pull(controller) {
          controller.enqueue(body.subarray(0, sent));
          if (sent >= body.length) return controller.close();
          if (how === "stall") return Promise.withResolvers<void>().promise;
          // So that what was sent arrives.
          await Bun.sleep(50);
          controller.error(new Error("cut"));
        },
      });
      return new Response(cut, { status: response.status, headers: response.headers });
    },
  });
  return { url: server.url.origin, ranges, [Symbol.asyncDispose]: () => server.stop(true) };
}

test("get --zip downloads an album into one file, and says so", async () => {
  const path = join(home, "Album.zip");
  const ran = await cliOf(store.url, home)("get", nameOf(), "--zip", path, "--json");
  expect(ran.code).toBe(0);
  const bytes = await fileOf(path);
  expect(bytes.equals(await archive())).toBe(true);
  expect([...readZip(bytes).keys()]).toEqual(["a.png", "b.png", "c.png"]);
  expect(documentsOf(ran)).toMatchObject([
    { action: "received", name: path },
    { action: "finished", received: 1, bytes: bytes.length },
  ]);
  expect(await readdir(home)).toEqual(["Album.zip"]);
  expect((await stat(path)).mode & 0o777).toBe(0o644);
});

test("get --zip resumes where the connection was cut", async () => {
  await using proxy = cutting(1_000_000);
  const path = join(home, "Album.zip");
  const ran = await cliOf(proxy.url, home)("get", nameOf(), "--zip", path, "--json");
  expect(ran).toMatchObject({ code: 0, err: "" });
  expect((await fileOf(path)).equals(await archive())).toBe(true);
  const starts = proxy.ranges.map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1]));
  expect(starts.length).toBeGreaterThan(2);
  // On a busy machine a cut may overtake the last bytes before it.
  expect(starts).toEqual(starts.toSorted((one, other) => one - other));
  expect([starts[0], (starts[1] ?? 0) > 0]).toEqual([0, true]);
  expect(await readdir(home)).toEqual(["Album.zip"]);
});

test("get --zip goes on where an interrupted run ended, but from the start when the album has changed", async () => {
  const path = join(home, "Album.zip");
  const interrupt = async () => {
    const stop = Promise.withResolvers<() => void>();
    // A cut could overtake bytes, and the next response would then complete the file.
    await using proxy = cutting(2_000_000, "stall");
    const running = cliOf(proxy.url, home, {
      onStop: (listener: () => void) => {
        stop.resolve(listener);
        return () => {};
      },
    })("get", nameOf(), "--zip", path);
    const partSize = async () => {
      const [part] = (await readdir(home)).filter((name) => name.endsWith(".part"));
      return part === undefined ? 0 : (await stat(join(home, part))).size;
    };
    while ((await partSize()) < 2_000_000) await Bun.sleep(1);
    (await stop.promise)();
    const { code, err } = await running;
    expect({ code, err }).toEqual({ code: 1, err: "Interrupted. Run the command again to go on.\n" });
    expect(await Bun.file(path).exists()).toBe(false);
  };
  await interrupt();
  await using resuming = cutting(100_000_000);
  expect((await cliOf(resuming.url, home)("get", nameOf(), "--zip", path)).code).toBe(0);
  expect(resuming.ranges).toEqual([expect.stringMatching(/^bytes=[1-9]\d{6}-$/)]);
  expect((await fileOf(path)).equals(await archive())).toBe(true);
  const digest = sha256(await fileOf(path));

  await Bun.file(path).delete();
  await interrupt();
  expect((await store.fetch(imagePath(album, "a.png"), { method: "DELETE" })).status).toBe(204);
  await using restarting = cutting(100_000_000);
  expect((await cliOf(restarting.url, home)("get", nameOf(), "--zip", path)).code).toBe(0);
  expect(restarting.ranges).toEqual(["bytes=0-"]);
  expect((await fileOf(path)).equals(await archive())).toBe(true);
  expect(sha256(await fileOf(path))).not.toBe(digest);
  expect(await readdir(home)).toEqual(["Album.zip"]);
});

test("get --zip refuses an image, a folder beside it, and an album that is not there", async () => {
  const cli = cliOf(store.url, home);
  for (const args of [[`${nameOf()}/a.png`], [nameOf(), home]]) {
    const ran = await cli("get", ...args, "--zip", join(home, "x.zip"));
    expect(ran.code).toBe(2);
    expect(ran.err).toContain('With --zip, "get" takes an album only.');
  }
  const missing = await cli("get", "no such album", "--zip", join(home, "x.zip"));
  expect(missing.code).toBe(1);
  expect(missing.err).toContain("There is no such album.");
  expect(await readdir(home)).toEqual([]);
});
