import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "../../../client/src/index.ts";
import { type Front, startFront } from "../../../client/test/front.ts";
import { startStore, type TestStore } from "../../http/harness.ts";
import { newPng } from "../../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { cliOf, documentsOf, treeOf } from "./run-remote.ts";

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

let home: string;
let photos: string;
let cli: ReturnType<typeof cliOf>;
beforeEach(async () => {
  home = await newFolder("relocate");
  photos = join(home, "photos");
  await mkdir(photos);
  cli = cliOf(front.url, home);
});
afterEach(() => removeFolder(home));

const write = (...names: readonly string[]) =>
  Promise.all(names.map((name) => Bun.write(join(photos, name), newPng(1000))));
const namesIn = async (album: string) => (await cli("ls", album, "--json")).out.match(/"name":"[^"]*"/g);
/** Requests with bytes of images. */
const uploads = () => front.seen.filter((request) => request.startsWith("PUT ") && request.includes("/content"));

describe("bytes that the store has in another album are not sent by", () => {
  const names = Array.from({ length: 40 }, (_, index) => `${index}.png`);
  const commands: Readonly<Record<string, (to: string) => readonly string[]>> = {
    sync: (to) => ["sync", `${photos}/`, to],
    put: (to) => ["put", ...names.map((name) => join(photos, name)), to],
    import: () => ["import", photos],
  };

  test.each(Object.keys(commands))("%s", async (command) => {
    await write(...names);
    expect((await cli("sync", `${photos}/`, `first ${command}`)).code).toBe(0);
    const before = uploads().length;
    const to = command === "import" ? "photos" : `second ${command}`;
    const ran = await cli(...(commands[command]?.(to) ?? []), "--json");
    expect([ran.code, ran.err.includes("failed")]).toEqual([0, false]);
    expect(documentsOf(ran).at(-1)).toMatchObject({ sent: 40, failed: 0 });
    expect(uploads().slice(before)).toEqual([]);
    expect((await cli("get", to, join(home, "copy"))).code).toBe(0);
    expect(await treeOf(join(home, "copy"))).toEqual(await treeOf(photos));
  });

  test("put, which keeps an image that has the name", async () => {
    await write("a.png");
    await cli("put", join(photos, "a.png"), "known");
    await write("b.png");
    await cli("put", join(photos, "b.png"), "target");
    await Bun.write(join(photos, "b.png"), Bun.file(join(photos, "a.png")));
    const put = (ifExists: string) => cli("put", join(photos, "b.png"), "target", "--if-exists", ifExists);
    expect((await put("keep")).out).toContain("kept");
    expect((await put("fail")).err).toContain("The album has an image b.png.");
    expect((await put("keep-both")).code).toBe(0);
    expect(await namesIn("target")).toEqual(['"name":"b (2).png"', '"name":"b.png"']);
  });
});

describe("image-store mv and cp", () => {
  test("move, rename and copy images, and rename an album", async () => {
    await write("a.png", "b.png");
    await cli("put", join(photos, "a.png"), join(photos, "b.png"), "One");
    await cli("put", join(photos, "b.png"), "Two");
    expect(await cli("mv", "One/a.png", "Two")).toEqual({ code: 0, err: "", out: "Moved One/a.png to Two/a.png\n" });
    expect((await cli("mv", "One/b.png", "One/c.png")).out).toBe("Moved One/b.png to One/c.png\n");
    const taken = await cli("mv", "One/c.png", "Two/b.png");
    expect([taken.code, taken.err.includes("name")]).toEqual([1, true]);
    const both = ["mv", "One/c.png", "Two/b.png", "--if-exists", "keep-both"] as const;
    expect((await cli(...both)).out).toBe("Moved One/c.png to Two/b (2).png\n");
    expect((await cli("mv", "One", "Empty")).out).toBe("Renamed One to Empty\n");
    const before = uploads().length;
    expect((await cli("cp", "Two/a.png", "Empty")).out).toBe("Copied Two/a.png to Empty/a.png\n");
    const copied = await cli("cp", "Two/a.png", "Empty", "--if-exists", "keep-both", "--json");
    expect(documentsOf(copied)).toMatchObject([{ action: "copy", from: "Two/a.png", to: "Empty/a (2).png" }]);
    expect(uploads()).toHaveLength(before);
    expect(await namesIn("Two")).toEqual(['"name":"a.png"', '"name":"b (2).png"', '"name":"b.png"']);
    expect((await cli("cp", "Two", "Empty")).code).toBe(2);
    expect((await cli("mv", "Two", "Empty/x.png")).code).toBe(2);
    expect((await cli("mv", "Two/a.png", "Empty", "--if-exists", "maybe")).code).toBe(2);
  });
});

describe("the client", () => {
  test("moves and copies images, and sends no bytes that the store has", async () => {
    const client = createClient({ url: front.url });
    await client.albums.create({ name: "Client" });
    await client.albums.create({ name: "Other" });
    const bytes = new Uint8Array(newPng(1000));
    const first = await client.upload("Client", bytes, { name: "a.png", sha256: "compute" });
    const before = uploads().length;
    expect(before).toBeGreaterThan(0);
    const fields = { title: "T" };
    const second = await client.upload("Other", bytes, { name: "b.png", sha256: "compute", fields });
    expect(second).toMatchObject({ sha256: first.sha256, title: "T", album: "Other" });
    const both = { name: "b.png", sha256: first.sha256, ifExists: "keep-both" } as const;
    expect(await client.upload("Other", bytes, both)).toMatchObject({ name: "b (2).png" });
    expect(uploads()).toHaveLength(before);
    const keep = { name: "b.png", sha256: first.sha256, ifExists: "keep" } as const;
    expect(await client.upload("Other", bytes, keep)).toMatchObject({ id: second.id });
    expect(await client.known([first.sha256, "0".repeat(64)])).toMatchObject([{ sha256: first.sha256 }]);
    expect(await client.move("Client", "a.png", { album: "Other" })).toMatchObject({ id: first.id, album: "Other" });
    const copy = await client.copy("Other", "a.png", { album: "Client", name: "c.png" });
    expect(copy).toMatchObject({ name: "c.png", album: "Client", sha256: first.sha256 });
    expect(copy.id).not.toBe(first.id);
  });
});
