import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startServer } from "../faults/server-process.ts";
import { until } from "../waiting.ts";
import { runCli } from "./run-cli.ts";

let folder: string;
let data: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-store-keys-"));
  data = join(folder, "data");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const key = (...argv: readonly string[]) => runCli(["key", ...argv], data);
const create = async (...argv: readonly string[]) => {
  const { code, out, err } = await key("create", ...argv);
  expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining("not shown again") });
  expect(out).toMatch(/^imgst_\w{66}\n$/);
  const secret = out.trim();
  return { secret, id: secret.split("_")[1] ?? "" };
};
const statusOf = async (url: string, secret?: string) =>
  (await fetch(`${url}/v1/events`, secret === undefined ? {} : { headers: { authorization: `Bearer ${secret}` } }))
    .status;

describe("image-store key", () => {
  test("create makes the first key before the first start, and the store then starts on any address", async () => {
    const { secret } = await create("admin", "--role", "admin");
    await using server = await startServer({ dataFolder: data, env: { IMAGE_STORE_HOST: "0.0.0.0" } });
    expect([await statusOf(server.url), await statusOf(server.url, secret)]).toEqual([401, 200]);
  });

  test("create and revoke are noticed by a running server, which stays closed without keys", async () => {
    await using server = await startServer({ dataFolder: data });
    expect(await statusOf(server.url)).toBe(200);
    const { secret, id } = await create("web", "--rights", "events");
    await until(async () => (await statusOf(server.url)) === 401);
    expect(await statusOf(server.url, secret)).toBe(200);
    expect(await key("revoke", id)).toMatchObject({
      code: 0,
      out: "",
      err: expect.stringContaining("Revoked 1 key."),
    });
    await until(async () => (await statusOf(server.url, secret)) === 401);
    expect(await statusOf(server.url)).toBe(401);
  });

  test("list prints the keys that are not revoked, one per line, without a secret", async () => {
    const admin = await create("admin", "--role", "admin");
    const web = await create("web", "--role", "viewer", "--albums", "client-*", "--albums", "a, b", "--expires", "30d");
    const gone = await create("gone", "--role", "uploader");
    await key("revoke", gone.id);
    const { code, out } = await key("list");
    const lines = out
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t"));
    expect({ code, lines }).toEqual({
      code: 0,
      lines: [
        [
          admin.id,
          "admin",
          "read,write,delete,transform,share,events,admin on all albums",
          "does not expire",
          "not used",
        ],
        [web.id, "web", "read,transform on a, b, client-*", expect.stringMatching(/^expires 20\d\d-.*Z$/), "not used"],
      ],
    });
    expect(out).not.toContain(admin.secret.slice(-20));
  });

  test("list and revoke create no store", async () => {
    for (const argv of [["list"], ["revoke", "x"]])
      expect(await key(...argv)).toMatchObject({ code: 1, err: expect.stringContaining("There is no store") });
  });

  test.each([
    [["create"], "needs a name"],
    [["create", "with space", "--role", "viewer"], "needs a name"],
    [["create", "web"], "needs a role or rights"],
    [["create", "web", "--role", "viewer", "--rights", "read"], "needs a role or rights"],
    [["create", "web", "--role", "owner"], "viewer, uploader, editor or admin"],
    [["create", "web", "--rights", "fly"], "rights"],
    [["create", "web", "--role", "viewer", "--albums", "*"], "--albums"],
    [["create", "web", "--role", "viewer", "--albums", "a/b"], "--albums"],
    [["create", "web", "--role", "admin", "--albums", "a"], "leave out --albums"],
    [["create", "web", "--role", "viewer", "--expires", "soon"], "--expires"],
    [["create", "web", "--role", "viewer", "--expires", "2020-01-01T00:00:00Z"], "not in the future"],
    [["list", "web"], "takes no argument"],
    [["revoke"], "needs the id"],
    [["create", "web", "more"], "takes one argument"],
    [["create", "web", "--role", "viewer", "--max-bytes", "much"], "--max-bytes must be a size"],
    [["create", "web", "--role", "viewer", "--max-images", "-1"], "--max-images"],
    [["list", "--data", "x", "--url", "http://127.0.0.1:1"], "--data is for the catalog"],
  ])("%j is refused with exit code 2, before a store is created", async (argv, message) => {
    expect(await key(...argv)).toEqual({ code: 2, out: "", err: expect.stringContaining(message) });
    expect(await Bun.file(join(data, "catalog.sqlite")).exists()).toBeFalse();
  });

  test("revoke of an unknown key fails", async () => {
    await create("web", "--role", "viewer");
    expect(await key("revoke", "0000000000000000")).toMatchObject({
      code: 1,
      err: expect.stringContaining("no such API key"),
    });
  });
});
