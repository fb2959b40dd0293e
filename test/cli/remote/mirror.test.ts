import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "../../../client/src/index.ts";
import { ROOT, ROOT_KEY, startStore, type TestStore } from "../../http/harness.ts";
import { newPng } from "../../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { createWriter, expectEqualStores } from "./mirrored-stores.ts";
import { cliOf, documentsOf } from "./run-remote.ts";

let home: string;
let source: TestStore;
beforeEach(async () => {
  home = await newFolder("mirror");
  source = await startStore();
});
afterEach(async () => {
  await source[Symbol.asyncDispose]();
  await removeFolder(home);
});

const env = () => ({ HOME: home, IMAGE_STORE_MIN_FREE: "0" });
const mirror = (to: string, ...more: readonly string[]) =>
  cliOf(source.url, home, { env: env() })("mirror", "--from", source.url, "--to", to, ...more);

/** The mirror in a folder, served as `npm start` would. */
const serve = (folder: string): Promise<TestStore> => startStore({ DATA: folder });

describe.each(["folder", "store"] as const)("a mirror in a %s", (kind) => {
  const isVerbatim = kind === "folder";

  /** Runs the mirror, and compares. */
  async function withTarget(use: (to: string, compare: () => Promise<void>) => Promise<void>): Promise<void> {
    if (kind === "folder") {
      const folder = join(home, "mirror");
      await use(folder, async () => {
        await using served = await serve(folder);
        await expectEqualStores(source, served, { isVerbatim });
      });
      return;
    }
    await using target = await startStore();
    await use(target.url, () => expectEqualStores(source, target, { isVerbatim }));
  }

  test("has what the source has, and after another run what it has then", async () => {
    const writer = createWriter(createClient({ url: source.url }), 7);
    await writer.write(60);
    await withTarget(async (to, compare) => {
      expect(await mirror(to, "--once")).toMatchObject({ code: 0, err: "" });
      await compare();
      for (let round = 0; round < 3; round++) {
        await writer.write(60);
        expect(await mirror(to, "--once")).toMatchObject({ code: 0, err: "" });
        await compare();
      }
      const verified = await mirror(to, "--verify", "--json");
      expect({ ...verified, documents: documentsOf(verified) }).toMatchObject({
        code: 0,
        documents: [{ kind: "finished", differences: 0, failed: 0 }],
      });
    });
  });

  test("receives no bytes again that it has", async () => {
    const client = createClient({ url: source.url });
    await client.albums.create({ name: "a" });
    await client.upload("a", newPng(), { name: "one" });
    await withTarget(async (to) => {
      const first = documentsOf(await mirror(to, "--once", "--json")).at(-1);
      expect(first?.["bytes"]).toBeGreaterThan(0);
      await client.update("a", "one", { name: "two" });
      await client.albums.create({ name: "b" });
      await client.move("a", "two", { album: "b" });
      await client.albums.update("b", { name: "c" });
      expect(documentsOf(await mirror(to, "--once", "--json")).at(-1)).toMatchObject({
        bytes: 0,
        images: 1,
        albums: 2,
      });
      expect(documentsOf(await mirror(to, "--verify", "--json")).at(-1)).toMatchObject({ bytes: 0, differences: 0 });
    });
  });
});

/** A mirror of four images. */
async function seedMirror(): Promise<string> {
  const client = createClient({ url: source.url });
  await client.albums.create({ name: "a" });
  for (const name of ["one", "two", "three", "four"]) await client.upload("a", newPng(), { name });
  const folder = join(home, "mirror");
  expect(await mirror(folder, "--once")).toMatchObject({ code: 0, err: "" });
  return folder;
}

/** Passes requests on, and calls `afterListing` between the first listing of images and its answer. */
function startProxy(afterListing: () => Promise<void>) {
  let isListed = false;
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const response = await fetch(`${source.url}${pathname}${search}`, { headers: request.headers });
      if (pathname !== "/v1/images" || isListed) return response;
      isListed = true;
      const text = await response.text();
      await afterListing();
      return new Response(text, { headers: response.headers });
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.stop(true) };
}

/** A source whose listing at `path` is forged. */
function startForger(path: string, forge: (record: { readonly name: string }) => object) {
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const response = await fetch(`${source.url}${pathname}${search}`, { headers: request.headers });
      if (pathname !== path) return response;
      const page = (await response.json()) as { items: { name: string }[] };
      return Response.json({ ...page, items: page.items.map(forge) });
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.stop(true) };
}

/** Passes requests on, with headers that `change` replaces. */
function startForwarder(url: string, change: (request: Request) => Readonly<Record<string, string>>) {
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const headers = new Headers(request.headers);
      for (const [name, value] of Object.entries(change(request))) headers.set(name, value);
      const { method } = request;
      const body = method === "GET" ? {} : { body: await request.arrayBuffer() };
      return fetch(`${url}${pathname}${search}`, { method, headers, ...body });
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.stop(true) };
}

