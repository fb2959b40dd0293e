import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type AlbumFields, createClient } from "../../../client/src/index.ts";
import { jsonOf, startStore, type TestStore } from "../../http/harness.ts";
import { newPng } from "../../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { cliOf, deepTreeOf, documentsOf } from "./run-remote.ts";

let store: TestStore;
let home: string;
let photos: string;
let cli: ReturnType<typeof cliOf>;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(async () => {
  home = await newFolder("export");
  photos = join(home, "in", "photos");
  cli = cliOf(store.url, home);
});
afterEach(() => removeFolder(home));

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(photos, path)), { recursive: true });
  await Bun.write(join(photos, path), content);
}

/** Where the event log ends. */
const endOfLog = async () =>
  (await jsonOf<{ nextCursor: string }>(await store.fetch("/v1/events?limit=1000"))).nextCursor;

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

const FIELDS = {
  title: "The lake",
  description: "At dawn\nin May",
  tags: ["lake", "dawn"],
  metadata: { a: "1", camera: "X100" },
  focalPoint: { x: 0.25, y: 0.5 },
};

test("import then export of nested folders with sidecars gives the same files", async () => {
  await write("top.png", newPng());
  await write("alps/lake é.png", newPng());
  await write("alps/lake é.png.json", json(FIELDS));
  await write("alps/.album.json", json({ title: "The Alps", metadata: { year: "2026" }, visibility: "public" }));
  await write("alps/deep/er/x.png", newPng());
  await write("alps/deep/er/x.png.json", json({ tags: ["one"] }));
  await write("named/.album.json", json({ name: "Another name", description: "It has another name." }));
  await write("named/y.png", newPng());
  await mkdir(join(photos, "empty"));
  const imported = await cli("import", photos, "--json");
  expect(imported.code).toBe(0);
  expect(documentsOf(imported).at(-1)).toMatchObject({ sent: 4, failed: 0 });
  expect(documentsOf(await cli("ls", "--json")).map(({ name }) => name)).toEqual([
    "Another name",
    "alps",
    "alps - deep - er",
    "photos",
  ]);
  expect(documentsOf(await cli("stat", "alps/lake é.png", "--json"))).toMatchObject([FIELDS]);

  const copy = join(home, "out", "photos");
  expect(await cli("export", "--all", copy)).toMatchObject({ code: 0, err: "" });
  expect(await deepTreeOf(copy)).toEqual(await deepTreeOf(photos));
  const [{ createdAt } = {}] = documentsOf(await cli("stat", "photos/top.png", "--json"));
  expect((await stat(join(copy, "top.png"))).mtime.toISOString()).toBe(String(createdAt));

  // Nothing to do, both ways, and nothing that would be an event.
  const before = await endOfLog();
  expect((await cli("import", photos)).out).toBe("4 files unchanged\n");
  expect((await cli("export", "--all", copy)).out).toBe("4 files unchanged\n");
  expect(await endOfLog()).toBe(before);

  // A changed sidecar changes the fields alone, and an image without fields loses its sidecar.
  await write("alps/lake é.png.json", json({ ...FIELDS, title: "New", metadata: { b: "2" } }));
  await write("alps/deep/er/x.png.json", json({}));
  expect((await cli("import", photos, "--dry-run")).out).toContain("lake é.png would be changed\n");
  expect((await cli("import", photos)).out).toBe("2 files changed, 2 files unchanged\n");
  expect((await cli("export", "--all", copy)).out).toBe("2 files changed, 2 files unchanged\n");
  await rm(join(photos, "alps/deep/er/x.png.json"));
  expect(await deepTreeOf(copy)).toEqual(await deepTreeOf(photos));
});

/** The fields of an album's images that a round trip must keep. */
const recordsOf = async (run: ReturnType<typeof cliOf>, album: string) =>
  documentsOf(await run("ls", album, "--json")).map((image) =>
    ["name", "sha256", "title", "description", "tags", "metadata", "focalPoint"].map((field) => image[field]),
  );

