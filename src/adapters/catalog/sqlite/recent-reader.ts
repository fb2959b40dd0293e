import { createMemo, type Memo } from "../../../concurrency/memo.ts";
import type { Album } from "../../../domain/album.ts";
import type { StoredContent } from "../../../domain/image.ts";
import type { Visibility } from "../../../domain/visibility.ts";
import type { Catalog } from "../../../ports.ts";
import type { Driver, MaybePromise } from "../driver.ts";
import { findAlbum } from "../queries/albums.ts";
import { findContent, findContentById } from "../queries/images.ts";
import type { Reader } from "../queries.ts";

/** What uploads and downloads read first, remembered until the next write. */
export interface RecentReader extends Pick<Catalog, "album" | "content" | "contentById"> {
  /** Called after each write, before its result is returned. */
  readonly forget: () => void;
}

const MOST_RECENT = 4096;

/**
 * Each read of SQLite locks and unlocks the log by system calls, which takes a third of a small GET over HTTP.
 * @param options.remember true only for the one process that writes albums and contents
 */
export function createRecentReader(reader: Reader, { remember }: { readonly remember: boolean }): RecentReader {
  const albums = createMemo<Promise<Album | undefined>>(MOST_RECENT);
  const contents = createMemo<Promise<StoredContent | undefined>>(MOST_RECENT);

  function recall<Value>(memo: Memo<Promise<Value>>, text: string, query: (db: Driver) => MaybePromise<Value>) {
    if (!remember) return reader.read(query);
    // SQLite is read before `read` returns, so no write returns between that and the memo.
    return memo.get(text, () => {
      const reading = reader.read(query);
      reading.catch(() => memo.clear());
      return reading;
    });
  }

  return {
    album: (name, visibility) => recall(albums, key(visibility, name), (db) => findAlbum(db, name, visibility)),
    content: (album, name, visibility) =>
      recall(contents, key(visibility, album, name), (db) => findContent(db, album, name, visibility)),
    contentById: (id, visibility) => recall(contents, key(visibility, id), (db) => findContentById(db, id, visibility)),
    forget: () => {
      albums.clear();
      contents.clear();
    },
  };
}

/** What one caller gets must not be remembered for one who sees less. A name has no control character, an id neither. */
const key = (visibility: Visibility, ...parts: readonly string[]): string =>
  visibility === "all" ? parts.join("\0") : `${JSON.stringify(visibility)}\0\0${parts.join("\0")}`;