test.each(["folder", "store"] as const)(
  "a mirror in a %s has what changed after the listing and before it was applied",
  async (kind) => {
    const client = createClient({ url: source.url });
    await client.albums.create({ name: "a" });
    for (const name of ["gone", "replaced", "renamed", "moved", "described", "kept"])
      await client.upload("a", newPng(), { name });
    await using proxy = startProxy(async () => {
      await client.delete("a", "gone");
      await client.upload("a", newPng(), { name: "replaced" });
      await client.update("a", "renamed", { name: "gone" });
      await client.update("a", "described", { title: "described", tags: ["x"] });
      await client.albums.create({ name: "b" });
      await client.move("a", "moved", { album: "b" });
      await client.upload("b", newPng(), { name: "new" });
      await client.albums.update("a", { name: "c", title: "renamed" });
    });
    await using target = await startStore();
    const to = kind === "folder" ? join(home, "mirror") : target.url;
    const cli = cliOf(proxy.url, home, { env: env() });
    expect(await cli("mirror", "--from", proxy.url, "--to", to, "--once")).toMatchObject({ code: 0, err: "" });
    if (kind === "store") {
      await expectEqualStores(source, target, { isVerbatim: false });
      return;
    }
    await using served = await serve(to);
    await expectEqualStores(source, served, { isVerbatim: true });
  },
);

test("a mirror in a store whose state is lost receives no bytes again that are under the same names", async () => {
  const client = createClient({ url: source.url });
  await client.albums.create({ name: "a" });
  for (const name of ["one", "two"]) await client.upload("a", newPng(), { name, fields: { title: name } });
  await using target = await startStore();
  expect(await mirror(target.url, "--once")).toMatchObject({ code: 0, err: "" });
  await rm(join(home, ".local"), { recursive: true });
  const again = await mirror(target.url, "--once", "--overwrite", "--json");
  expect(documentsOf(again).at(-1)).toMatchObject({ images: 2, changed: 0, bytes: 0 });
  await client.update("a", "one", { name: "renamed" });
  expect(await mirror(target.url, "--once")).toMatchObject({ code: 0, err: "" });
  await expectEqualStores(source, target, { isVerbatim: false });
});

describe("mirror --verify", () => {
  test("reports and repairs what a client changed in the mirror, and exits with 1", async () => {
    const folder = await seedMirror();
    {
      await using served = await serve(folder);
      const other = createClient({ url: served.url });
      await other.delete("a", "one");
      await other.update("a", "two", { title: "changed", tags: ["x"] });
      await other.upload("a", newPng(), { name: "three" });
      await other.albums.create({ name: "extra" });
      await other.upload("extra", newPng(), { name: "own" });
      await other.move("a", "four", { album: "extra", name: "moved" });
    }
    const verified = await mirror(folder, "--verify", "--json");
    const differences = documentsOf(verified).filter(({ kind }) => kind === "difference");
    expect(new Set(differences.map(({ difference, name }) => `${String(difference)} ${String(name)}`))).toEqual(
      new Set(["missing a/one", "fields a/two", "bytes a/three", "album a/four", "extra extra/own", "extra extra"]),
    );
    expect(verified.code).toBe(1);
    expect(documentsOf(await mirror(folder, "--verify", "--json")).at(-1)).toMatchObject({ differences: 0 });
    await using served = await serve(folder);
    await expectEqualStores(source, served, { isVerbatim: true });
  });

  test("reads the bytes of the mirror, and replaces those that are damaged", async () => {
    const folder = await seedMirror();
    const segments = join(folder, "blobs", "segments");
    const [segment = ""] = (await readdir(segments)).toSorted();
    const path = join(segments, segment);
    const bytes = Buffer.from(await Bun.file(path).arrayBuffer());
    const png = bytes.indexOf("PNG");
    expect(png).toBeGreaterThan(0);
    // Behind the signature of the first image.
    bytes[png + 30] = (bytes[png + 30] ?? 0) ^ 0xff;
    await Bun.write(path, bytes);
    const verified = await mirror(folder, "--verify", "--json");
    expect(verified.code).toBe(1);
    expect(documentsOf(verified).filter(({ kind }) => kind === "difference")).toContainEqual({
      kind: "difference",
      of: "image",
      difference: "bytes",
      name: expect.stringMatching(/^(a\/)?(one|two|three|four)$/),
    });
    expect(await mirror(folder, "--verify")).toMatchObject({ code: 0 });
    await using served = await serve(folder);
    await expectEqualStores(source, served, { isVerbatim: true });
  });
});

