import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Front, startFront } from "../../../client/test/front.ts";
import { startStore, type TestStore } from "../../http/harness.ts";
import { newPng } from "../../http/image-fixtures.ts";
import { testKeys } from "../../http/test-keys.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { cliOf, documentsOf, treeOf } from "./run-remote.ts";

const keys = testKeys({ admin: "read+write+delete+share+events+admin", viewer: "read", uploader: "write" });
const keyOf = (name: "admin" | "viewer" | "uploader") => keys.bearer(name).Authorization.replace("Bearer ", "");

let store: TestStore;
let front: Front;
let home: string;
let photos: string;
let cli: ReturnType<typeof cliOf>;
beforeAll(async () => {
  store = await startStore();
  front = startFront(store.url);
});
beforeEach(async () => {
  home = await newFolder("cli");
  photos = join(home, "photos");
  await mkdir(photos);
  cli = cliOf(front.url, home);
});
afterEach(() => removeFolder(home));
afterAll(async () => {
  await front[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});

async function writeImage(name: string, bytes = newPng(2000)): Promise<string> {
  const path = join(photos, name);
  await Bun.write(path, bytes);
  return path;
}

const problem = (status: number, code: string) => () =>
  Response.json(
    { type: "about:blank", title: code, status, detail: `${code}.`, code, requestId: "1" },
    { status, headers: { "Content-Type": "application/problem+json" } },
  );
/** Not all bytes of the image that was asked for. */
const half = () => new Response(newPng(500), { headers: { "Content-Type": "image/png" } });
const html = (status: number) => () =>
  new Response("<h1>Sign in</h1>", { status, headers: { "Content-Type": "text/html" } });

describe("image-store put, ls, stat, get and rm", () => {
  test("move images to a store and back", async () => {
    const [lake, dawn] = [await writeImage("lake é.png"), await writeImage("dawn.png")];
    expect(await cli("put", lake, dawn, "First")).toMatchObject({ code: 0, err: "Created the album First\n" });
    const { out } = await cli("ls", "First");
    expect(out.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/ dawn\.png$/),
      expect.stringMatching(/ lake é\.png$/),
    ]);
    expect((await cli("ls")).out).toMatch(/ 2 .*First\n/);
    expect(documentsOf(await cli("ls", "--json"))).toMatchObject([{ name: "First", imageCount: 2 }]);
    expect(documentsOf(await cli("ls", "First", "--json"))).toMatchObject([
      { name: "dawn.png" },
      { name: "lake é.png" },
    ]);
    expect(documentsOf(await cli("stat", "First/dawn.png", "--json"))).toMatchObject([
      { name: "dawn.png", contentType: "image/png" },
    ]);
    expect((await cli("stat", "First")).out).toMatch(/^imageCount: +2$/m);
    const copy = join(home, "deep", "copy");
    expect(await cli("get", "First", copy)).toMatchObject({
      code: 0,
      err: "",
      out: expect.stringMatching(/^2 files received \(4.\d KiB moved\)\n$/),
    });
    expect(await treeOf(copy)).toEqual(await treeOf(photos));
    // For the user's umask, as other programs write files.
    expect((await stat(join(copy, "dawn.png"))).mode & 0o777).toBe(0o644);
    expect((await cli("get", "First/dawn.png", copy)).out).toBe("1 file unchanged\n");
    expect(await cli("rm", "First/dawn.png")).toEqual({ code: 0, err: "", out: "Deleted First/dawn.png\n" });
    const several = await cli("rm", "First", "First/none.png", "First/lake é.png");
    expect(several).toMatchObject({ code: 1, out: "Deleted First/lake é.png\n" });
    expect(several.err.split("\n")).toEqual([
      "First: The album has images. Delete them too with --recursive.",
      "First/none.png: There is no such image.",
      "",
    ]);
    await cli("put", join(photos, "dawn.png"), "First");
    const refused = await cli("rm", "First");
    expect(refused).toMatchObject({ code: 1, err: "First: The album has images. Delete them too with --recursive.\n" });
    expect((await cli("rm", "First", "--recursive", "--json")).out).toBe('{"action":"delete","path":"First"}\n');
    expect((await cli("ls")).out).toBe("");
  });

  test("put uploads the rest when files fail, and says which failed", async () => {
    const good = await writeImage("good.png");
    const text = await writeImage("notes.txt", Buffer.from("no image"));
    const missing = join(photos, "missing.png");
    const ran = await cli("put", missing, good, text, photos, "Some", "--json");
    expect(ran.code).toBe(1);
    expect(ran.err).toContain(`${missing}: no such file or folder\n`);
    expect(ran.err).toContain(`${text}: it is not an image`);
    expect(ran.err).toContain(`${photos}: it is a folder\n`);
    const documents = documentsOf(ran);
    expect(documents.at(-1)).toMatchObject({ action: "finished", sent: 1, failed: 3 });
    expect(documents.filter(({ action }) => action === "sent")).toMatchObject([
      { name: good, image: { name: "good.png" } },
    ]);
    expect(documents.filter(({ action }) => action === "failed")).toHaveLength(3);
  });

  test("put shows files, bytes and rate on a terminal, and clears the line", async () => {
    const path = await writeImage("lake.png");
    const { code, err } = await cliOf(front.url, home, { isErrorTerminal: true })("put", path, "Terminal");
    expect(code).toBe(0);
    expect(err).toMatch(/\r[█░]{20} \d+ % {2}0 of 1\+? files {2}/);
    expect(err).toEndWith("\r\u001b[K");
  });

  test("put --if-exists decides what becomes of a name that is taken", async () => {
    const path = await writeImage("lake.png");
    await cli("put", path, "Taken");
    const [{ sha256 } = {}] = documentsOf(await cli("stat", "Taken/lake.png", "--json"));
    await writeImage("lake.png");
    expect(await cli("put", path, "Taken", "--if-exists", "fail")).toMatchObject({
      code: 1,
      err: expect.stringContaining(`${path}: The album has an image lake.png. Replace it with --if-exists replace`),
    });
    expect((await cli("put", path, "Taken", "--if-exists", "keep")).out).toStartWith("1 file kept");
    expect(documentsOf(await cli("stat", "Taken/lake.png", "--json"))).toMatchObject([{ sha256 }]);
    expect((await cli("put", path, "Taken", "--if-exists", "keep-both")).code).toBe(0);
    expect((await cli("put", path, "Taken")).code).toBe(0);
    const [both, replaced] = documentsOf(await cli("ls", "Taken", "--json"));
    expect([both, replaced]).toMatchObject([{ name: "lake (2).png" }, { name: "lake.png" }]);
    expect(replaced?.["sha256"]).toBe(both?.["sha256"]);
    expect(replaced?.["sha256"]).not.toBe(sha256);
  });

  // The second is received in chunks.
  test.each([2000, 3_000_000])("get names no file before it has all %d bytes, and replaces another", async (size) => {
    await cli("put", await writeImage("lake.png", newPng(size)), "Cut");
    const copy = join(home, "copy");
    await mkdir(copy);
    await Bun.write(join(copy, "lake.png"), "old");
    const [record] = documentsOf(await cli("stat", "Cut/lake.png", "--json"));
    const known = () => Response.json(record);
    front.next(known, half, half, half, half);
    const ran = await cli("get", "Cut/lake.png", copy);
    expect(ran).toMatchObject({
      code: 1,
      err: expect.stringContaining(`${join(copy, "lake.png")}: The connection to the store at`),
    });
    expect(await readdir(copy)).toEqual(["lake.png"]);
    expect(await Bun.file(join(copy, "lake.png")).text()).toBe("old");
    front.next(known, () => new Response(newPng(2 * size), { headers: { "Content-Type": "image/png" } }));
    expect((await cli("get", "Cut/lake.png", copy)).err).toContain("do not have the image's digest");
    expect(await readdir(copy)).toEqual(["lake.png"]);
    front.next(known, half, half);
    expect(await cli("get", "Cut/lake.png", copy)).toMatchObject({ code: 0, err: "" });
    expect(await treeOf(copy)).toEqual(await treeOf(photos));
  });

  test("tag prints, adds and removes tags, and ls --tag filters by one", async () => {
    await cli("put", await writeImage("a.png"), await writeImage("b.png"), "Tags");
    expect((await cli("tag", "Tags/a.png", "lake", "dawn")).out).toBe("lake\ndawn\n");
    expect((await cli("tag", "Tags/a.png", "dawn", "--remove")).out).toBe("lake\n");
    expect((await cli("tag", "Tags/a.png")).out).toBe("lake\n");
    expect(documentsOf(await cli("tag", "Tags/a.png", "--json"))).toMatchObject([{ tags: ["lake"] }]);
    expect(documentsOf(await cli("ls", "Tags", "--tag", "lake", "--json"))).toMatchObject([{ name: "a.png" }]);
  });

  test("tag ALBUM changes the images that need it, and keeps tags that another client adds meanwhile", async () => {
    const paths = await Promise.all(["a.png", "b.png", "c.png"].map((name) => writeImage(name)));
    await cli("put", ...paths, "Tagged");
    await cli("tag", "Tagged/a.png", "lake");
    const tagsOf = async () => documentsOf(await cli("ls", "Tagged", "--json")).map(({ tags }) => tags);
    expect(await cli("tag", "Tagged", "lake")).toEqual({
      code: 0,
      out: "Tagged/b.png\tlake\nTagged/c.png\tlake\n",
      err: "",
    });
    expect(await cli("tag", "Tagged", "lake")).toEqual({ code: 0, out: "", err: "" });
    const page: unknown = await (await fetch(`${store.url}/v1/albums/Tagged/images`)).json();
    await store.send("PATCH", "/v1/albums/Tagged/images/b.png", { tags: ["lake", "theirs"] });
    front.next(() => Response.json(page));
    expect(documentsOf(await cli("tag", "Tagged", "dawn", "--json"))).toMatchObject([
      { name: "a.png", tags: ["lake", "dawn"] },
      { name: "b.png", tags: ["lake", "theirs", "dawn"] },
      { name: "c.png", tags: ["lake", "dawn"] },
    ]);
    expect((await cli("tag", "Tagged", "lake", "theirs", "--remove")).code).toBe(0);
    expect(await tagsOf()).toEqual([["dawn"], ["dawn"], ["dawn"]]);
  });

  test("tag ALBUM names each image that it cannot tag, tags the others, and exits with 1", async () => {
    await cli("put", await writeImage("a.png"), await writeImage("b.png"), "Full");
    const most = Array.from({ length: 64 }, (_, index) => `tag ${index}`);
    await store.send("PATCH", "/v1/albums/Full/images/a.png", { tags: most });
    expect(await cli("tag", "Full", "lake")).toEqual({
      code: 1,
      out: "Full/b.png\tlake\n",
      err: "Full/a.png: it would have 65 tags; at most 64 are allowed\n",
    });
    await store.send("PATCH", "/v1/albums/Full/images/b.png", { tags: [] });
    const long = Array.from({ length: 33 }, (_, index) => `${"🏔".repeat(60)}${index}`);
    await store.send("PATCH", "/v1/albums/Full/images/a.png", { tags: ["x".repeat(64), "y".repeat(64)] });
    const { code, out, err } = await cli("tag", "Full", ...long);
    expect({ code, names: out.split("\n").map((line) => line.split("\t", 1)[0]) }).toEqual({
      code: 1,
      names: ["Full/b.png", ""],
    });
    expect(err).toBe("Full/a.png: The text is too long.\n");
  });
});