test("an export that another store imports, and that store's export, are the same folders", async () => {
  await using other = await startStore();
  const client = createClient({ url: store.url });
  const albums = {
    "Moved - twice": { title: "Two\nlines", visibility: "public", metadata: { "image-store:folder": "a/b c" } },
    "dots...": { description: "“quoted” \\ 🏔", metadata: { z: "1", a: "2" } },
    "ü?#%&+ *": {},
  } as const;
  const fields = [
    FIELDS,
    { title: "x".repeat(200) },
    { tags: ["ä", "one two"] },
    { metadata: { 'a"b': "\\n", empty: "" } },
    { focalPoint: { x: 0, y: 1 } },
    {},
  ];
  for (const [name, given] of Object.entries(albums)) {
    await client.albums.create({ name, ...given });
    for (const [number, each] of fields.entries())
      await client.upload(name, newPng(), { name: `${number} é?#%.json.png`, fields: each });
    await client.upload(name, newPng(), { name: ".hidden" });
  }
  const [first, second] = [join(home, "first"), join(home, "second")];
  for (const name of Object.keys(albums)) expect(await cli("export", name, first)).toMatchObject({ code: 0, err: "" });
  const otherCli = cliOf(other.url, home);
  expect((await otherCli("import", first)).out).toStartWith("21 files sent");
  expect(await otherCli("export", "--all", second)).toMatchObject({ code: 0, err: "" });
  expect(await deepTreeOf(second)).toEqual(await deepTreeOf(first));
  for (const [name, { title = null, description = null, visibility = "private" }] of Object.entries<AlbumFields>(
    albums,
  )) {
    expect(await recordsOf(otherCli, name)).toEqual(await recordsOf(cli, name));
    expect(await createClient({ url: other.url }).albums.get(name)).toMatchObject({ title, description, visibility });
  }
});

test("import names what it cannot take, and the rest goes on", async () => {
  await write("bad/a.png", newPng());
  await write("bad/a.png.json", "{");
  await write("bad/b.png", newPng());
  await write("bad/c.png", newPng());
  await write("bad/c.png.json", json({ tags: "no list" }));
  await write("x/y/a.png", newPng());
  await write("x - y/a.png", newPng());
  const ran = await cli("import", photos, "--json");
  expect(ran.code).toBe(1);
  expect(ran.err).toContain("a.png.json is not a JSON object\n");
  expect(ran.err).toContain("bad/c.png: ");
  expect(ran.err).toMatch(/: its album x - y is that of .*; give it another name in \.album\.json\n/);
  expect(documentsOf(await cli("ls", "bad", "--json")).map(({ name }) => name)).toContain("b.png");
});

test("export stays in its folder whatever an album's metadata say, and leaves files of others", async () => {
  for (const [name, folder] of Object.entries({ evil: "../evil", root: "/tmp/evil", up: "a/../../evil" }))
    await store.send("POST", "/v1/albums", { name, metadata: { "image-store:folder": folder } });
  await write("a.png", newPng());
  await cli("put", join(photos, "a.png"), "evil");
  const copy = join(home, "out");
  await mkdir(join(copy, "evil"), { recursive: true });
  await Bun.write(join(copy, "evil", "a.png.json"), "[1]");
  expect(await cli("export", "evil", copy)).toMatchObject({ code: 0 });
  expect((await readdir(join(copy, "evil"))).toSorted()).toEqual([".album.json", "a.png", "a.png.json"]);
  expect(await cli("export", "root", copy)).toMatchObject({ code: 0 });
  expect(await cli("export", "up", copy)).toMatchObject({ code: 0 });
  expect((await readdir(copy)).toSorted()).toEqual(["evil", "root", "up"]);
  expect((await readdir(home)).toSorted()).toEqual([".cache", "in", "out"]);
});

test("share and ticket print a URL that works without a key", async () => {
  await write("a.png", newPng());
  await cli("put", join(photos, "a.png"), "Shared");
  const shared = await cli("share", "Shared", "--label", "Ann");
  expect(shared).toMatchObject({ code: 0, err: "" });
  expect((await fetch(shared.out.trim())).status).toBe(200);
  expect(documentsOf(await cli("share", "Shared", "--write", "--originals", "--json"))).toMatchObject([
    { rights: ["read", "write"], originals: true, label: null },
  ]);
  const ticket = await cli("ticket", "Shared", "--name", "b.png");
  expect((await fetch(ticket.out.trim(), { method: "PUT", body: newPng() })).status).toBe(201);
  expect(documentsOf(await cli("stat", "Shared/b.png", "--json"))).toMatchObject([{ name: "b.png" }]);
  expect(documentsOf(await cli("ticket", "Shared", "--files", "20", "--json"))).toMatchObject([{ files: 20 }]);
});

test.each([
  [["export", "A"], '"export" needs an album and a folder, or --all and a folder.'],
  [["export", "A", "b", "--all"], 'With --all, "export" takes a folder only, not "b".'],
  [["import"], '"import" needs a folder, or an S3 URL such as s3://BUCKET/PREFIX.'],
  [["share"], '"share create" needs an album.'],
  [["ticket"], '"ticket create" needs an album.'],
  [["ticket", "A", "--files", "101"], "--files must be a number from 1 to 100"],
])("%j is refused with exit code 2", async (argv, message) => {
  const { code, out, err } = await cli(...argv);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain(message);
});
