import type { StoredContent } from "../../../domain/image.ts";
import { createMemo } from "../../../domain/memo.ts";
import { findContent, findContentById } from "../queries/images.ts";
import type { Reader } from "../queries.ts";

/** What bytes are answered from. */
export interface ContentReader {
  readonly byName: (album: string, name: string) => Promise<StoredContent | undefined>;
  readonly byId: (id: string) => Promise<StoredContent | undefined>;
  /** After each write, before it is answered. */
  readonly forget: () => void;
}

const MOST_RECENT = 4096;

/**
 * Each look at SQLite locks and unlocks its log by a system call: a third of a small GET over HTTP.
 * @param options.remember only for the one process that writes contents
 */
export function createContentReader(reader: Reader, { remember }: { readonly remember: boolean }): ContentReader {
  const known = createMemo<Promise<StoredContent | undefined>>(MOST_RECENT);

  function recall(text: string, read: () => Promise<StoredContent | undefined>) {
    if (!remember) return read();
    // SQLite is read before `read` returns, so that no write is answered between that and the memo.
    return known.get(text, () => {
      const reading = read();
      reading.catch(() => known.clear());
      return reading;
    });
  }

  return {
    // A name has no control character, an id neither.
    byName: (album, name) => recall(`${album}\0${name}`, () => reader.read((db) => findContent(db, album, name))),
    byId: (id) => recall(id, () => reader.read((db) => findContentById(db, id))),
    forget: () => known.clear(),
  };
}