describe("a command for a store", () => {
  test.each([
    [["put", "a.png"], '"put" needs files and an album.'],
    [["put", "a.png", "b/c"], 'The last operand must be an album, not "b/c".'],
    [["put", "a/x.png", "b/x.png", "A"], "a/x.png and b/x.png have the same name."],
    [["put", "a.png", "A", "--if-exists", "no"], "--if-exists must be replace, fail, keep, keep-both"],
    [["get"], '"get" needs an album or ALBUM/IMAGE.'],
    [["get", "a/b/c"], '"a/b/c" is not an album or ALBUM/IMAGE.'],
    [["get", "/b"], '"/b" is not an album or ALBUM/IMAGE.'],
    [["stat"], '"stat" needs'],
    [["rm"], '"rm" needs'],
    [["tag", "A"], '"tag" needs ALBUM/IMAGE, or a tag for all images'],
    [["tag", "A/b", "--remove"], "--remove needs a tag."],
    [["ls", "--tag", "x"], "--tag needs an album."],
    [["login"], '"login" needs the URL of a store.'],
    [["ls", "--url", "ftp://x"], '"ftp://x" is not the URL of a store'],
    [["ls", "--url", "http://me:you@x"], "must not have a user name"],
    [["sync", "a"], '"sync" needs a folder and an album.'],
    [["sync", "a", "b"], "one must be an album and one a folder"],
    [["sync", "./a", "./b"], "one must be an album and one a folder"],
  ])("%j is refused with exit code 2", async (argv, message) => {
    const { code, out, err } = await cli(...argv);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(message);
    expect(err).toContain("--help");
  });

  test("says that no store is at the URL, or that something else is", async () => {
    const gone = await cli("ls", "--url", "http://127.0.0.1:1");
    expect(gone).toMatchObject({ code: 1, out: "" });
    expect(gone.err).toStartWith("image-store: No store answers at http://127.0.0.1:1. Is it running?");
    expect(gone.err).not.toContain("--data");
    const create = await cli("key", "create", "admin", "--role", "admin", "--url", "http://127.0.0.1:1");
    expect(create.err).toEndWith("If the store is stopped, name its data folder with --data.\n");
    front.next(html(200));
    expect((await cli("ls")).err).toContain(
      `Something other than an Image Store answers at ${front.url}: 200 OK text/html.`,
    );
    front.next(html(404));
    expect((await cli("ls")).err).toContain(": 404 Not Found text/html.");
    expect((await cli("ls", "Nowhere")).err).toStartWith("image-store: There is no such album.");
  });

  test("says which right the key lacks", async () => {
    await using closed = await startStore({ API_KEYS: keys.API_KEYS });
    const run = cliOf(closed.url, home);
    const path = await writeImage("lake.png");
    const nameless = await run("put", path, "A");
    expect(nameless).toMatchObject({ code: 1, out: "" });
    expect(nameless.err).toContain("key");
    expect((await run("ls", "--key", "wrong")).err).toContain(`The store at ${closed.url} refuses the key.`);
    expect(await run("put", path, "A", "--key", keyOf("admin"))).toMatchObject({ code: 0 });
    expect((await run("rm", "A", "--recursive", "--key", keyOf("viewer"))).err).toContain(
      'The key lacks the right "delete"',
    );
    expect((await run("put", path, "A", "--key", keyOf("viewer"))).err).toContain('lacks the right "write"');
    // It sees no record of what it stores.
    await writeImage("lake.png");
    expect(await run("put", path, "A", "--key", keyOf("uploader"))).toMatchObject({
      code: 0,
      err: "",
      out: expect.stringMatching(/^1 file sent \(2.0 KiB moved\)\n$/),
    });
  });

  test("ends with 1 when the store fails, and with a sentence", async () => {
    front.next(problem(500, "internal"));
    expect(await cli("ls")).toEqual({ code: 1, out: "", err: "image-store: internal.\n" });
  });
});

