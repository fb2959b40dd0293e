/** A profile with the primaries and the gamma of Adobe RGB (1998), ICC version 2: what it says is public, the file is not. */
export function adobeRgbProfile(): Buffer {
  const xyz = (...values: readonly number[]): Buffer => block("XYZ ", ...values.map(fixed));
  const gamma = Buffer.concat([block("curv", 1), Buffer.from([0x02, 0x33, 0, 0])]);
  const text = (value: string): Buffer => Buffer.concat([block("text"), Buffer.from(`${value}\0\0\0\0`.slice(0, 8))]);
  const name = Buffer.alloc(12 + 12 + 78);
  name.write("desc", 0, "latin1");
  name.writeInt32BE(8, 8);
  name.write("Adobish\0", 12, "latin1");
  // Adapted to D50.
  const tags: readonly (readonly [string, Buffer])[] = [
    ["desc", name],
    ["cprt", text("none")],
    ["wtpt", xyz(0.9505, 1, 1.0891)],
    ["rXYZ", xyz(0.60974, 0.31111, 0.01947)],
    ["gXYZ", xyz(0.20528, 0.62567, 0.06087)],
    ["bXYZ", xyz(0.14919, 0.06322, 0.74457)],
    ["rTRC", gamma],
    ["gTRC", gamma],
    ["bTRC", gamma],
  ];
  const directory = Buffer.alloc(4 + 12 * tags.length);
  directory.writeInt32BE(tags.length, 0);
  let offset = 128 + directory.length;
  for (const [index, [tag, bytes]] of tags.entries()) {
    directory.write(tag, 4 + 12 * index, "latin1");
    directory.writeInt32BE(offset, 8 + 12 * index);
    directory.writeInt32BE(bytes.length, 12 + 12 * index);
    offset += bytes.length;
  }
  const header = Buffer.alloc(128);
  header.writeInt32BE(offset, 0);
  header.writeInt32BE(0x02_10_00_00, 8);
  header.write("mntrRGB XYZ ", 12, "latin1");
  header.write("acsp", 36, "latin1");
  xyz(0.9642, 1, 0.8249).copy(header, 68, 8);
  return Buffer.concat([header, directory, ...tags.map(([, bytes]) => bytes)]);
}

const fixed = (value: number): number => Math.round(value * 65_536);
const block = (type: string, ...words: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(8 + 4 * words.length);
  bytes.write(type, 0, "latin1");
  for (const [index, word] of words.entries()) bytes.writeInt32BE(word, 8 + 4 * index);
  return bytes;
};