describe("mirror refuses", () => {
  test("a target that has albums of its own, unless --overwrite is given", async () => {
    await createClient({ url: source.url }).albums.create({ name: "a" });
    await using target = await startStore();
    await createClient({ url: target.url }).albums.create({ name: "precious" });
    const refused = await mirror(target.url, "--once");
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("The target is not empty") });
    const names = async () =>
      (await Array.fromAsync(createClient({ url: target.url }).albums.list())).map(({ name }) => name);
    expect(await names()).toEqual(["precious"]);
    expect(await mirror(target.url, "--once", "--overwrite")).toMatchObject({ code: 0, err: "" });
    expect(await names()).toEqual(["a"]);
  });

  test("a source that is another store than the one it began with", async () => {
    await createClient({ url: source.url }).albums.create({ name: "a" });
    const folder = join(home, "mirror");
    const { url, port } = source;
    expect(await mirror(folder, "--once")).toMatchObject({ code: 0 });
    await source[Symbol.asyncDispose]();
    source = await startStore({ PORT: String(port) });
    expect(source.url).toBe(url);
    await createClient({ url }).albums.create({ name: "b" });
    expect(await mirror(folder, "--once")).toMatchObject({ code: 1, err: expect.stringContaining("is another store") });
    expect(await mirror(folder, "--once", "--overwrite")).toMatchObject({ code: 0 });
  });

  test("a folder that a server uses, and a key that the target refuses", async () => {
    const folder = join(home, "mirror");
    await using _ = await serve(folder);
    expect(await mirror(folder, "--once")).toMatchObject({
      code: 1,
      err: expect.stringContaining("Another server uses this folder"),
    });
    await using closed = await startStore({ API_KEYS: ROOT_KEY });
    const refused = await mirror(closed.url, "--once", "--to-key", "wrong");
    expect(refused).toMatchObject({
      code: 1,
      err: expect.stringContaining(`The store at ${closed.url} refuses the key`),
    });
    expect(await mirror(closed.url, "--once", "--to-key", ROOT.secret)).toMatchObject({ code: 0 });
  });

  test("a target that is the source under another URL", async () => {
    await createClient({ url: source.url }).albums.create({ name: "a" });
    await using same = startForwarder(source.url, () => ({}));
    const refused = await mirror(same.url, "--once", "--overwrite");
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("are the same store") });
  });

  test.each(["../../outside", "a\u001b[2J", "."])("an album of a source that calls it %j", async (name) => {
    await createClient({ url: source.url }).albums.create({ name: "a" });
    await using forged = startForger("/v1/albums", (album) => ({ ...album, name }));
    const folder = join(home, "mirror");
    const refused = await cliOf(forged.url, home, { env: env() })(
      "mirror",
      "--from",
      forged.url,
      "--to",
      folder,
      "--once",
    );
    expect(refused.err).not.toContain("\u001b");
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("has an album that is not valid") });
  });

  test.each<object>([
    { name: "../outside" },
    { id: "x\r\nSet-Cookie: a=b" },
    { contentType: "text/html" },
    { links: { self: "/", content: ".invalid/bytes" } },
  ])("an image of a source that says %j of it, and copies the others", async (forgery) => {
    const client = createClient({ url: source.url });
    await client.albums.create({ name: "a" });
    for (const name of ["one", "two"]) await client.upload("a", newPng(), { name });
    await using forged = startForger("/v1/images", (image) =>
      image.name === "one" ? { ...image, ...forgery } : image,
    );
    const folder = join(home, "mirror");
    const refused = await cliOf(forged.url, home, { env: env() })(
      "mirror",
      "--from",
      forged.url,
      "--to",
      folder,
      "--once",
    );
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("has an image that is not valid") });
    await using served = await serve(folder);
    const images = await Array.fromAsync(createClient({ url: served.url }).images());
    expect(images.map(({ name }) => name)).toEqual(["two"]);
  });

  test("a key that the target refuses in the middle, of which the target is named", async () => {
    const client = createClient({ url: source.url });
    await client.albums.create({ name: "a" });
    await client.upload("a", newPng(), { name: "one" });
    let writes = 0;
    await using target = await startStore({ API_KEYS: ROOT_KEY });
    await using proxy = startForwarder(target.url, (request) => {
      if (request.method !== "GET") writes++;
      return writes > 1 ? { authorization: "Bearer lost" } : {};
    });
    const refused = await mirror(proxy.url, "--once", "--to-key", ROOT.secret);
    expect(refused.err).toContain(`The store at ${proxy.url} refuses the key. Give a key with --to-key`);
    expect(refused.err).not.toContain(source.url);
    expect(refused.code).toBe(1);
  });
});
