import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { ANY_URL, startStore, type TestStore } from "../../http/harness.ts";
import { newPng } from "../../http/image-fixtures.ts";
import { testKeys } from "../../http/test-keys.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { until } from "../../waiting.ts";
import { cliOf, documentsOf } from "./run-remote.ts";

const keys = testKeys({ admin: "read+write+delete+transform+share+events+admin", viewer: "read" });
const admin = keys.bearer("admin").Authorization.replace("Bearer ", "");
const viewer = keys.bearer("viewer").Authorization.replace("Bearer ", "");

let store: TestStore;
let home: string;
let cli: ReturnType<typeof cliOf>;
beforeAll(async () => {
  store = await startStore({ API_KEYS: keys.API_KEYS }, ANY_URL);
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(async () => {
  home = await newFolder("administer");
  cli = cliOf(store.url, home, { env: { HOME: home, IMAGE_STORE_URL: store.url, IMAGE_STORE_KEY: admin } });
});
afterEach(() => removeFolder(home));

async function putImage(album: string, name: string): Promise<void> {
  const path = join(home, name);
  await Bun.write(path, newPng(2000));
  expect(await cli("put", path, album)).toMatchObject({ code: 0 });
}

const onlyOf = async (...argv: readonly string[]): Promise<Record<string, unknown>> => {
  const ran = await cli(...argv, "--json");
  expect({ argv, code: ran.code, err: ran.err }).toEqual({ argv, code: 0, err: "" });
  const [document, ...others] = documentsOf(ran);
  expect(others).toEqual([]);
  return document as Record<string, unknown>;
};

test("ls without a key says that a store with keys shows no album, unless one is public", async () => {
  const keyless = cliOf(store.url, home, { env: { HOME: home, IMAGE_STORE_URL: store.url } });
  await putImage("Private", "a.png");
  expect(await keyless("ls")).toEqual({
    code: 0,
    out: "",
    err: expect.stringMatching(/^image-store: The store shows no album to clients without a key\. Give a key .*\n$/),
  });
  await store.send("PATCH", "/v1/albums/Private", { visibility: "public" }, keys.bearer("admin"));
  expect(await keyless("ls")).toMatchObject({ code: 0, out: expect.stringContaining("Private"), err: "" });
  await store.send("PATCH", "/v1/albums/Private", { visibility: "private" }, keys.bearer("admin"));
});

describe("image-store key, by the API", () => {
  test("create prints a key that works, show and update change it, and revoke ends it", async () => {
    await putImage("Keys", "a.png");
    const made = await cli("key", "create", "cam", "--role", "uploader", "--expires", "30d", "--max-bytes", "1MiB");
    expect(made).toMatchObject({
      code: 0,
      err: expect.stringContaining(`was made at ${store.url} and is not shown again`),
    });
    const secret = made.out.trim();
    const id = secret.split("_")[1] ?? "";
    expect((await cli("ls", "Keys", "--key", secret)).err).toContain('lacks the right "read"');
    expect(await onlyOf("key", "show", id)).toMatchObject({
      name: "cam",
      quota: { maxBytes: 1_048_576, maxImages: null },
    });

    await onlyOf("key", "update", id, "--role", "viewer", "--albums", "Key*", "--name", "cam2", "--expires", "never");
    await onlyOf("key", "update", id, "--max-images", "5");
    expect(await onlyOf("key", "show", id)).toMatchObject({
      name: "cam2",
      expiresAt: null,
      grants: [{ rights: ["read", "transform"], albums: { names: ["Key*"] } }],
      quota: { maxBytes: 1_048_576, maxImages: 5 },
    });
    expect((await cli("ls", "Keys", "--key", secret)).out).toContain("a.png");

    // What is not given stays.
    await onlyOf("key", "update", id, "--rights", "read");
    expect(await onlyOf("key", "show", id)).toMatchObject({
      grants: [{ rights: ["read"], albums: { names: ["Key*"] } }],
    });
    await onlyOf("key", "update", id, "--albums", "*");
    expect(await onlyOf("key", "show", id)).toMatchObject({ grants: [{ rights: ["read"], albums: "*" }] });

    expect((await cli("key", "list")).out).toMatch(
      new RegExp(`^${id}\tcam2\tread on all albums\tdoes not expire\t`, "m"),
    );
    expect(await cli("key", "revoke", id)).toEqual({ code: 0, err: "", out: `Revoked the key ${id}\n` });
    expect((await cli("ls", "--key", secret)).err).toContain("refuses the key");
    expect((await cli("key", "list")).out).not.toContain(id);
    expect((await cli("key", "list", "--revoked")).out).toMatch(new RegExp(`^${id}\tcam2\t.*\trevoked 20`, "m"));
  });

  test("says which right is missing, and which key is not there", async () => {
    expect((await cli("key", "list", "--key", viewer)).err).toContain('The key lacks the right "admin"');
    expect(await cli("key", "show", "none")).toMatchObject({
      code: 1,
      err: expect.stringContaining("no such API key"),
    });
    expect(await cli("key", "update", "viewer", "--name", "x")).toMatchObject({
      code: 1,
      err: expect.stringContaining("configuration"),
    });
  });

  test.each([
    [["key", "update", "x"], "needs --name, --role"],
    [["key", "update"], "needs the id"],
    [["key", "show"], "needs the id"],
    [["key", "update", "x", "--role", "admin", "--albums", "a"], "it needs --albums '*'"],
    [["key", "create", "x", "--role", "viewer", "--albums", "a/b"], "--albums"],
    [["share", "create", "A", "--expires", "soon"], "--expires must be a time from now"],
    [["share", "show", "A"], '"share show" needs'],
    [["share", "revoke", "A"], '"share revoke" needs'],
    [["ticket", "revoke", "A"], '"ticket revoke" needs'],
    [["ticket", "create", "A", "--expires", "2d"], "--expires must be from 1m to 24h"],
    [["cursor", "show"], '"cursor show" needs'],
    [["quota", "show"], '"quota show" needs store, album ALBUM or key ID.'],
    [["quota", "show", "store", "x"], '"quota show" needs store'],
    [["quota", "show", "alubm", "x"], '"quota show" needs store'],
    [["quota", "set", "store"], "needs --max-bytes or --max-images"],
    [["quota", "set", "store", "--max-bytes", "big"], "--max-bytes must be a size"],
    [["token", " "], "A token has visible ASCII characters only"],
  ])("%j is refused with exit code 2", async (argv, message) => {
    const { code, out, err } = await cli(...argv);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(message);
  });
});

describe("image-store key chooses", () => {
  test("the catalog with --data or its settings, and the API with a URL, a key or a profile", async () => {
    const data = join(home, "data");
    const run = (env: Record<string, string>, ...argv: readonly string[]) =>
      cliOf("", home, { env: { HOME: home, ...env } })("key", "list", ...argv);
    const noStore = { code: 1, err: expect.stringContaining("There is no store") };
    const byApi = { code: 0, out: expect.stringContaining("viewer") };
    const api = { IMAGE_STORE_URL: store.url, IMAGE_STORE_KEY: admin };
    expect(await run({ ...api }, "--data", data)).toMatchObject(noStore);
    expect(await run({ IMAGE_STORE_DATA: data })).toMatchObject(noStore);
    expect(await run({ IMAGE_STORE_DATA: data }, "--url", store.url, "--key", admin)).toMatchObject(byApi);
    expect(await run(api)).toMatchObject(byApi);
    await cli("login", store.url, "--key", admin);
    expect(await run({})).toMatchObject(byApi);
    expect(await run({ IMAGE_STORE_DATA: data })).toMatchObject(noStore);
  });
});

describe("image-store share and ticket", () => {
  test("list, show and revoke what create made", async () => {
    await putImage("Links", "a.png");
    const share = await onlyOf("share", "create", "Links", "--label", "Ann", "--expires", "never");
    const url = String(share["url"]);
    expect((await fetch(url)).status).toBe(200);
    const id = String(share["id"]);
    expect((await cli("share", "list", "Links")).out).toBe(`${id}\tread\tdoes not expire\t0 uses\tAnn\n`);
    expect(await onlyOf("share", "list", "Links")).toMatchObject({ id, label: "Ann" });
    expect(await onlyOf("share", "show", "Links", id)).toMatchObject({ id, label: "Ann", originals: false });
    const revoked = await cli("share", "revoke", "Links", "none", id);
    expect(revoked).toMatchObject({
      code: 1,
      out: `Revoked ${id}\n`,
      err: expect.stringMatching(/^none: .*no such share/),
    });
    expect((await fetch(url)).status).toBe(404);

    const ticket = await onlyOf("ticket", "create", "Links", "--files", "3", "--expires", "10m");
    expect((await cli("ticket", "list", "Links")).out).toMatch(
      new RegExp(`^${String(ticket["id"])}\t3 of 3 files left\texpires 20.*Z\t\n$`),
    );
    expect(await cli("ticket", "revoke", "Links", String(ticket["id"]))).toMatchObject({ code: 0 });
    expect((await cli("ticket", "list", "Links")).out).toBe("");
    const upload = await fetch(String(ticket["url"]), { method: "POST", body: newPng() });
    expect(upload.status).toBeGreaterThanOrEqual(400);
  });
});

const secretOf = (byte: number) => `whsec_${Buffer.alloc(32, byte).toString("base64")}`;

describe("image-store webhook", () => {
  test("create and rotate-secret take a secret from a file or standard input", async () => {
    const file = join(home, "secret");
    await Bun.write(file, `${secretOf(1)}\nnot a part of it\n`);
    const made = await cli("webhook", "create", "https://hooks.example.com/", "--secret-file", file, "--json");
    const [{ id, secret } = {}] = documentsOf(made);
    expect(secret).toBe(secretOf(1));
    const env = { HOME: home, IMAGE_STORE_URL: store.url, IMAGE_STORE_KEY: admin };
    const readFile = (path: string) => {
      expect(path).toBe("/dev/stdin");
      return `${secretOf(2)}\n`;
    };
    const piped = cliOf(store.url, home, { env, readFile });
    expect(await piped("webhook", "rotate-secret", String(id), "--secret-file", "-")).toMatchObject({
      code: 0,
      out: `${secretOf(2)}\n`,
    });
    expect(
      await piped("webhook", "create", "https://x.example.com/", "--secret-file", "-", "--key", "-"),
    ).toMatchObject({
      code: 2,
      err: expect.stringContaining("--key and --secret-file cannot both be standard input."),
    });
    expect(await cli("webhook", "delete", String(id))).toMatchObject({ code: 0 });
  });

  test("create says which secret it cannot use, and makes no webhook", async () => {
    const before = (await cli("webhook", "list")).out;
    const create = (file: string) => cli("webhook", "create", "https://hooks.example.com/", "--secret-file", file);
    const file = join(home, "secret");
    expect(await create(file)).toMatchObject({ code: 1, err: expect.stringContaining(`${file}: no such file`) });
    await Bun.write(file, "\n");
    expect(await create(file)).toMatchObject({ code: 2, err: expect.stringContaining("must be a secret") });
    await Bun.write(file, "whsec_dG9vIHNob3J0\n");
    expect(await create(file)).toMatchObject({ code: 1, err: expect.stringContaining("24 to 64 bytes") });
    expect((await cli("webhook", "list")).out).toBe(before);
  });
});

describe("image-store quota", () => {
  test("set changes one limit and keeps the other, and remove ends both", async () => {
    await putImage("Quota", "a.png");
    expect(await cli("quota", "show", "album", "Quota")).toMatchObject({
      code: 1,
      err: 'image-store: Nothing limits the album Quota. "image-store quota set" does.\n',
    });
    expect(await onlyOf("quota", "set", "album", "Quota", "--max-bytes", "1GiB", "--max-images", "1")).toMatchObject({
      maxBytes: 1024 ** 3,
      maxImages: 1,
      used: { images: 1 },
    });
    await Bun.write(join(home, "b.png"), newPng());
    expect((await cli("put", join(home, "b.png"), "Quota")).code).toBe(1);
    expect(await onlyOf("quota", "set", "album", "Quota", "--max-images", "none")).toMatchObject({
      maxBytes: 1024 ** 3,
      maxImages: null,
    });
    expect((await cli("put", join(home, "b.png"), "Quota")).code).toBe(0);
    expect((await cli("quota", "show", "album", "Quota")).out).toMatch(/^maxBytes: +1073741824$/m);
    expect((await cli("quota", "list")).out).toMatch(/^albums\/\S+\t2 of any number of images\t\S+ KiB of 1\.0 GiB$/m);
    expect((await cli("quota", "remove", "album", "Quota")).out).toBe("Removed the limits of the album Quota\n");
    expect((await cli("quota", "list")).out).not.toContain("albums/");
    expect(await onlyOf("quota", "set", "store", "--max-images", "1000")).toMatchObject({ scope: "store" });
    expect((await cli("quota", "remove", "store")).code).toBe(0);
    expect((await cli("quota", "show", "key", "none")).code).toBe(1);
  });
});

describe("image-store cursor", () => {
  test("list, show and delete name readers of the log", async () => {
    expect(await cli("cursor", "list")).toEqual({ code: 0, out: "", err: "" });
    expect(await cli("cursor", "show", "thumbs")).toEqual({
      code: 1,
      out: "",
      err: 'image-store: There is no cursor thumbs. "image-store cursor list" lists them.\n',
    });
    expect(await cli("cursor", "delete", "thumbs")).toMatchObject({ code: 1, out: "" });
  });
});

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

describe("image-store token", () => {
  test("says what a key may do, and when the store refuses it", async () => {
    expect((await cli("token")).out).toMatch(
      /^caller: {3}key admin admin\nexpiry: {3}does not expire\ngrant: {4}read,.*admin on all albums\n$/,
    );
    expect(await onlyOf("token", viewer)).toMatchObject({
      accepted: true,
      grants: [{ rights: ["read"] }],
      claims: null,
    });
    expect(await cli("token", "wrong")).toMatchObject({ code: 1, out: "" });
  });

  test("names what is wrong with the claims of a JWT that the store refuses", async () => {
    const token = [
      encoded({ alg: "HS256", typ: "JWT" }),
      encoded({ sub: "ann", exp: 1, nonce: "x", cnf: {} }),
      "c2ln",
    ].join(".");
    const { code, out, err } = await cli("token", "-", "--json").then(() => cli("token", token));
    expect(code).toBe(1);
    expect(err).toBe(`The store at ${store.url} refuses the token.\n`);
    for (const problem of [
      'alg is "HS256"',
      "aud is absent",
      "it expired 1970-01-01T00:00:01.000Z",
      "cnf binds",
      "nonce marks",
    ])
      expect(out).toContain(`problem:  ${problem}`);
    expect(documentsOf(await cli("token", token, "--json"))).toMatchObject([
      { accepted: false, claims: { sub: "ann" }, problems: expect.arrayContaining(["aud is absent"]) },
    ]);
  });
});

describe("image-store open", () => {
  test("prints a URL that shows the image without a key, and starts BROWSER on a terminal only", async () => {
    await putImage("Open", "a b.png");
    const { url, opened } = await onlyOf("open", "Open/a b.png");
    expect(opened).toBe(false);
    expect((await fetch(String(url))).headers.get("content-type")).toBe("image/png");

    const browser = join(home, "browser");
    const log = join(home, "opened");
    await Bun.write(browser, `#!/bin/sh\necho "$1" > "${log}.part" && mv "${log}.part" "${log}"\n`);
    await chmod(browser, 0o755);
    const env = { HOME: home, IMAGE_STORE_URL: store.url, IMAGE_STORE_KEY: admin, BROWSER: browser };
    const ran = await cliOf(store.url, home, { env, isTerminal: true })("open", "Open/a b.png");
    expect(ran).toMatchObject({ code: 0, err: "" });
    await until(() => Bun.file(log).exists());
    expect(await Bun.file(log).text()).toBe(ran.out);
    const without = await cliOf(store.url, home, { env: { ...env, BROWSER: "/nowhere/browser" }, isTerminal: true })(
      "open",
      "Open/a b.png",
    );
    expect(without).toMatchObject({ code: 0, err: expect.stringContaining("No browser was found.") });
  });

  test("opens the page of the store and of an album, and says where there is no page", async () => {
    await putImage("Page é", "a.png");
    const asked: string[] = [];
    using page = Bun.serve({
      port: 0,
      async fetch(request) {
        const { pathname } = new URL(request.url);
        if (!pathname.startsWith("/v1")) {
          asked.push(pathname);
          return new Response("<!doctype html>", { headers: { "Content-Type": "text/html" } });
        }
        return fetch(`${store.url}${pathname}`, { headers: request.headers });
      },
    });
    const url = `http://127.0.0.1:${page.port}`;
    expect(await onlyOf("open", "--url", url, "--key", admin)).toEqual({ url: `${url}/`, opened: false });
    const opened = await onlyOf("open", "Page é", "--url", url, "--key", admin);
    expect(opened["url"]).toBe(`${url}/albums/Page%20%C3%A9`);
    expect(asked).toEqual(["/", "/albums/Page%20%C3%A9"]);
    await using pageless = await startStore({ PAGE: "false" });
    expect(await cliOf(pageless.url, home)("open")).toMatchObject({
      code: 1,
      err: expect.stringContaining(`The store at ${pageless.url} serves no page.`),
    });
  });

  test("says which album is not there", async () => {
    expect(await cli("open", "Nowhere")).toMatchObject({
      code: 1,
      err: expect.stringContaining("There is no such album."),
    });
  });
});
