import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type CloudEvent, createClient, type Image } from "../../client/src/index.ts";
import { startStore } from "../http/harness.ts";
import { newPng } from "../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { freePorts } from "./free-ports.ts";
import { createServerProcess } from "./server-process.ts";

const varnishd = Bun.which("varnishd", { PATH: `${process.env["PATH"]}:/usr/sbin` });
const PAGE = join(import.meta.dir, "../../docs/caching.md");

/** The code of a language in docs/caching.md. */
async function codeIn(language: string): Promise<readonly string[]> {
  const text = await Bun.file(PAGE).text();
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, of]) => of === language)
    .map(([, , code]) => code ?? "");
}

async function startVarnish(storePort: number) {
  const folder = await newFolder("varnish");
  const [port = 0] = await freePorts(1);
  const [vcl = ""] = await codeIn("vcl");
  expect(vcl).toContain('.port = "8080"');
  await Bun.write(join(folder, "store.vcl"), vcl.replace('.port = "8080"', `.port = "${storePort}"`));
  const url = `http://127.0.0.1:${port}`;
  // Its own users can not read the folder.
  const options = ["-j", "none", "-f", join(folder, "store.vcl"), "-n", join(folder, "work"), "-s", "malloc,64m", "-F"];
  const server = createServerProcess({
    name: "varnishd",
    command: [varnishd ?? "", "-a", `127.0.0.1:${port}`, ...options],
    logFile: join(folder, "log"),
    answers: () =>
      fetch(`${url}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      ),
  });
  await server.start();
  return {
    url,
    async [Symbol.asyncDispose]() {
      await server.end("SIGTERM");
      await removeFolder(folder);
    },
  };
}

describe.skipIf(varnishd === null)("Varnish with the configuration of docs/caching.md", () => {
  test("keeps content, and serves it no longer once the receiver of events has purged it by its tags", async () => {
    await using store = await startStore({ CACHE_TAGS: "true" });
    await using varnish = await startVarnish(store.port);
    const [tagsCode = ""] = await codeIn("ts");
    const { tagsOf } = (await import(await saved(tagsCode))) as { tagsOf: (event: CloudEvent) => string[] };
    const client = createClient({ url: store.url });
    await client.albums.create({ name: "a" });
    const upload = (name: string) => client.upload("a", newPng(), { name });
    const [one, two, three] = [await upload("one"), await upload("two"), await upload("three")];
    const get = async ({ links: { content } }: Image, query = "") => {
      const response = await fetch(`${varnish.url}${content}${query}`);
      await response.body?.cancel();
      const isHit = (response.headers.get("x-varnish") ?? "").includes(" ");
      expect([response.headers.get("surrogate-key"), response.headers.get("cache-tag")]).toEqual([null, null]);
      return [response.status, isHit ? "hit" : "miss"];
    };
    for (const image of [one, two, three]) {
      expect(await get(image)).toEqual([200, "miss"]);
      expect(await get(image)).toEqual([200, "hit"]);
    }
    expect(await get(one, "?w=320&format=png")).toEqual([200, "miss"]);

    let position = (await client.send("GET", "/v1/events", { query: { after: "latest", limit: 1 } })).nextCursor;
    /** As the receiver does with each event. */
    async function purge(): Promise<number> {
      const { items, nextCursor } = await client.send("GET", "/v1/events", { query: { after: position } });
      position = nextCursor;
      const tags = items.flatMap((event) => tagsOf(event));
      if (tags.length === 0) return 0;
      const response = await fetch(varnish.url, { method: "PURGE", headers: { xkey: tags.join(" ") } });
      expect(response.status).toBe(200);
      return tags.length;
    }
    await client.delete("a", "one");
    // Without a purge, it is served on.
    expect(await get(one)).toEqual([200, "hit"]);
    expect(await purge()).toBe(1);
    expect(await get(one)).toEqual([404, "miss"]);
    expect((await get(one, "?w=320&format=png"))[0]).toBe(404);
    expect(await get(two)).toEqual([200, "hit"]);

    await client.albums.delete("a", { recursive: true });
    expect(await get(three)).toEqual([200, "hit"]);
    await purge();
    expect((await get(two))[0]).toBe(404);
    expect((await get(three))[0]).toBe(404);
  });
});

/** Code of the page as a module. */
async function saved(code: string): Promise<string> {
  const folder = await newFolder("receiver");
  const path = join(folder, "receiver.ts");
  await Bun.write(path, code);
  return path;
}
