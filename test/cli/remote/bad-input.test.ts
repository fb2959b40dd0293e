import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, readdir, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { startStore, type TestStore } from "../../http/harness.ts";
import { newPng } from "../../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { cliOf, documentsOf, type Ran, treeOf } from "./run-remote.ts";

/** What a proxy or a network makes of a request. */
type Trouble = "500" | "503" | "html" | "cut";

let store: TestStore;
let proxy: ReturnType<typeof Bun.serve>;
/** Requests whose path has the text are troubled; the others go through. */
let trouble: { readonly path: string; readonly kind: Trouble } | undefined;
let onRequest: ((path: string) => Promise<void>) | undefined;
let home: string;
let photos: string;
let album: string;
let number = 0;
let cli: ReturnType<typeof cliOf>;

const ANSWERS: Readonly<Record<Exclude<Trouble, "cut">, () => Response>> = {
  "500": () =>
    Response.json(
      { type: "about:blank", title: "x", status: 500, detail: "The store failed.", code: "internal", requestId: "1" },
      { status: 500, headers: { "Content-Type": "application/problem+json" } },
    ),
  // Without a wait, so that the client's attempts are soon over.
  "503": () => new Response("busy", { status: 503, headers: { "Retry-After": "0" } }),
  html: () => new Response("<h1>Sign in</h1>", { headers: { "Content-Type": "text/html" } }),
};

/** Fewer bytes than the image has, as where a connection breaks off. */
const cut = () => new Response(newPng(500), { headers: { "Content-Type": "image/png" } });

beforeAll(async () => {
  store = await startStore();
  proxy = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const body = await request.arrayBuffer();
      await onRequest?.(`${request.method} ${pathname}`);
      if (trouble !== undefined && pathname.includes(trouble.path)) {
        const { kind } = trouble;
        return kind === "cut" ? cut() : ANSWERS[kind]();
      }
      return fetch(`${store.url}${pathname}${search}`, {
        method: request.method,
        headers: request.headers,
        body: body.byteLength === 0 ? null : body,
        decompress: false,
      });
    },
    error: () => new Response(null, { status: 502 }),
  });
});
afterAll(async () => {
  await proxy.stop(true);
  await store[Symbol.asyncDispose]();
});
beforeEach(async () => {
  home = await newFolder("bad-input");
  photos = join(home, "photos");
  album = `Album${(number += 1)}`;
  await mkdir(photos);
  for (const name of ["a.png", "bad.png", "c.png"]) await Bun.write(join(photos, name), newPng(3000));
  cli = cliOf(`http://127.0.0.1:${proxy.port}`, home);
  trouble = undefined;
  onRequest = undefined;
});
afterEach(() => removeFolder(home));

const totalsOf = (ran: Ran) => documentsOf(ran).at(-1);
const paths = () => ["a.png", "bad.png", "c.png"].map((name) => join(photos, name));

const UP: readonly (readonly [string, () => readonly string[]])[] = [
  ["put", () => ["put", ...paths(), album]],
  ["sync", () => ["sync", photos, album]],
  ["import", () => ["import", photos]],
];
const DOWN: readonly (readonly [string, () => readonly string[]])[] = [
  ["get", () => ["get", album, join(home, "copy")]],
  ["sync", () => ["sync", album, `${home}/copy`]],
  ["export", () => ["export", album, home]],
];
const TROUBLES: readonly (readonly [Trouble, string])[] = [
  ["500", "The store failed."],
  ["503", "does not answer: a proxy in front of it says 503 Service Unavailable"],
  ["html", "Something other than an Image Store answers"],
];
const LOST: readonly (readonly [Trouble, string])[] = [...TROUBLES, ["cut", "The connection to the store at"]];
const combined = (commands: typeof UP, troubles = TROUBLES) =>
  troubles.flatMap(([kind, sentence]) => commands.map(([name, argv]) => ({ name, kind, sentence, argv })));

describe("where a response is 5xx, HTML or cut off in the middle", () => {
  test.each(combined(UP))(
    "$name names the file that $kind hits, sends the rest, and completes on a second run",
    async ({ kind, sentence, argv }) => {
      trouble = { path: "bad.png/content", kind };
      const ran = await cli(...argv(), "--json");
      const told = ran.err.split("\n").filter((line) => line.startsWith(`${join(photos, "bad.png")}: `));
      expect({ ...ran, told }).toMatchObject({ code: 1, told: [expect.stringContaining(sentence)] });
      expect(ran.err).toContain("Run the command again to complete it.\n");
      expect(totalsOf(ran)).toMatchObject({ sent: 2, failed: 1 });
      trouble = undefined;
      const again = await cli(...argv(), "--json");
      expect(again).toMatchObject({ code: 0, err: "" });
      expect(totalsOf(again)).toMatchObject({ failed: 0 });
      const name = argv()[0] === "import" ? "photos" : album;
      expect(documentsOf(await cli("ls", name, "--json"))).toHaveLength(3);
      await cli("rm", name, "--recursive");
    },
  );

  test.each(combined(DOWN, LOST))(
    "$name names the file that $kind hits, leaves no part of it, and completes on a second run",
    async ({ kind, sentence, argv }) => {
      await cli("sync", photos, album);
      const { id } = documentsOf(await cli("stat", `${album}/bad.png`, "--json"))[0] as { id: string };
      trouble = { path: `/v1/images/${id}/content`, kind };
      const ran = await cli(...argv(), "--json");
      const copy = argv()[0] === "export" ? join(home, album) : join(home, "copy");
      const told = ran.err.split("\n").filter((line) => line.startsWith(`${join(copy, "bad.png")}: `));
      expect({ ...ran, told }).toMatchObject({ code: 1, told: [expect.stringContaining(sentence)] });
      expect(totalsOf(ran)).toMatchObject({ received: 2, failed: 1 });
      expect((await readdir(copy)).toSorted()).toEqual(["a.png", "c.png"]);
      trouble = undefined;
      expect(await cli(...argv())).toMatchObject({ code: 0, err: "" });
      expect(await treeOf(copy)).toEqual(await treeOf(photos));
    },
  );
});

