import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { CORPORA, hasCorpora } from "../corpora.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";

const folder = join(CORPORA, "http");

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());

const pathOf = (name: string): string => `/v1/albums/${encodeURIComponent(name)}`;

/** What may stand in a name, said once more and otherwise than in the code. */
function isName(text: string): boolean {
  const name = text.normalize("NFC");
  const bytes = new TextEncoder().encode(name).length;
  const characters = Array.from(name, (character) => character.codePointAt(0) ?? 0);
  const forbidden = [
    [0, 0x1f],
    [0x7f, 0x9f],
    [0x2028, 0x2029],
    [0x061c, 0x061c],
    [0x200e, 0x200f],
    [0x202a, 0x202e],
    [0x2066, 0x2069],
    [0xd800, 0xdfff],
    [0xfffd, 0xfffd],
    [0x2f, 0x2f],
  ] as const;
  const invisible = [
    [0x20, 0x20],
    [0xa0, 0xa0],
    [0xad, 0xad],
    [0x034f, 0x034f],
    [0x115f, 0x1160],
    [0x1680, 0x1680],
    [0x17b4, 0x17b5],
    [0x180b, 0x180f],
    [0x2000, 0x200f],
    [0x202a, 0x202f],
    [0x205f, 0x206f],
    [0x2800, 0x2800],
    [0x3000, 0x3000],
    [0x3164, 0x3164],
    [0xfe00, 0xfe0f],
    [0xfeff, 0xfeff],
    [0xffa0, 0xffa0],
    [0xfff0, 0xfffb],
    [0xe0000, 0xe0fff],
  ] as const;
  const isVisible = characters.some((code) => !invisible.some(([first, last]) => first <= code && code <= last));
  const allowed = characters.every((code) => !forbidden.some(([first, last]) => first <= code && code <= last));
  return (
    bytes >= 1 && bytes <= 255 && allowed && isVisible && characters[0] !== 0xfeff && name !== "." && name !== ".."
  );
}

describe.skipIf(!hasCorpora)("the list of naughty strings", () => {
  const strings = hasCorpora ? ((require(join(folder, "naughty-strings.json")) as string[]) ?? []) : [];

  test("as names are stored in NFC or refused", async () => {
    expect(strings.length).toBeGreaterThan(400);
    const taken = new Set<string>();
    for (const text of strings) {
      const response = await store.send("POST", "/v1/albums", { name: text });
      const name = text.normalize("NFC");
      const expected = !isName(text) ? 400 : taken.has(name) ? 409 : 201;
      expect([text, response.status]).toEqual([text, expected]);
      if (expected !== 201) continue;
      taken.add(name);
      expect((await jsonOf<{ name: string }>(response)).name).toBe(name);
      const read = await store.fetch(response.headers.get("location") ?? "");
      expect((await jsonOf<{ name: string }>(read)).name).toBe(name);
    }
    expect(taken.size).toBeGreaterThan(300);
    for (const name of taken) expect((await store.fetch(pathOf(name), { method: "DELETE" })).status).toBe(204);
  });

  test("as text are stored unchanged or refused", async () => {
    let kept = 0;
    for (const text of strings) {
      const body = { description: text, metadata: { [text === "__proto__" ? "key" : `k${text}`]: text } };
      const response = await store.send("PUT", pathOf("text"), body);
      expect([200, 201, 400]).toContain(response.status);
      if (response.status === 400) continue;
      kept++;
      expect(await response.json()).toMatchObject(body);
    }
    expect(kept).toBeGreaterThan(300);
  });

  test("in a query are answered or refused", async () => {
    for (const text of strings) {
      const search = new URLSearchParams({ q: text.toWellFormed() });
      expect([200, 400]).toContain((await store.fetch(`/v1/albums?${search.toString()}`)).status);
    }
  });
});

describe.skipIf(!hasCorpora)("JSONTestSuite", () => {
  const files = hasCorpora ? readdirSync(join(folder, "json")).filter((name) => name.endsWith(".json")) : [];

  test("invalid JSON is invalid_json, and valid JSON is refused for its shape only", async () => {
    expect(files.length).toBeGreaterThan(300);
    for (const file of files) {
      const response = await store.fetch("/v1/albums", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: await Bun.file(join(folder, "json", file)).bytes(),
      });
      expect([file, response.status]).toEqual([file, 400]);
      const { code, errors = [] } = await jsonOf<{ code: string; errors?: { detail: string }[] }>(response);
      const malformed = code === "empty_body" || errors.some(({ detail }) => detail === "is not valid JSON");
      if (file.startsWith("y_")) expect([file, malformed]).toEqual([file, false]);
      // A byte order mark may be skipped (RFC 8259, 8.1), which leaves nothing but a mark.
      if (file.startsWith("n_")) expect([file, malformed]).toEqual([file, true]);
    }
  });
});