describe("image-store login", () => {
  test("keeps URL and key for the user alone, and sends the key to that URL only", async () => {
    await using closed = await startStore({ API_KEYS: keys.API_KEYS });
    const env = { HOME: home };
    const run = cliOf("", home, { env });
    expect(await run("login", closed.url)).toMatchObject({ code: 1, err: expect.stringContaining("needs a key") });
    expect(
      await cliOf("", home, { env, readFile: () => `${keyOf("admin")}\n` })("login", `${closed.url}/`, "--key", "-"),
    ).toMatchObject({
      code: 0,
      out: expect.stringContaining(`Later commands use ${closed.url} as admin.`),
    });
    const path = join(home, ".config/image-store/profile.json");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(home, ".config/image-store"))).toEqual(["profile.json"]);
    expect((await run("put", await writeImage("lake.png"), "A")).code).toBe(0);
    expect((await run("ls", "--json")).out).toContain('"name":"A"');
    // An environment variable overrides the profile.
    expect((await cliOf("", home, { env: { ...env, IMAGE_STORE_KEY: "wrong" } })("ls")).err).toContain(
      "refuses the key",
    );
    let seen: string | null = "";
    using other = Bun.serve({
      port: 0,
      fetch(request) {
        seen = request.headers.get("authorization");
        return Response.json({ items: [] });
      },
    });
    expect((await run("ls", "--url", `http://127.0.0.1:${other.port}`)).code).toBe(0);
    expect(seen).toBeNull();
    await Bun.write(path, "{");
    expect(await run("ls")).toMatchObject({ code: 2, err: expect.stringContaining("is damaged") });
  });
});
