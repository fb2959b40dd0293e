import { deflateSync, inflateSync } from "node:zlib";

/** A chunk of text (W3C PNG, 11.3.3), uncompressed. */
export interface TextChunk {
  readonly keyword: string;
  /** What stands before the text. */
  readonly head: Buffer;
  readonly isCompressed: boolean;
  readonly text: Buffer;
}

/** A few kilobytes can claim gigabytes. */
const MAX_TEXT = 16 * 1024 * 1024;

/** Undefined for a block that is broken, or that unpacks to more than programs write. */
export function parseText(type: string, data: Buffer): TextChunk | undefined {
  const keywordEnd = data.indexOf(0);
  if (keywordEnd < 0) return undefined;
  const keyword = data.toString("latin1", 0, keywordEnd);
  let start = keywordEnd + 1;
  let isCompressed = false;
  if (type === "zTXt") {
    isCompressed = true;
    start += 1;
  } else if (type === "iTXt") {
    isCompressed = data[start] === 1;
    const languageEnd = data.indexOf(0, start + 2);
    const translatedEnd = languageEnd < 0 ? -1 : data.indexOf(0, languageEnd + 1);
    if (translatedEnd < 0) return undefined;
    start = translatedEnd + 1;
  }
  const stored = data.subarray(start);
  const text = isCompressed ? inflate(stored) : stored;
  return text === undefined ? undefined : { keyword, head: data.subarray(0, start), isCompressed, text };
}

export const writeText = ({ head, isCompressed, text }: TextChunk): Buffer =>
  Buffer.concat([head, isCompressed ? deflateSync(text) : text]);

function inflate(bytes: Buffer): Buffer | undefined {
  try {
    return inflateSync(bytes, { maxOutputLength: MAX_TEXT });
  } catch {
    return undefined;
  }
}
