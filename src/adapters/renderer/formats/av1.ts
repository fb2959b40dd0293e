import type { CodePoints } from "../colour/code-points.ts";

const SEQUENCE_HEADER = 1;

/** The colours that a picture of AV1 gives itself (AV1 5.5): in the sequence header, one of its first units. */
export function readAv1Colour(data: Buffer): CodePoints | undefined {
  for (let at = 0; at + 2 <= data.length; ) {
    const header = data[at] ?? 0;
    const hasExtension = ((header >> 2) & 1) === 1;
    at += hasExtension ? 2 : 1;
    let length = data.length - at;
    if (((header >> 1) & 1) === 1) [length, at] = readLength(data, at);
    if (((header >> 3) & 15) === SEQUENCE_HEADER) return readSequenceHeader(data.subarray(at, at + length));
    at += length;
  }
  return undefined;
}

/** LEB128: the value, and where it ends. */
function readLength(data: Buffer, start: number): [number, number] {
  let value = 0;
  for (let index = 0; index < 5; index++) {
    const byte = data[start + index] ?? 0;
    value += (byte & 127) * 128 ** index;
    if (byte < 128) return [value, start + index + 1];
  }
  return [value, start + 5];
}

type Bits = (count: number) => number;

function readSequenceHeader(bytes: Buffer): CodePoints | undefined {
  let position = 0;
  const bits: Bits = (count) => {
    let value = 0;
    for (let left = count; left > 0; left--, position++)
      value = value * 2 + (((bytes[position >> 3] ?? 0) >> (7 - (position & 7))) & 1);
    return value;
  };
  const profile = bits(3);
  bits(1);
  const isReduced = bits(1) === 1;
  if (isReduced) bits(5);
  else skipOperatingPoints(bits);
  const [widthBits, heightBits] = [bits(4) + 1, bits(4) + 1];
  bits(widthBits);
  bits(heightBits);
  if (!isReduced && bits(1) === 1) bits(7);
  bits(3);
  if (!isReduced) skipTools(bits);
  bits(3);
  const isDeep = bits(1) === 1;
  if (profile === 2 && isDeep) bits(1);
  if (profile !== 1) bits(1);
  if (bits(1) === 0 || position + 16 > bytes.length * 8) return undefined;
  return { primaries: bits(8), transfer: bits(8) };
}

function skipOperatingPoints(bits: Bits): void {
  let delayBits = 0;
  if (bits(1) === 1) {
    bits(64);
    if (bits(1) === 1) skipVariableLength(bits);
    if (bits(1) === 1) {
      delayBits = bits(5) + 1;
      bits(42);
    }
  }
  const hasDelay = bits(1) === 1;
  for (let points = bits(5) + 1; points > 0; points--) {
    bits(12);
    if (bits(5) > 7) bits(1);
    if (delayBits > 0 && bits(1) === 1) bits(2 * delayBits + 1);
    if (hasDelay && bits(1) === 1) bits(4);
  }
}

function skipVariableLength(bits: Bits): void {
  let zeros = 0;
  while (zeros < 32 && bits(1) === 0) zeros++;
  bits(zeros);
}

function skipTools(bits: Bits): void {
  bits(4);
  const hasOrder = bits(1) === 1;
  if (hasOrder) bits(2);
  const screenContent = bits(1) === 1 ? 2 : bits(1);
  if (screenContent > 0 && bits(1) === 0) bits(1);
  if (hasOrder) bits(3);
}
