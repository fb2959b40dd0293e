import type { Album } from "../../../domain/album.ts";
import type { StoredContent } from "../../../domain/image.ts";
import { createMemo, type Memo } from "../../../domain/memo.ts";
import type { Driver, MaybePromise } from "../driver.ts";
import { findAlbum } from "../queries/albums.ts";
import { findContent, findContentById } from "../queries/images.ts";
import type { Reader } from "../queries.ts";

/** What uploads and answers with bytes ask for first, remembered from one write to the next. */
export interface RecentReader {
  readonly album: (name: string) => Promise<Album | undefined>;
  readonly content: (album: string, name: string) => Promise<StoredContent | undefined>;
  readonly contentById: (id: string) => Promise<StoredContent | undefined>;
  /** After each write, before it is answered. */
  readonly forget: () => void;
}

const MOST_RECENT = 4096;

/**
 * Each look at SQLite locks and unlocks its log by a system call: a third of a small GET over HTTP.
 * @param options.remember only for the one process that writes albums and contents
 */
export function createRecentReader(reader: Reader, { remember }: { readonly remember: boolean }): RecentReader {
  const albums = createMemo<Promise<Album | undefined>>(MOST_RECENT);
  const contents = createMemo<Promise<StoredContent | undefined>>(MOST_RECENT);

  function recall<Value>(memo: Memo<Promise<Value>>, text: string, query: (db: Driver) => MaybePromise<Value>) {
    if (!remember) return reader.read(query);
    // SQLite is read before `read` returns, so that no write is answered between that and the memo.
    return memo.get(text, () => {
      const reading = reader.read(query);
      reading.catch(() => memo.clear());
      return reading;
    });
  }

  return {
    album: (name) => recall(albums, name, (db) => findAlbum(db, name)),
    // A name has no control character, an id neither.
    content: (album, name) => recall(contents, `${album}\0${name}`, (db) => findContent(db, album, name)),
    contentById: (id) => recall(contents, id, (db) => findContentById(db, id)),
    forget: () => {
      albums.clear();
      contents.clear();
    },
  };
}
