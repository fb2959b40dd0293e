import { type Clock } from "../../concurrency/clock.ts";
import { type StoredEvent, toCloudEvent } from "../../domain/event.ts";
import {
  type DeliveryAttempt,
  type DisabledReason,
  MAX_DELIVERIES,
  selectsEvent,
  type WebhookReader,
  type WebhookToDeliver,
} from "../../domain/webhook.ts";
import type { DeliveryProgress } from "../../domain/webhook-changes.ts";
import { DISABLED_AFTER, honouredDelay, isDue } from "../../domain/webhook-schedule.ts";
import type { SentAttempt, WebhookSender } from "../../ports/webhook-sender.ts";
import { AlbumLines, type LineTask } from "./album-lines.ts";
import type { DeliverySlots } from "./slots.ts";

/** Events that a reader holds in memory. */
const MAX_UNSETTLED = 512;
/** The same while nothing tells that the receiver accepts events: all of a thousand webhooks may be away. */
const MAX_UNSETTLED_FIRST = 64;
/** Failures without a success between, after which nothing tells that. */
const DOUBTFUL_FAILURES = 8;
/** Blocked albums above which it reads no further. */
const MAX_BLOCKED = 1000;
/** Failures without a success between, after which all deliveries of the webhook wait for one retry. */
const MAX_FAILURES = 32;
const GONE = 410;
/** Statuses with which a receiver may say how long to wait. */
const BUSY: ReadonlySet<number | null> = new Set([429, 503]);
/** A wait for which it frees its memory. Milliseconds. */
const LONG_WAIT = 10_000;

export interface DelivererDeps {
  readonly sender: Pick<WebhookSender, "send">;
  readonly slots: DeliverySlots;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** The delay before a retry after so many failures. */
  readonly retryDelay: (failures: number) => number;
  readonly log: { readonly storeId: string; readonly epoch: number };
  /** Whether this node may send: it holds the lease, and what it did can be saved. */
  readonly maySend: () => boolean;
  /** Reads events of the album behind `after`, in order, up to a limit; `until` is that of the reader. */
  readonly readAlbum: (
    albumId: string,
    after: number,
    until: number | null,
  ) => Promise<{ events: readonly StoredEvent[]; next: number }>;
  readonly onChange: (deliverer: Deliverer) => void;
  readonly onRoom: (deliverer: Deliverer) => void;
  readonly onAttempt: (webhookId: string, attempt: DeliveryAttempt) => void;
  readonly onReadFailure: (error: unknown) => void;
}

type SendTask = LineTask & { readonly event: StoredEvent };
type LoadTask = LineTask & { readonly event: undefined };

