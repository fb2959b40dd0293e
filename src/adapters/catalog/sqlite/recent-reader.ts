import { createMemo, type Memo } from "../../../concurrency/memo.ts";
import type { AlbumSet, Visibility } from "../../../domain/visibility.ts";
import type { Catalog } from "../../../ports.ts";
import type { Queries } from "../queries.ts";

type Remembered = "album" | "albums" | "image" | "imageById" | "images" | "content" | "contentById";

/** Records, contents and pages, remembered until the next write, and for a second at most. */
export interface RecentReader extends Pick<Catalog, Remembered> {
  /** Called after each write, before its result is returned. */
  readonly forget: () => void;
}

const MOST_RECENT = 4096;
/** A page has up to this many records, each with up to 16 KiB of metadata. */
const MOST_RECENT_PAGES = 32;
const LONGEST_PAGE = 100;
/** After this time the writes of another process are seen: `check --repair` corrects the catalog beside a server. */
const REMEMBERED_MS = 1000;

/**
 * Each read of SQLite locks and unlocks the log by system calls, which takes a third of a small GET over HTTP. The records are the same
 * objects each time, by which others remember what they make of them.
 * @param options.remember true only for the one process that writes albums and images
 */
export function createRecentReader(
  queries: Pick<Queries, Remembered>,
  { remember }: { readonly remember: boolean },
): RecentReader {
  const memos: Memo<Promise<unknown>>[] = [];
  let forgetAt = 0;

  function forget(): void {
    for (const memo of memos) memo.clear();
  }

  function forgetOld(): void {
    const now = performance.now();
    if (now < forgetAt) return;
    forgetAt = now + REMEMBERED_MS;
    forget();
  }

  function remembering<Arguments extends readonly unknown[], Value>(
    capacity: number,
    keyOf: (...args: Arguments) => string | undefined,
    query: (...args: Arguments) => Promise<Value>,
  ): (...args: Arguments) => Promise<Value> {
    if (!remember) return query;
    const memo = createMemo<Promise<Value>>(capacity);
    memos.push(memo);
    return (...args) => {
      const text = keyOf(...args);
      if (text === undefined) return query(...args);
      forgetOld();
      // It is in the memo before anything is read: a write that the read may not see empties the memo after that.
      return memo.get(text, () => {
        const reading = query(...args);
        reading.catch(() => memo.clear());
        return reading;
      });
    };
  }

  return {
    album: remembering(MOST_RECENT, byName, queries.album),
    albums: remembering(MOST_RECENT_PAGES, pageKey, queries.albums),
    image: remembering(MOST_RECENT, byNames, queries.image),
    imageById: remembering(MOST_RECENT, byName, queries.imageById),
    images: remembering(MOST_RECENT_PAGES, pageKey, queries.images),
    content: remembering(MOST_RECENT, byNames, queries.content),
    contentById: remembering(MOST_RECENT, byName, queries.contentById),
    forget,
  };
}

const byName = (name: string, visibility: Visibility) => key(visibility, name);
const byNames = (album: string, name: string, visibility: Visibility) => key(visibility, album, name);
const pageKey = (query: { readonly limit: number }) => (query.limit > LONGEST_PAGE ? undefined : JSON.stringify(query));

/** What one caller gets must not be remembered for one who sees less. A name has no control character, an id neither. */
function key(visibility: Visibility, first: string, second = ""): string {
  if (visibility === "all") return `${first}\0${second}`;
  let text = texts.get(visibility);
  if (text === undefined) texts.set(visibility, (text = JSON.stringify(visibility)));
  return `${text}\0\0${first}\0${second}`;
}
const texts = new WeakMap<AlbumSet, string>();