describe("files that are not as they were", () => {
  test("a file that vanishes before it is read is named, and the rest is sent", async () => {
    onRequest = async (path) => {
      if (path === "POST /v1/albums") await rename(join(photos, "bad.png"), join(home, "away.png"));
    };
    const ran = await cli("put", ...paths(), album, "--json");
    expect(ran).toMatchObject({
      code: 1,
      err: expect.stringContaining(`${join(photos, "bad.png")}: no such file or folder\n`),
    });
    expect(totalsOf(ran)).toMatchObject({ sent: 2, failed: 1 });
    onRequest = undefined;
    await rename(join(home, "away.png"), join(photos, "bad.png"));
    expect(await cli("put", ...paths(), album)).toMatchObject({ code: 0, err: "" });
  });
});

test.each([
  ["put", () => ["put", ...paths(), album]],
  ["sync", () => ["sync", photos, album]],
])("%s ends at the file for which the store has no space, and names it", async (_, argv) => {
  await using full = await startStore({ MIN_FREE: "900000GiB" });
  const ran = await cliOf(full.url, home)(...argv());
  expect(ran).toMatchObject({ code: 1, out: "" });
  expect(ran.err).toMatch(/^Created the album .*\nimage-store: .*\.png: .*(space|disk)/);
});

describe("names and links", () => {
  test("an image whose name, or that of its fields, the file system cannot hold is named, and the others arrive", async () => {
    await cli("sync", photos, album);
    const long = `${"x".repeat(251)}.png`;
    const temporary = ".image-store-1-1.part";
    for (const name of [long, temporary]) {
      const path = `/v1/albums/${album}/images/${encodeURIComponent(name)}/content`;
      const given = { method: "PUT", body: newPng(), headers: { "Content-Type": "image/png" } };
      expect((await store.fetch(path, given)).status).toBe(201);
    }
    expect(await cli("tag", `${album}/${long}`, "lake")).toMatchObject({ code: 0 });
    const copy = join(home, album);
    const ran = await cli("export", album, home, "--json");
    expect(ran.code).toBe(1);
    expect(ran.err).toContain(`${join(copy, long)}: the file system cannot hold a name that long\n`);
    expect(ran.err).toContain(
      `${join(copy, temporary)}: its name is that of a file that is being written; rename it\n`,
    );
    expect(totalsOf(ran)).toMatchObject({ received: 3, failed: 2 });
    for (const [name, digest] of Object.entries(await treeOf(photos))) expect((await treeOf(copy))[name]).toBe(digest);
    expect((await readdir(copy)).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  test("an image without fields may have the longest name: export, again, and import keep it", async () => {
    const long = `${"x".repeat(251)}.png`;
    await mkdir(join(home, "long"));
    await Bun.write(join(home, "long", long), newPng());
    const sent = await cli("import", join(home, "long"));
    expect(sent).toMatchObject({ code: 0, err: "Created the album long\n" });
    const copy = join(home, "copy");
    for (const times of ["first", "again"])
      expect({ times, ...(await cli("export", "long", copy)) }).toMatchObject({ times, code: 0, err: "" });
    expect((await treeOf(copy))[long]).toBe((await treeOf(join(home, "long")))[long]);
    expect(await cli("import", copy)).toMatchObject({ code: 0, err: "" });
  });

  test("a link to itself is named, links to folders are skipped, and the rest is sent", async () => {
    await symlink("loop.png", join(photos, "loop.png"));
    await symlink(".", join(photos, "again"));
    const ran = await cli("sync", photos, album, "--json");
    expect(ran.code).toBe(1);
    expect(ran.err).toContain(`${join(photos, "loop.png")}: its symbolic links form a loop\n`);
    expect(ran.err).toContain(`${join(photos, "again")}: skipped, it is a folder\n`);
    expect(totalsOf(ran)).toMatchObject({ sent: 3, failed: 1 });
    const imported = await cli("import", photos, "--json");
    expect(imported.err).toContain(`${join(photos, "again")}: skipped, it is a symbolic link to a folder\n`);
    expect(totalsOf(imported)).toMatchObject({ sent: 3, failed: 1 });
    await rm(join(photos, "loop.png"));
    expect((await cli("sync", photos, album)).code).toBe(0);
  });
});
