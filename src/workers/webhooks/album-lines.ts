import type { StoredEvent } from "../../domain/event.ts";
import type { BlockedAlbum, WebhookReader } from "../../domain/webhook.ts";
import { isDue } from "../../domain/webhook-schedule.ts";

/** The events of one album that a webhook is still to get, in the order of the log. */
export interface Line {
  readonly albumId: string;
  /** The first one is sent next, or is being sent. */
  readonly events: StoredEvent[];
  /** Whether `events` has all events of the album up to where the reader has read. */
  complete: boolean;
  /** Events of the album up to here are settled, or in `events`. */
  covered: number;
  /** Set after a failure, until the album has caught up with the others. */
  blocked: BlockedAlbum | undefined;
  /** Its first event is being sent, or its events are being read. */
  busy: boolean;
}

/** What to do next for a line: send its first event, or read its events from the log. */
export type LineTask =
  | { readonly line: Line; readonly event: StoredEvent; readonly attempt: number }
  | { readonly line: Line; readonly event: undefined; readonly after: number };

/** Events of a blocked album that stay in memory. */
const KEPT_OF_BLOCKED = 16;
/** Those of an album whose event is being sent. With more it counts as blocked, so that it does not hold up the others. */
const KEPT_OF_BUSY = 32;

/**
 * What a reader of the log has taken and not settled, by album: one event of an album at a time, so that their order is kept, and
 * albums independent of each other. An album whose event failed is blocked: it waits for its retry, and its later events are
 * read from the log again when they are due.
 */
export class AlbumLines {
  readonly #lines = new Map<string, Line>();
  readonly #waiting = new Set<Line>();
  readonly #ready = new Set<Line>();
  /** Blocked, and settled further than the reader has read. They end when it comes there. */
  readonly #ahead = new Set<Line>();
  /** Albums whose blocked row changed since it was last collected. */
  readonly #changed = new Set<string>();
  #through: number;
  #unsettled = 0;
  #blockedCount = 0;
  readonly #keptOfBusy: number;

  constructor({ position, blocked }: Pick<WebhookReader, "position" | "blocked">, { keptOfBusy = KEPT_OF_BUSY } = {}) {
    this.#through = position;
    this.#keptOfBusy = keptOfBusy;
    for (const row of blocked) {
      const { albumId, seq } = row;
      const line = { albumId, events: [], complete: false, covered: seq - 1, blocked: row, busy: false };
      this.#lines.set(albumId, line);
      this.#waiting.add(line);
      this.#blockedCount++;
    }
  }

  /** Where the reader has read. */
  get through(): number {
    return this.#through;
  }

  /** Events in memory. */
  get unsettled(): number {
    return this.#unsettled;
  }

  get blockedCount(): number {
    return this.#blockedCount;
  }

  /** Whether there is something to begin, but for what becomes due. */
  get hasReady(): boolean {
    return this.#ready.size > 0;
  }

  /** Whether it takes no more events of the album, which is blocked: they are read from the log again when they are due. */
  skips(albumId: string): boolean {
    return this.#lines.get(albumId)?.complete === false;
  }

  /** Albums that it skips, `count` at most, and not the events of no album. */
  skipped(count: number): readonly string[] {
    const skipped: string[] = [];
    for (const { albumId, complete } of this.#lines.values()) {
      if (skipped.length === count) break;
      if (!complete && albumId !== "") skipped.push(albumId);
    }
    return skipped;
  }