/** Delivers the events of one reader of a webhook. */
export class Deliverer {
  readonly webhook: WebhookToDeliver["webhook"];
  readonly reader: Pick<WebhookReader, "webhookId" | "kind" | "generation" | "until">;
  /** Equal for webhooks that select alike. */
  readonly selection: string;
  readonly #secrets: WebhookToDeliver["secrets"];
  readonly #maxInFlight: number;
  readonly #signal: AbortSignal;
  readonly #deps: DelivererDeps;
  readonly #lines: AlbumLines;
  #failures: number;
  #failingSince: number | null;
  #retryAt: number | null;
  #attempts: DeliveryAttempt[] = [];
  #disabled: DisabledReason | undefined;
  /** The same until it is collected: the save after the one that disables must not count, and tell of it, again. */
  #toDisable: DisabledReason | undefined;
  #hasNews = false;
  #hasDelivered = false;
  #inFlight = 0;
  #loading = 0;
  #stopped = false;
  #onIdle: (() => void) | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(
    { webhook, secrets }: Pick<WebhookToDeliver, "webhook" | "secrets">,
    reader: WebhookReader,
    maxInFlight: number,
    signal: AbortSignal,
    deps: DelivererDeps,
  ) {
    this.webhook = webhook;
    this.reader = reader;
    this.selection = JSON.stringify([webhook.types, webhook.albums]);
    this.#secrets = secrets;
    this.#maxInFlight = maxInFlight;
    this.#signal = signal;
    this.#deps = deps;
    this.#lines = new AlbumLines(reader);
    this.#failures = reader.failures;
    this.#failingSince = reader.failingSince;
    this.#retryAt = reader.retryAt;
  }

  /** Where it has read. */
  get through(): number {
    return this.#lines.through;
  }

  /** Whether it can take more events. */
  get hasRoom(): boolean {
    const { until } = this.reader;
    const { unsettled, blockedCount, through } = this.#lines;
    const isRunning = !this.#stopped && this.#disabled === undefined && this.#retryAt === null;
    const most = this.isAccepted ? MAX_UNSETTLED : MAX_UNSETTLED_FIRST;
    return isRunning && unsettled < most && blockedCount < MAX_BLOCKED && (until === null || through < until);
  }

  /** The receiver has accepted an event, and not refused many since. */
  get isAccepted(): boolean {
    return this.#hasDelivered && this.#failures < DOUBTFUL_FAILURES;
  }

  /** Its last attempt failed. */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  /** Set when the webhook is to be disabled. Nothing is sent any more. */
  get disabled(): DisabledReason | undefined {
    return this.#disabled;
  }

  /** Of a replay: it has sent all. */
  get isDone(): boolean {
    const { until } = this.reader;
    return until !== null && this.#lines.position() >= until && this.#lines.blockedCount === 0;
  }

  /** Whether there is more than a position to save. */
  get hasNews(): boolean {
    return this.#hasNews;
  }

  /** What the webhook gets of the events. */
  select(events: readonly StoredEvent[]): readonly StoredEvent[] {
    return events.filter((event) => selectsEvent(this.webhook, event));
  }

  get albums(): Pick<AlbumLines, "skips" | "skipped"> {
    return this.#lines;
  }

  /** Takes the events between `through` and `next`, which the webhook selects. */
  offer(selected: readonly StoredEvent[], next: number): void {
    if (next <= this.through) return;
    const { until } = this.reader;
    const ofRange = until === null ? selected : selected.filter(({ seq }) => seq <= until);
    this.#lines.offer(ofRange, Math.min(next, until ?? next));
    this.#deps.onChange(this);
    if (this.#lines.hasReady) this.pump();
  }

  /** Sends what is due. */
  pump(): void {
    while (this.#maySend() && this.#deps.slots.mayTake(this.#share(), this.#onFree)) {
      const task = this.#nextTask();
      if (task === undefined) break;
      if (task.event === undefined) void this.#load(task);
      else void this.#send(task);
    }
    this.#schedule();
    if (this.hasRoom) this.#deps.onRoom(this);
  }

  /** Starts no more. Resolves when nothing is in flight. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer?.();
    if (this.#inFlight + this.#loading === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  /** What happened since the last call. */
  collect(): DeliveryProgress {
    this.#hasNews = false;
    const attempts = this.#attempts;
    this.#attempts = [];
    const disable = this.#toDisable;
    this.#toDisable = undefined;
    const { webhookId, kind, generation } = this.reader;
    return {
      webhookId,
      kind,
      generation,
      position: this.#lines.position(),
      failures: this.#failures,
      failingSince: this.#failingSince,
      retryAt: this.#retryAt,
      ...this.#lines.collect(),
      attempts,
      ...(disable === undefined ? {} : { disable }),
    };
  }

  /** That progress was not saved. */
  uncollect({ blocked, unblocked, attempts, disable }: DeliveryProgress): void {
    this.#hasNews = true;
    this.#toDisable ??= disable;
    this.#lines.uncollect([...blocked.map(({ albumId }) => albumId), ...unblocked]);
    this.#attempts = [...attempts, ...this.#attempts].slice(-MAX_DELIVERIES);
  }

  readonly #onFree = () => this.pump();

  #maySend(): boolean {
    const isRunning = !this.#stopped && this.#disabled === undefined;
    return isRunning && this.#inFlight < this.#maxInFlight && this.#deps.maySend();
  }

  #share() {
    return { own: this.#inFlight, fails: this.#failures > 0 };
  }

  #nextTask(): LineTask | undefined {
    const now = this.#deps.now();
    if (this.#retryAt === null) return this.#lines.take(now);
    // One attempt tells whether the receiver is back.
    if (!isDue(this.#retryAt, now) || this.#inFlight + this.#loading > 0) return undefined;
    const task = this.#lines.takeOldest() ?? this.#lines.take(now);
    if (task === undefined) this.#retryAt = null;
    return task;
  }

  /** Wakes it when something is due. */
  #schedule(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#stopped || this.#disabled !== undefined) return;
    const due = this.#retryAt ?? this.#lines.dueAt();
    if (due === undefined) return;
    const now = this.#deps.now();
    const wait = isDue(due, now) ? 0 : due - now;
    // Once a retry of all is due, the end of what is in flight begins it.
    if (wait <= 0 && this.#retryAt !== null) return;
    this.#cancelTimer = this.#deps.clock.after(Math.max(1, Math.min(wait, MAX_TIMER)), this.#onFree);
  }

  async #load({ line, after }: LoadTask): Promise<void> {
    this.#loading++;
    try {
      const { events, next } = await this.#deps.readAlbum(line.albumId, after, this.reader.until);
      const last = Math.min(next, this.reader.until ?? next);
      const selected = this.select(events).filter(({ seq }) => seq <= last);
      this.#lines.loaded(line, selected, last);
      // The webhook gets other events by now, so there is nothing to retry.
      if (selected.length === 0) this.#retryAt = null;
      this.#deps.onChange(this);
    } catch (error) {
      this.#lines.notLoaded(line);
      this.#stopped = true;
      this.#deps.onReadFailure(error);
    }
    this.#loading--;
    this.#settle();
  }

  async #send(task: SendTask): Promise<void> {
    const { slots, sender, now, log } = this.#deps;
    this.#inFlight++;
    slots.take();
    const startedAt = now();
    const secrets = this.#secrets.filter(({ until }) => until === null || until > startedAt);
    const delivery = { url: this.webhook.url, secrets, event: toCloudEvent(task.event, log) };
    const sent = await sender.send(delivery, this.#signal).catch(() => undefined);
    this.#inFlight--;
    if (sent === undefined) this.#lines.notSent(task.line);
    else {
      this.#record(task, startedAt, sent);
      if (sent.delivered) this.#succeed(task);
      else this.#fail(task, startedAt, sent);
      this.#hasNews = true;
      this.#deps.onChange(this);
    }
    slots.release();
    this.#settle();
  }

  #record({ event, attempt }: SendTask, startedAt: number, { retryAfter: _, ...outcome }: SentAttempt): void {
    const { webhookId, kind } = this.reader;
    const made = {
      ...outcome,
      id: Bun.randomUUIDv7("hex", startedAt),
      eventId: event.id,
      type: event.type,
      seq: event.seq,
      replay: kind === "replay",
      attempt,
      startedAt,
    };
    this.#attempts.push(made);
    if (this.#attempts.length > 2 * MAX_DELIVERIES) this.#attempts = this.#attempts.slice(-MAX_DELIVERIES);
    this.#deps.onAttempt(webhookId, made);
  }

  #succeed({ line }: SendTask): void {
    this.#lines.delivered(line, this.#deps.now());
    this.#hasDelivered = true;
    this.#failures = 0;
    this.#failingSince = null;
    this.#retryAt = null;
  }

  #fail({ line }: SendTask, startedAt: number, { status, retryAfter }: SentAttempt): void {
    const now = this.#deps.now();
    this.#failures++;
    this.#failingSince ??= startedAt;
    const wait = retryAfter !== null && BUSY.has(status) ? honouredDelay(retryAfter) : undefined;
    const delay = wait === undefined ? this.#deps.retryDelay : () => wait;
    const { nextAttemptAt } = this.#lines.failed(line, now, delay);
    if (wait !== undefined || this.#failures >= MAX_FAILURES)
      this.#retryAt = Math.max(this.#retryAt ?? 0, nextAttemptAt);
    if (status === GONE) this.#disable("gone");
    else if (now - this.#failingSince >= DISABLED_AFTER) this.#disable("failing");
  }

  #disable(reason: DisabledReason): void {
    if (this.#disabled !== undefined) return;
    this.#disabled = reason;
    this.#toDisable = reason;
  }

  /** After each task: the next ones, or the end. */
  #settle(): void {
    if (this.#inFlight + this.#loading === 0) {
      this.#onIdle?.();
      if (this.#retryAt !== null && this.#retryAt - this.#deps.now() > LONG_WAIT) this.#lines.forget();
    }
    this.pump();
  }
}

/** The longest time of a timer. */
const MAX_TIMER = 2 ** 31 - 1;
