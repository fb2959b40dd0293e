import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseName } from "../../src/domain/names.ts";
import { startStore, type TestStore } from "./harness.ts";
import { codeOf, imageNames, newAlbum, newImage, newPng, postForm, postImage, putContent } from "./image-fixtures.ts";

/** Characters of which a person sees nothing, of every kind that Unicode has. */
const INVISIBLE = Array.from(
  " \u00a0\u00ad\u034f\u115f\u1160\u1680\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007" +
    "\u2008\u2009\u200a\u200b\u200c\u200d\u202f\u205f\u2060\u2061\u2062\u2063\u2064\u206a\u206f\u2800\u3000\u3164\ufe00\ufe0f\ufeff\uffa0" +
    "\ufff9\ufffa\ufffb\u{1bca0}\u{1d159}\u{1d173}\u{1d17a}\u{13430}\u{e0001}\u{e0020}\u{e007f}\u{e0100}\u{e01ef}",
);
const invisible = fc.array(fc.constantFrom(...INVISIBLE), { minLength: 1, maxLength: 20 }).map((all) => all.join(""));
const visible = fc.constantFrom("a", "0", "-", "é", "あ", "😀", "\u0600", "\u0301", "\u{1f468}");

describe("a name", () => {
  test("of invisible characters only is refused", () => {
    fc.assert(
      fc.property(invisible, (text) => {
        expect(() => parseName(text)).toThrow(/visible character|U\+FEFF/);
      }),
    );
  });

  test("may contain invisible characters beside a visible one, but must not begin with U+FEFF", () => {
    fc.assert(
      fc.property(fc.option(invisible, { nil: "" }), visible, invisible, (before, seen, after) => {
        const text = before + seen + after;
        if (before.startsWith("\ufeff")) expect(() => parseName(text)).toThrow("must not begin with U+FEFF");
        else expect(parseName(text)).toBe(text.normalize("NFC"));
      }),
    );
  });
});

describe("invisible text and text that begins with U+FEFF", () => {
  let store: TestStore;
  let album: string;
  beforeAll(async () => {
    store = await startStore();
    album = await newAlbum(store);
    await newImage(store, album, "kept");
  });
  afterAll(() => store[Symbol.asyncDispose]());

  test.each([...INVISIBLE, "\u200b\u200c", "  ", "\ufeffa"])("is refused as a name everywhere: %j", async (name) => {
    const escaped = encodeURIComponent(name);
    const answers = [
      await store.send("POST", "/v1/albums", { name }),
      await store.send("PUT", `/v1/albums/${escaped}`, {}),
      await store.send("PATCH", album, { name }),
      await store.send("PATCH", `${album}/images/kept`, { name }),
      await store.fetch(`/v1/albums/${escaped}/images`),
      await postImage(store, album, name, newPng()),
      await putContent(store, album, name, newPng()),
    ];
    for (const [index, answer] of answers.entries())
      expect([index, answer.status, await codeOf(answer)]).toEqual([index, 400, "invalid_name"]);
    const form = new FormData();
    form.append("record", JSON.stringify({ name }));
    form.append("file", new File([newPng()], "named.png"));
    expect((await postForm(store, album, form)).status).toBe(400);
    expect(await imageNames(store, album)).toEqual(["kept"]);
  });

  test("is refused as a tag and accepted as a title", async () => {
    for (const tag of [...INVISIBLE, "\ufeffa"])
      expect((await store.send("PATCH", `${album}/images/kept`, { tags: [tag] })).status).toBe(400);
    const response = await store.send("PATCH", `${album}/images/kept`, { title: " ", tags: ["\u200ba"] });
    expect(response.status).toBe(200);
  });
});
