import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatTakenAt, readExif } from "../../../../src/adapters/renderer/description/exif.ts";
import { jsonBytes } from "../../../../src/domain/text.ts";
import { type ByteOrder, cameraExif, type Directory, exifBlock, type Field } from "../located-images.ts";

const HIDDEN = { exposeLocation: false };
const EXPOSED = { exposeLocation: true };
const ORDERS: readonly ByteOrder[] = ["II", "MM"];

/** What is read of these fields, the same in either byte order. */
function read(image: readonly (readonly [number, Field])[], photo: readonly (readonly [number, Field])[] = []) {
  const first: Directory = new Map<number, Field>([...image, [0x8769, new Map(photo)]]);
  const [one, other] = ORDERS.map((order) => readExif(exifBlock(order, first), HIDDEN));
  expect(other as unknown).toEqual(one);
  return one;
}

const [MAKE, MODEL, ARTIST, COPYRIGHT] = [0x010f, 0x0110, 0x013b, 0x8298];
const [EXPOSURE, F_NUMBER, ISO, ISO_SPEED, FOCAL_LENGTH, LENS] = [0x829a, 0x829d, 0x8827, 0x8833, 0x920a, 0xa434];

describe("EXIF", () => {
  test.each(ORDERS)("in byte order %s gives the camera fields, and the location only when it is exposed", (order) => {
    const known = { camera: "Acme One", fNumber: 4, lens: "50mm F1.8", takenAt: "2026-07-14T09:30:00+02:00" };
    const block = cameraExif(order);
    expect(readExif(block, HIDDEN)).toEqual(known);
    expect(readExif(Buffer.concat([Buffer.from("Exif\0\0"), block]), HIDDEN)).toEqual(known);
    // The planted minutes are 8.765431 and 7.654321, the seconds 3.456789 and 2.345671.
    const location = { latitude: 48.1470507, longitude: 11.1282236 };
    expect(readExif(block, EXPOSED)).toEqual({ ...known, location });
  });

  test("without a known field, or damaged, is null", () => {
    expect(read([[0x0112, { short: 6 }]])).toBeNull();
    for (const bytes of ["", "II*\0", "Exif\0\0", "<x/>"]) expect(readExif(Buffer.from(bytes), EXPOSED)).toBeNull();
  });

  test.each([
    ["Canon", "Canon EOS 5D", "Canon EOS 5D"],
    ["NIKON CORPORATION", "NIKON D70", "NIKON D70"],
    ["Apple", "iPhone 15", "Apple iPhone 15"],
    ["SONY", "", "SONY"],
    ["", "X100", "X100"],
  ])("%p %p is read from a %p", (make, model, camera) => {
    expect(
      read([
        [MAKE, make],
        [MODEL, model],
      ]),
    ).toEqual({ camera });
  });

  test("text has no controls, padding, bidirectional overrides or lone surrogates", () => {
    expect(read([[ARTIST, "  \u202eA\u0007\u001b[31m\n\u00e9  \u{1f4f7}\u2066  "]])).toEqual({
      artist: "A [31m \u00e9 \u{1f4f7}",
    });
    expect(read([[MAKE, "Acme\0left from before"]])).toEqual({ camera: "Acme" });
    expect(read([[COPYRIGHT, "photographer\0editor"]])).toEqual({ copyright: "photographer editor" });
    const block = exifBlock("II", new Map([[ARTIST, "Jos__"]]));
    block.write("\xe9\xff", block.indexOf("__"), "latin1");
    expect(readExif(block, HIDDEN)).toEqual({ artist: "Jos\u00e9\u00ff" });
  });

  test("impossible numbers are left out", () => {
    const nothing = [0, 0xffffffff].flatMap((value) => [
      read(
        [],
        [
          [EXPOSURE, { rational: [value] }],
          [F_NUMBER, { rational: [value] }],
          [FOCAL_LENGTH, { rational: [value] }],
        ],
      ),
      read([], [[ISO, "text"]]),
      read([], [[F_NUMBER, { short: 0 }]]),
    ]);
    expect(nothing).toEqual(nothing.map(() => null));
    expect(
      read(
        [],
        [
          [EXPOSURE, { rational: [30] }],
          [FOCAL_LENGTH, { short: 50 }],
        ],
      ),
    ).toEqual({
      exposureTime: 30,
      focalLength: 50,
    });
  });

  test("the ISO speed is read from the wider field when the first is too small", () => {
    expect(read([], [[ISO, { short: 400 }]])).toEqual({ iso: 400 });
    expect(read([], [[ISO, { short: 0xffff }]])).toEqual({ iso: 0xffff });
    expect(
      read(
        [],
        [
          [ISO, { short: 0xffff }],
          [ISO_SPEED, { rational: [102_400] }],
        ],
      ),
    ).toEqual({ iso: 102_400 });
  });

  test("is at most 2 KiB", () => {
    const text = fc.string({ unit: "binary", minLength: 0, maxLength: 3000 });
    fc.assert(
      fc.property(text, text, text, text, text, (make, model, lens, artist, copyright) => {
        const fields = [
          [MAKE, make],
          [MODEL, model],
          [ARTIST, artist],
          [COPYRIGHT, copyright],
        ] as const;
        const exif = read(fields, [
          [LENS, lens],
          [EXPOSURE, { rational: [1] }],
        ]);
        expect(jsonBytes(exif)).toBeLessThanOrEqual(2048);
        for (const value of Object.values(exif ?? {})) expect(String(value).isWellFormed()).toBe(true);
      }),
      { numRuns: 20 },
    );
    const longest = ["\u{1f4f7}", '"', "\\", "\u00e9"].map((character) => {
      const long = character.repeat(2000);
      const all = [
        [MAKE, long],
        [MODEL, `b${long}`],
        [ARTIST, long],
        [COPYRIGHT, long],
      ] as const;
      return jsonBytes(
        read(all, [
          [LENS, long],
          [EXPOSURE, { rational: [1] }],
          [F_NUMBER, { rational: [1] }],
        ]),
      );
    });
    expect(Math.max(...longest)).toBeLessThanOrEqual(2048);
    expect(Math.min(...longest)).toBeGreaterThan(1000);
  });

  test("hostile input neither throws nor takes long", () => {
    const entries = 5400;
    const block = Buffer.alloc(64 * 1024);
    block.write("II*\0\x08\0\0\0", "latin1");
    block.writeUInt16LE(entries, 8);
    for (let entry = 10; entry < 10 + 12 * entries; entry += 12) {
      block.writeUInt16LE(COPYRIGHT, entry);
      block.writeUInt16LE(2, entry + 2);
      block.writeUInt32LE(0xff00, entry + 4);
    }
    // A reader that looks at every value takes minutes for this, which is longer than a test may.
    for (let run = 0; run < 20; run++) expect(() => readExif(block, EXPOSED)).not.toThrow();

    const changes = fc.array(fc.tuple(fc.nat({ max: 500 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(fc.constantFrom(...ORDERS), changes, fc.nat({ max: 500 }), (order, values, length) => {
        const damaged = cameraExif(order).subarray(0, Math.max(40, length));
        for (const [offset, value] of values) if (offset < damaged.length) damaged[offset] = value;
        const exif = readExif(damaged, EXPOSED);
        expect(jsonBytes(exif)).toBeLessThanOrEqual(2048);
        for (const value of Object.values(exif ?? {})) if (typeof value === "number") expect(value).toBeFinite();
        const { latitude = 0, longitude = 0 } = exif?.location ?? {};
        expect(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

test.each([
  ["2026:07:14 09:30:00", "+02:00", "2026-07-14T09:30:00+02:00"],
  ["2026:07:14 09:30:00", "-14:00", "2026-07-14T09:30:00-14:00"],
  ["2026:07:14 09:30:00", undefined, "2026-07-14T09:30:00"],
  ["2026:07:14 09:30:00", "+2:00", "2026-07-14T09:30:00"],
  ["2026:07:14 09:30:00", "+15:00", "2026-07-14T09:30:00"],
  ["2024:02:29 23:59:59", undefined, "2024-02-29T23:59:59"],
  ["2023:02:29 12:00:00", undefined, undefined],
  ["0000:00:00 00:00:00", undefined, undefined],
  ["2026:07:14 24:00:00", undefined, undefined],
  ["    :  :     :  :  ", undefined, undefined],
  [undefined, "+02:00", undefined],
])("%p with offset %p was taken at %p", (time, offset, takenAt) => {
  expect(formatTakenAt({ time, offset, subSeconds: undefined })).toEqual(takenAt as never);
});

test.each([
  ["5", "2026-07-14T09:30:00.500+02:00"],
  ["123456", "2026-07-14T09:30:00.123+02:00"],
  ["07 ", "2026-07-14T09:30:00.070+02:00"],
  ["000", "2026-07-14T09:30:00+02:00"],
  ["x", "2026-07-14T09:30:00+02:00"],
])("the fraction of a second %p makes it %s", (subSeconds, expected) => {
  expect(formatTakenAt({ time: "2026:07:14 09:30:00", offset: "+02:00", subSeconds })).toBe(expected);
});

test("takenAt of a scan is the time of digitisation", () => {
  const time = Buffer.from("2001:02:03 04:05:06\0");
  const block = Buffer.alloc(64);
  block.write("II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x1a\0\0\0\0\0\0\0", "latin1");
  // The directory of EXIF: one entry, DateTimeDigitized.
  block.write("\x01\0\x04\x90\x02\0\x14\0\0\0\x2c\0\0\0\0\0\0\0", 26, "latin1");
  time.copy(block, 44);
  expect(readExif(block, { exposeLocation: false })).toEqual({ takenAt: "2001-02-03T04:05:06" });
});
