import { afterAll, describe, expect, test } from "bun:test";
import { bytesOf, startVariantStore } from "./variant-store.ts";

const { store, logo, content, get } = await startVariantStore();
afterAll(() => store[Symbol.asyncDispose]());

describe("format=auto", () => {
  const chrome = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8";
  test.each([
    ["preset=thumb", chrome, "image/avif"],
    ["w=320", "image/webp,*/*", "image/webp"],
    ["w=320", "image/webp;q=0.5,image/jpeg;q=0.9", "image/jpeg"],
    ["w=320", "image/webp;q=0,*/*", "image/jpeg"],
    ["w=320", "*/*", "image/jpeg"],
    ["w=320", "IMAGE/WEBP", "image/webp"],
    ["w=320", "text/html", "image/jpeg"],
    ["w=480", chrome, "image/webp"],
  ])("of %s for Accept %s is %s", async (query, accept, type) => {
    const path = `${content}?${query}&format=auto`;
    const response = await get(path, { Accept: accept });
    expect(response.headers.get("content-type")).toBe(type);
    expect(response.headers.get("vary")).toBe("Accept");
    const etag = response.headers.get("etag") ?? "";
    const unchanged = await get(path, { Accept: accept, "If-None-Match": etag });
    expect([unchanged.status, unchanged.headers.get("vary")]).toEqual([304, "Accept"]);
    await bytesOf(response);
  });

  test("keeps transparency", async () => {
    const response = await get(`${logo.links.self}/content?w=160&format=auto`, { Accept: "image/jpeg,*/*" });
    expect(response.headers.get("content-type")).toBe("image/png");
  });
});
