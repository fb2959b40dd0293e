import type { components } from "../../client/src/index.ts";

type LayoutPage = components["schemas"]["ImageLayoutPage"];

const ID_BYTES = 16;
const DIGEST_BYTES = 32;
/** The largest ThumbHash has 25 bytes; the first byte here is its length. */
const HASH_BYTES = 26;
/** So many are read again before they replace what is shown, and are chosen by id. Larger albums are read again when the person says so. */
export const AT_ONCE = 20_000;
/** Finding one takes as long as reading a fiftieth of the ids as text. */
const FEW = 50;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export interface LaidImage {
  readonly index: number;
  readonly id: string;
  readonly sha256: string;
  readonly width: number;
  readonly height: number;
  /** In base64. */
  readonly placeholder: string | null;
}

/**
 * The images of an album by columns, packed: 98 bytes for each, so that a million of them fit into 98 MB and give the garbage
 * collector nothing to do.
 */
export class Columns {
  count = 0;
  #capacity: number;
  #ids: Uint8Array;
  #digests: Uint8Array;
  #hashes: Uint8Array;
  widths: Uint32Array;
  heights: Uint32Array;
  /** NaN where it is not known. */
  takenAt: Float64Array;
  createdAt: Float64Array;

  constructor(capacity: number) {
    this.#capacity = Math.max(capacity, 64);
    this.#ids = new Uint8Array(this.#capacity * ID_BYTES);
    this.#digests = new Uint8Array(this.#capacity * DIGEST_BYTES);
    this.#hashes = new Uint8Array(this.#capacity * HASH_BYTES);
    this.widths = new Uint32Array(this.#capacity);
    this.heights = new Uint32Array(this.#capacity);
    this.takenAt = new Float64Array(this.#capacity);
    this.createdAt = new Float64Array(this.#capacity);
  }

  append(page: LayoutPage): void {
    const { ids, sha256, widths, heights, placeholders, takenAt, createdAt } = page;
    if (this.count + ids.length > this.#capacity) this.#grow(this.count + ids.length);
    for (let at = 0; at < ids.length; at += 1) {
      const index = this.count + at;
      writeHex(this.#ids, index * ID_BYTES, ids[at] ?? "");
      writeHex(this.#digests, index * DIGEST_BYTES, sha256[at] ?? "");
      writeHash(this.#hashes, index * HASH_BYTES, placeholders[at] ?? null);
      this.widths[index] = widths[at] ?? 1;
      this.heights[index] = heights[at] ?? 1;
      this.takenAt[index] = takenAt[at] ?? Number.NaN;
      this.createdAt[index] = createdAt[at] ?? 0;
    }
    this.count += ids.length;
  }

  ratio = (index: number): number => (this.widths[index] ?? 1) / (this.heights[index] ?? 1);

  id(index: number): string {
    const hex = readHex(this.#ids, index * ID_BYTES, ID_BYTES);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  image = (index: number): LaidImage => ({
    index,
    id: this.id(index),
    sha256: readHex(this.#digests, index * DIGEST_BYTES, DIGEST_BYTES),
    width: this.widths[index] ?? 1,
    height: this.heights[index] ?? 1,
    placeholder: readHash(this.#hashes, index * HASH_BYTES),
  });

  /** -1 where it is not there. Compares bytes, so that a million of them take some milliseconds. */
  indexOf(id: string): number {
    const wanted = new Uint8Array(ID_BYTES);
    writeHex(wanted, 0, id);
    const ids = this.#ids;
    for (let index = 0; index < this.count; index += 1) {
      let at = ID_BYTES - 1;
      while (at >= 0 && ids[index * ID_BYTES + at] === wanted[at]) at -= 1;
      if (at < 0) return index;
    }
    return -1;
  }

  /** Where they are from `start` on, of those that are there, in order. Some are looked for one by one; for many it goes through all once. */
  indexesOf(ids: ReadonlySet<string>, start = 0): readonly number[] {
    if (ids.size <= FEW) {
      const found = [...ids].map((id) => this.indexOf(id)).filter((index) => index >= start);
      return found.sort((one, other) => one - other);
    }
    // To make the text of an id takes far longer than to compare its last bytes.
    const tails = this.count - start > ids.size ? new Set(Array.from(ids, tailOf)) : undefined;
    const found: number[] = [];
    for (let index = start; index < this.count; index += 1)
      if (tails?.has(this.#tail(index)) !== false && ids.has(this.id(index))) found.push(index);
    return found;
  }

  /** Appends images of another. */
  take(source: Columns, start: number, end: number): void {
    const at = this.count;
    if (at + end - start > this.#capacity) this.#grow(at + end - start);
    const add = <Kind extends Uint8Array | Uint32Array | Float64Array>(from: Kind, into: Kind, size = 1): void =>
      into.set(from.subarray(start * size, end * size), at * size);
    add(source.#ids, this.#ids, ID_BYTES);
    add(source.#digests, this.#digests, DIGEST_BYTES);
    add(source.#hashes, this.#hashes, HASH_BYTES);
    add(source.widths, this.widths);
    add(source.heights, this.heights);
    add(source.takenAt, this.takenAt);
    add(source.createdAt, this.createdAt);
    this.count += end - start;
  }

  /** As {@link tailOf} its id. */
  #tail(index: number): number {
    const end = (index + 1) * ID_BYTES;
    const ids = this.#ids;
    return ((ids[end - 3] ?? 0) << 16) | ((ids[end - 2] ?? 0) << 8) | (ids[end - 1] ?? 0);
  }

  #grow(needed: number): void {
    const capacity = Math.max(needed, this.#capacity * 2);
    this.#ids = copy(this.#ids, new Uint8Array(capacity * ID_BYTES));
    this.#digests = copy(this.#digests, new Uint8Array(capacity * DIGEST_BYTES));
    this.#hashes = copy(this.#hashes, new Uint8Array(capacity * HASH_BYTES));
    this.widths = copy(this.widths, new Uint32Array(capacity));
    this.heights = copy(this.heights, new Uint32Array(capacity));
    this.takenAt = copy(this.takenAt, new Float64Array(capacity));
    this.createdAt = copy(this.createdAt, new Float64Array(capacity));
    this.#capacity = capacity;
  }
}

/** Its last three bytes, which are random. */
const tailOf = (id: string): number => Number.parseInt(id.slice(-6), 16);

/** Skips dashes. */
function writeHex(into: Uint8Array, start: number, text: string): void {
  let at = start;
  let high = -1;
  for (let place = 0; place < text.length; place += 1) {
    const code = text.charCodeAt(place);
    if (code === 45) continue;
    const digit = code < 58 ? code - 48 : code - 87;
    if (high < 0) high = digit;
    else {
      into[at] = high * 16 + digit;
      at += 1;
      high = -1;
    }
  }
}

function readHex(from: Uint8Array, start: number, length: number): string {
  let text = "";
  for (let at = start; at < start + length; at += 1) text += HEX[from[at] ?? 0] ?? "";
  return text;
}

function writeHash(into: Uint8Array, start: number, base64: string | null): void {
  const bytes = base64 === null ? "" : atob(base64);
  if (bytes.length >= HASH_BYTES) return;
  into[start] = bytes.length;
  for (let at = 0; at < bytes.length; at += 1) into[start + 1 + at] = bytes.charCodeAt(at);
}

function readHash(from: Uint8Array, start: number): string | null {
  const length = from[start] ?? 0;
  return length === 0 ? null : btoa(String.fromCharCode(...from.subarray(start + 1, start + 1 + length)));
}

function copy<Kind extends Uint8Array | Uint32Array | Float64Array>(from: Kind, into: Kind): Kind {
  into.set(from);
  return into;
}
