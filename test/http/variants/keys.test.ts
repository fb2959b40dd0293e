import { describe, expect, test } from "bun:test";
import { jsonOf } from "../harness.ts";
import { codeOf } from "../image-fixtures.ts";
import { bearer, startWithKeys, versionOf } from "./variant-store.ts";

describe("API keys and variants", () => {
  test("decide which variants a client may request, and the answer says so", async () => {
    const { keyed, links } = await startWithKeys({ PUBLIC_READ: "true" });
    await using _ = keyed;
    const status = async (query: string, headers: Readonly<Record<string, string>> = {}) =>
      (await keyed.fetch(`${links.self}/content?${query}`, { headers })).status;
    for (const query of ["w=160", "w=80&dpr=2&format=webp", "preset=thumb&format=png", "strip=location"]) {
      expect({ query, status: await status(query) }).not.toEqual({ query, status: 403 });
    }
    for (const query of ["w=161", "w=160&h=160", "w=160&q=1", "blur=3"]) {
      const refused = await keyed.fetch(`${links.self}/content?${query}`, { headers: bearer("reader") });
      expect(refused.status).toBe(403);
      expect(refused.headers.get("www-authenticate")).toEndWith('error="insufficient_scope", scope="transform"');
      expect(await jsonOf(refused)).toMatchObject({
        code: "variant_not_allowed",
        missing: ["transform"],
        allowed: { presets: ["thumb", "small", "medium", "large"], widths: expect.arrayContaining([160]) },
      });
      expect([await status(query), await status(query, bearer("artist"))]).toEqual([403, 200]);
    }
    const gone = await keyed.fetch("/v1/albums/a/images/none/content?w=161", { headers: bearer("reader") });
    expect(await codeOf(gone)).toBe("image_not_found");
  });

  test("make immutable answers private, which shared caches do not keep", async () => {
    const { keyed, links } = await startWithKeys({});
    await using _ = keyed;
    const cached = async (path: string) =>
      (await keyed.fetch(path, { headers: bearer("artist") })).headers.get("cache-control");
    const version = await versionOf(keyed, links.content, bearer("artist"));
    expect(await cached(`${links.content}?w=160&v=${version}`)).toBe("private, max-age=31536000, immutable");
    expect(await cached(`${links.content}?w=160`)).toBe("private, no-cache");
  });

  test("keep privileged variants out of shared caches on a publicly readable store", async () => {
    const { keyed, links } = await startWithKeys({ PUBLIC_READ: "true" });
    await using _ = keyed;
    const version = await versionOf(keyed, links.content);
    for (const [query, scope] of [
      ["w=160", "public"],
      ["strip=location", "public"],
      ["w=161", "private"],
      ["w=160&blur=1", "private"],
    ]) {
      const target = `${links.content}?${query}&v=${version}`;
      const { headers } = await keyed.fetch(target, { headers: bearer("artist") });
      expect([query, headers.get("cache-control")]).toEqual([query, `${scope}, max-age=31536000, immutable`]);
      expect((await keyed.fetch(target)).status).toBe(scope === "public" ? 200 : 403);
    }
  });
});