  /** Takes the events between `through` and `next`, but for those of albums that it skips, which may be missing. */
  offer(events: readonly StoredEvent[], next: number): void {
    if (next <= this.#through) return;
    for (const event of events) if (event.seq > this.#through) this.#add(event);
    this.#through = next;
    for (const line of this.#ahead) if (this.#isSettled(line)) this.#remove(line);
  }

  #add(event: StoredEvent): void {
    const { albumId, seq } = event;
    const known = this.#lines.get(albumId);
    const line = known ?? { albumId, events: [], complete: true, covered: 0, blocked: undefined, busy: false };
    if (known === undefined) this.#lines.set(albumId, line);
    if (!line.complete || seq <= line.covered) return;
    const [first] = line.events;
    if (
      first !== undefined &&
      line.events.length >= (line.blocked === undefined ? this.#keptOfBusy : KEPT_OF_BLOCKED)
    ) {
      if (line.blocked === undefined)
        this.#setBlocked(line, { albumId, seq: first.seq, attempts: 0, nextAttemptAt: 0, failingSince: 0 });
      line.complete = false;
      return;
    }
    line.covered = seq;
    this.#push(line, [event]);
    if (!line.busy && !this.#waiting.has(line)) this.#ready.add(line);
  }

  /** Begins what is due. Undefined: nothing is. */
  take(now: number): LineTask | undefined {
    for (const line of this.#waiting)
      if (line.blocked === undefined || isDue(line.blocked.nextAttemptAt, now)) {
        this.#waiting.delete(line);
        this.#ready.add(line);
      }
    for (const line of this.#ready) return this.#begin(line);
    return undefined;
  }

  /** Begins with the blocked album whose event is the oldest, due or not. */
  takeOldest(): LineTask | undefined {
    let oldest: Line | undefined;
    for (const line of this.#lines.values())
      if (!line.busy && line.blocked !== undefined && line.blocked.seq < (oldest?.blocked?.seq ?? Infinity))
        oldest = line;
    return oldest && this.#begin(oldest);
  }

  #begin(line: Line): LineTask {
    this.#ready.delete(line);
    this.#waiting.delete(line);
    line.busy = true;
    const [event] = line.events;
    return event === undefined
      ? { line, event, after: line.covered }
      : { line, event, attempt: (line.blocked?.attempts ?? 0) + 1 };
  }

  /** When the next blocked album is due, in milliseconds since 1970; undefined: none waits. */
  dueAt(): number | undefined {
    let earliest: number | undefined;
    for (const { blocked } of this.#waiting)
      if (blocked !== undefined && blocked.nextAttemptAt < (earliest ?? Infinity)) earliest = blocked.nextAttemptAt;
    return earliest;
  }

  /** Events of the line that were read from the log behind `covered`, up to `next`. */
  loaded(line: Line, events: readonly StoredEvent[], next: number): void {
    line.busy = false;
    this.#push(line, events);
    line.covered = Math.max(line.covered, next);
    line.complete = next >= this.#through;
    const seq = events[0]?.seq ?? line.covered + 1;
    if (line.blocked !== undefined && line.blocked.seq !== seq) this.#setBlocked(line, { ...line.blocked, seq });
    if (line.events.length === 0) this.#endOrReadOn(line);
    else this.#ready.add(line);
  }

  /** The events of the line could not be read. */
  notLoaded(line: Line): void {
    line.busy = false;
    this.#waiting.add(line);
  }

  /** The line was not sent after all. */
  notSent(line: Line): void {
    line.busy = false;
    this.#ready.add(line);
  }

  delivered(line: Line, now: number): void {
    line.busy = false;
    const event = line.events.shift();
    this.#unsettled--;
    const next = line.events[0];
    if (line.blocked === undefined) {
      if (next === undefined) this.#remove(line);
      else this.#ready.add(line);
      return;
    }
    const seq = next?.seq ?? (event?.seq ?? 0) + 1;
    this.#setBlocked(line, { ...line.blocked, seq, attempts: 0, nextAttemptAt: now });
    if (next === undefined) this.#endOrReadOn(line);
    else this.#ready.add(line);
  }

  /** Blocks the album until its retry. Returns how it is blocked. */
  failed(line: Line, now: number, delay: (attempts: number) => number): BlockedAlbum {
    line.busy = false;
    const attempts = (line.blocked?.attempts ?? 0) + 1;
    const blocked: BlockedAlbum = {
      albumId: line.albumId,
      seq: line.events[0]?.seq ?? line.covered + 1,
      attempts,
      nextAttemptAt: now + delay(attempts),
      failingSince: attempts > 1 ? (line.blocked?.failingSince ?? now) : now,
    };
    this.#setBlocked(line, blocked);
    this.#keepFirst(line, KEPT_OF_BLOCKED);
    this.#waiting.add(line);
    return blocked;
  }

  /** Everything up to here is settled, or belongs to a blocked album. */
  position(): number {
    let lowest = this.#through + 1;
    for (const { blocked, events } of this.#lines.values())
      if (blocked === undefined) lowest = Math.min(lowest, events[0]?.seq ?? lowest);
    return lowest - 1;
  }

  /** Frees the memory of a reader that waits for long. It reads on at its position. Nothing may be busy. */
  forget(): void {
    this.#through = this.position();
    for (const line of this.#lines.values())
      if (line.blocked === undefined) this.#remove(line);
      else {
        this.#keepFirst(line, 0);
        this.#ready.delete(line);
        this.#waiting.add(line);
      }
  }

  /** Blocked rows that changed since the last call, and albums that are not blocked any more. */
  collect(): { blocked: BlockedAlbum[]; unblocked: string[] } {
    const blocked: BlockedAlbum[] = [];
    const unblocked: string[] = [];
    for (const albumId of this.#changed) {
      const row = this.#lines.get(albumId)?.blocked;
      if (row === undefined) unblocked.push(albumId);
      else blocked.push(row);
    }
    this.#changed.clear();
    return { blocked, unblocked };
  }

  /** They are to be collected again: they were not saved. */
  uncollect(albumIds: Iterable<string>): void {
    for (const albumId of albumIds) this.#changed.add(albumId);
  }

  #push(line: Line, events: readonly StoredEvent[]): void {
    for (const event of events) line.events.push(event);
    this.#unsettled += events.length;
  }

  #setBlocked(line: Line, blocked: BlockedAlbum): void {
    if (line.blocked === undefined) this.#blockedCount++;
    line.blocked = blocked;
    this.#changed.add(line.albumId);
  }

  #remove(line: Line): void {
    this.#unsettled -= line.events.length;
    this.#lines.delete(line.albumId);
    this.#ready.delete(line);
    this.#waiting.delete(line);
    this.#ahead.delete(line);
    if (line.blocked === undefined) return;
    this.#blockedCount--;
    this.#changed.add(line.albumId);
  }

  /** It has nothing more to send, unless the reader has still to come as far as it is. */
  #isSettled(line: Line): boolean {
    return line.events.length === 0 && !line.busy && line.complete && line.covered <= this.#through;
  }

  /** After its events in memory are settled: it ends, or its further ones are read. */
  #endOrReadOn(line: Line): void {
    if (this.#isSettled(line)) this.#remove(line);
    else if (line.complete) this.#ahead.add(line);
    else this.#ready.add(line);
  }

  #keepFirst(line: Line, count: number): void {
    const dropped = line.events.splice(count);
    const [first] = dropped;
    if (first !== undefined) line.covered = first.seq - 1;
    if (first !== undefined || count === 0) line.complete = false;
    this.#unsettled -= dropped.length;
  }
}
