import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type EventType, type FollowedEvent, StoreError } from "../../client/src/index.ts";
import { copyText } from "../shared/clipboard.ts";
import { type EventKind, TYPES_OF_KIND } from "../shared/event-types.ts";
import { Icon } from "../shared/icons.tsx";
import { Problem } from "../shared/problem.tsx";
import { mayEverywhere } from "../shared/session.ts";
import { store } from "../shared/store.ts";
import { texts } from "../texts-admin.ts";
import { AlbumFilter } from "./album-filter.tsx";
import { EventRow } from "./event-row.tsx";

/** So many are kept on the page; older ones leave it. */
const MAX_SHOWN = 500;
/** So many are drawn, and as many more at a time. */
const DRAWN = 50;
/** So many events before the end of the log are read, and then more on demand; at last all of them. */
const DEPTHS = [DRAWN, 1000, undefined];
const GATHER_MS = 150;

interface Wanted {
  readonly start: "newest" | "latest";
  readonly kind: "" | EventKind;
  /** A name, or nothing: of all albums, and of none. */
  readonly album: string;
  /** Of {@link DEPTHS}. */
  readonly depth: number;
}

/** The log of changes as it grows, newest first. */
export function EventsView() {
  const events = useSignal<readonly FollowedEvent[]>([]);
  const cursor = useSignal<string | undefined>(undefined);
  const wanted = useSignal<Wanted>({ start: "newest", kind: "", album: "", depth: 0 });
  const isPaused = useSignal(false);
  const problem = useSignal<unknown>(undefined);
  /** The log no longer has what is behind the cursor. */
  const isGap = useSignal(false);
  const attempt = useSignal(0);
  const drawn = useSignal(DRAWN);
  /** The name stays that of the same album, also where that is renamed. */
  const chosen = useRef({ name: "", id: "" });
  const { start, kind, album, depth } = wanted.value;

  function want(other: Partial<Wanted>): void {
    const next = { ...wanted.value, ...other };
    // Of one kind, or of one album, there are few among the newest.
    wanted.value = { ...next, depth: next.kind === "" && next.album === "" ? 0 : 1 };
    events.value = [];
    cursor.value = undefined;
    problem.value = undefined;
    isGap.value = false;
    drawn.value = DRAWN;
  }
  const isLong = start === "newest" && events.value.length < MAX_SHOWN && mayBeOlder(wanted.value, events.value.length);
  function showOlder(): void {
    drawn.value += DRAWN;
    if (drawn.value <= events.value.length || !isLong) return;
    cursor.value = undefined;
    wanted.value = { ...wanted.value, depth: depth + 1 };
  }

  useEffect(() => {
    if (isPaused.value) return undefined;
    const over = new AbortController();
    const types = kind === "" ? undefined : TYPES_OF_KIND[kind];
    let shown = cursor.peek() === undefined ? [] : events.peek();
    const follow = async () => {
      if (album !== "" && chosen.current.name !== album)
        chosen.current = { name: album, id: (await store.albums.get(album, { signal: over.signal })).id };
      const albumId = album === "" ? undefined : chosen.current.id;
      const from = cursor.peek() ?? beginningOf(wanted.value);
      await read({ from, types, albumId, signal: over.signal }, (found) => {
        cursor.value = found[0]?.cursor ?? cursor.value;
        shown = [...found, ...shown].slice(0, MAX_SHOWN);
        // What is shown stays until it is read again with older ones.
        if (shown.length >= events.value.length) events.value = shown;
      });
    };
    follow().catch((error: unknown) => {
      if (over.signal.aborted) return;
      // Without a cursor there is none to be refused, so this ends.
      const isLost = error instanceof StoreError && error.status === 410 && cursor.peek() !== undefined;
      if (isLost) {
        events.value = [];
        cursor.value = undefined;
        isGap.value = true;
        attempt.value += 1;
      } else problem.value = error;
    });
    return () => over.abort();
  }, [wanted.value, isPaused.value, attempt.value]);

  return (
    <div class="page narrow">
      <header class="page-head">
        <h1>{texts.events.title}</h1>
        <div class="row events-tools">
          <select
            class="input auto"
            aria-label={texts.events.start}
            value={start}
            onChange={(event) => want({ start: event.currentTarget.value as Wanted["start"] })}
          >
            <option value="newest">{texts.events.fromNewest}</option>
            <option value="latest">{texts.events.fromNow}</option>
          </select>
          <select
            class="input auto"
            aria-label={texts.events.kind}
            value={kind}
            onChange={(event) => want({ kind: event.currentTarget.value as Wanted["kind"] })}
          >
            <option value="">{texts.events.all}</option>
            {Object.entries(texts.events.kinds).map(([one, name]) => (
              <option key={one} value={one}>
                {name}
              </option>
            ))}
          </select>
          <AlbumFilter onAlbum={(name) => want({ album: name })} />
          <button type="button" class="button" onClick={() => (isPaused.value = !isPaused.value)}>
            <Icon name={isPaused.value ? "play" : "pause"} size={18} />
            {isPaused.value ? texts.events.goOn : texts.events.pause}
          </button>
          <button
            type="button"
            class="button"
            disabled={cursor.value === undefined}
            onClick={() => void copyText(cursor.value ?? "")}
          >
            <Icon name="link" size={18} />
            {texts.events.copyCursor}
          </button>
        </div>
      </header>
      {problem.value !== undefined && (
        <Problem
          error={problem.value}
          onRetry={() => {
            problem.value = undefined;
            attempt.value += 1;
          }}
        />
      )}
      {isGap.value && <p role="status">{texts.events.gap}</p>}
      {events.value.length === 0 && problem.value === undefined && <p class="muted">{texts.events.none}</p>}
      <ol class="list" aria-label={texts.events.title}>
        {events.value.slice(0, drawn.value).map(({ event, cursor: at }) => (
          <EventRow key={event.id} event={event} cursor={at} />
        ))}
      </ol>
      {(isLong || events.value.length > drawn.value) && (
        <button type="button" class="button" onClick={showOlder}>
          {texts.events.older}
        </button>
      )}
    </div>
  );
}

const beginningOf = ({ start, depth }: Wanted): string | undefined => {
  const count = DEPTHS[depth];
  if (start === "latest") return start;
  return count === undefined ? undefined : `latest-${count}`;
};

/** A person who sees every event knows that the log has no more where there are fewer than were asked for. */
function mayBeOlder({ kind, album, depth }: Wanted, found: number): boolean {
  const count = DEPTHS[depth];
  const isOfAll = kind === "" && album === "" && mayEverywhere("events") && mayEverywhere("admin");
  return count !== undefined && !(isOfAll && found < count);
}

interface Following {
  readonly from: string | undefined;
  readonly types: readonly EventType[] | undefined;
  readonly albumId: string | undefined;
  readonly signal: AbortSignal;
}

/** Tells of events in bunches, newest first: a log is read faster than a page is drawn. */
async function read(following: Following, onFound: (found: readonly FollowedEvent[]) => void): Promise<void> {
  let found: FollowedEvent[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  for await (const one of store.follow(following)) {
    found.push(one);
    timer ??= setTimeout(() => {
      timer = undefined;
      if (following.signal.aborted) return;
      onFound(found.toReversed().slice(0, MAX_SHOWN));
      found = [];
    }, GATHER_MS);
  }
}
