import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { fileNameOf, foldFileName, markedFileName } from "../../src/domain/file-names.ts";
import { CONTENT_TYPES } from "../../src/domain/formats.ts";
import { parseName } from "../../src/domain/names.ts";

const jpeg = (name: string) => fileNameOf({ name, contentType: "image/jpeg" });

describe("a file name", () => {
  test.each([
    ["lake.jpg", "lake.jpg"],
    ["LAKE.JPEG", "LAKE.JPEG"],
    ["lake", "lake.jpg"],
    ["lake.png", "lake.png.jpg"],
    ["lake.", "lake..jpg"],
    [".jpg", ".jpg"],
    ["a:b?.jpg", "a_b_.jpg"],
    ["..\\up.jpg", ".._up.jpg"],
    ["C:\\x", "C__x.jpg"],
    ["con.jpg", "_con.jpg"],
    ["CON", "_CON.jpg"],
    ["aux .b.jpg", "_aux .b.jpg"],
    ["LPT¹", "_LPT¹.jpg"],
    ["console.jpg", "console.jpg"],
    ["see 😀.jpg", "see 😀.jpg"],
  ])("of %p as a JPEG is %p", (name, expected) => {
    expect(jpeg(name)).toBe(expected);
  });

  test("has room for its extension and a mark, and no half of a character", () => {
    const name = jpeg("ü".repeat(127));
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
    expect(name).toEndWith("ü.jpg");
    const marked = markedFileName(jpeg(`${"😀".repeat(62)}.jpeg`), "0123abcd");
    expect(Buffer.byteLength(marked)).toBeLessThanOrEqual(255);
    expect(marked).toEndWith("😀 (0123abcd).jpeg");
  });

  test("can be kept by any file system, whatever the name of the image is", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }),
        fc.constantFrom(...Object.values(CONTENT_TYPES)),
        (text, contentType) => {
          let name: string;
          try {
            name = parseName(text);
          } catch {
            return;
          }
          for (const found of [
            fileNameOf({ name, contentType }),
            markedFileName(fileNameOf({ name, contentType }), "1f"),
          ]) {
            expect(Buffer.byteLength(found)).toBeLessThanOrEqual(255);
            expect(found).not.toMatch(/[/\\<>:"|?*\p{Cc}]|[. ]$|^\.{1,2}$/u);
            expect(parseName(found)).toBe(found);
            expect(fileNameOf({ name: found, contentType })).toBe(found);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("is folded as file systems that do not distinguish case do", () => {
    for (const [one, other] of [
      ["A.jpg", "a.JPG"],
      ["Ä.jpg", "ä.jpg"],
      ["STRASSE.jpg", "straße.jpg"],
      ["ς.jpg", "σ.jpg"],
    ] as const)
      expect(foldFileName(one)).toBe(foldFileName(other));
    expect(foldFileName("a.jpg")).not.toBe(foldFileName("b.jpg"));
  });
});
