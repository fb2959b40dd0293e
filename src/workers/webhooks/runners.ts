import type { Clock } from "../../concurrency/clock.ts";
import { createLimit } from "../../concurrency/limit.ts";
import { within } from "../../concurrency/timeout.ts";
import { type EventType, isAuditType, type StoredEvent } from "../../domain/event.ts";
import type { WebhookToDeliver } from "../../domain/webhook.ts";
import { retryDelay } from "../../domain/webhook-schedule.ts";
import { Deliverer, type DelivererDeps } from "./deliverer.ts";
import type { WebhooksOptions } from "./options.ts";
import { createSaver } from "./saver.ts";
import { createDeliverySlots } from "./slots.ts";

/** In flight at a time: of a webhook, and of its replay if there is one. */
const MAX_IN_FLIGHT = 64;
const MAX_OF_REPLAY = 16;
/** Half of what Bun sends at a time in one process, so that S3 and others are not held up. */
const MAX_OF_ALL = 128;
/** Events that one read takes for a webhook that lags, and for a blocked album. */
const BATCH = 256;
/** The same while nothing tells that its receiver accepts events. */
const FIRST_BATCH = 32;
const ALBUM_BATCH = 16;
/** Albums that a read for all may leave out. */
const MAX_SKIPPED = 16;
/** Reads at a time for webhooks that lag. */
const MAX_READS = 2;
/** Milliseconds that deliveries in flight get to end at a stop. */
const MAX_STOPPING = 1000;

/** All webhooks that are delivered to. */
export class WebhookRunners {
  /** Rejects when the log cannot be read, or another node holds the lease. */
  readonly failure: Promise<never>;
  readonly #options: WebhooksOptions & { readonly clock: Clock };
  readonly #epoch: number;
  readonly #wake: () => void;
  readonly #byWebhook = new Map<string, readonly Deliverer[]>();
  /** Those at the end of the log, which get what is read for all. */
  readonly #attached = new Set<Deliverer>();
  /** Those that have read up to it, and are attached before the next read. */
  readonly #joining = new Set<Deliverer>();
  readonly #reading = new Set<Deliverer>();
  readonly #reloading = new Map<string, { again: boolean }>();
  readonly #aborted = new AbortController();
  readonly #limitReads = createLimit(MAX_READS);
  readonly #saver: ReturnType<typeof createSaver>;
  readonly #deps: DelivererDeps;
  readonly #fail: (error: unknown) => void;
  #head = 0;
  #stopping: Promise<void> | undefined;

  /** @param wake ends the wait of the log's reader */
  constructor(
    options: WebhooksOptions & { readonly clock: Clock },
    log: { readonly storeId: string; readonly epoch: number },
    wake: () => void,
  ) {
    const { observer, clock, now = Date.now, random = Math.random, isHeld = () => true } = options;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => undefined);
    this.failure = promise;
    this.#fail = reject;
    this.#options = options;
    this.#epoch = log.epoch;
    this.#wake = wake;
    const saver = createSaver(options, {
      onStale: (webhookId) => this.reload(webhookId),
      onDisabled: (webhookId, reason) => observer?.disabled(webhookId, reason),
      onDone: (webhookId) => this.reload(webhookId),
      onResume: () => this.#pumpAll(),
      onLost: reject,
    });
    this.#saver = saver;
    const { retryDelay: delayOf = retryDelay } = options;
    this.#deps = {
      sender: options.sender,
      slots: createDeliverySlots(options.maxInFlight ?? MAX_OF_ALL),
      clock,
      now,
      retryDelay: (failures) => delayOf(failures, random()),
      log,
      maySend: () => isHeld() && !saver.isBehind,
      readAlbum: (albumId, after, until) => this.#readAlbum(albumId, after, until),
      onChange: (deliverer) => saver.changed(deliverer),
      onRoom: (deliverer) => this.#feed(deliverer),
      onAttempt: (webhookId, attempt) => observer?.attempted(webhookId, attempt),
      onReadFailure: reject,
    };
  }

  /** No webhook waits at the end of the log. */
  get isQuiet(): boolean {
    return this.#attached.size + this.#joining.size === 0;
  }

  /** Of those at the end of the log, the last attempt failed. */
  get allFail(): boolean {
    return [this.#attached, this.#joining].every((set) => set.values().every(({ isFailing }) => isFailing));
  }

  async start(head: number): Promise<void> {
    this.#head = head;
    for (const found of await this.#options.catalog.webhooksToDeliver()) this.#run(found);
  }

  /** Webhooks that have read up to `head` get what is read from there on. */
  attachAt(head: number): void {
    this.#head = head;
    for (const deliverer of this.#joining) {
      this.#joining.delete(deliverer);
      if (!deliverer.hasRoom) continue;
      if (deliverer.through >= head) this.#attached.add(deliverer);
      else this.#feed(deliverer);
    }
  }

  attachedTypes(): "all" | ReadonlySet<EventType> {
    const types = new Set<EventType>();
    for (const { webhook } of this.#attached) {
      if (webhook.types === null) return "all";
      for (const type of webhook.types) types.add(type);
    }
    return types;
  }

  /** Albums of which no webhook at the end of the log takes more events; undefined: none. */
  skippedAlbums(): readonly string[] | undefined {
    let skipped: readonly string[] | undefined;
    for (const { albums } of this.#attached) {
      skipped = skipped?.filter((id) => albums.skips(id)) ?? albums.skipped(MAX_SKIPPED);
      if (skipped.length === 0) return undefined;
    }
    return skipped;
  }

  /**
   * Gives the events between `after` and `next`, without those of `exceptAlbums`, to those at the end of the log. A webhook that went on
   * with such an album during the read reads for itself.
   */
  offer(
    events: readonly StoredEvent[],
    after: number,
    next: number,
    exceptAlbums: readonly string[] | undefined = [],
  ): void {
    this.#head = next;
    const selections = new Map<string, readonly StoredEvent[]>();
    for (const deliverer of this.#attached) {
      const isSkipped = exceptAlbums.every((id) => deliverer.albums.skips(id));
      if (deliverer.hasRoom && deliverer.through >= after && isSkipped) {
        const selected = selections.get(deliverer.selection) ?? deliverer.select(events);
        selections.set(deliverer.selection, selected);
        deliverer.offer(selected, next);
      } else {
        this.#attached.delete(deliverer);
        if (deliverer.hasRoom) this.#feed(deliverer);
      }
    }
  }

  /** The webhook was made, changed, moved or deleted. */
  reload(id: string): void {
    if (this.#stopping !== undefined) return;
    const running = this.#reloading.get(id);
    if (running === undefined) this.#reloadWhile(id).catch(this.#fail);
    else running.again = true;
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stopAll());
  }

  #pumpAll(): void {
    for (const deliverers of this.#byWebhook.values()) for (const deliverer of deliverers) deliverer.pump();
  }

  #run(found: WebhookToDeliver): void {
    const ofLive = found.readers.length > 1 ? MAX_IN_FLIGHT - MAX_OF_REPLAY : MAX_IN_FLIGHT;
    const deliverers = found.readers.map(
      (reader) =>
        new Deliverer(
          found,
          reader,
          reader.kind === "replay" ? MAX_OF_REPLAY : ofLive,
          this.#aborted.signal,
          this.#deps,
        ),
    );
    this.#byWebhook.set(found.webhook.id, deliverers);
    for (const deliverer of deliverers) {
      // A replay whose range a log that went back has cut to nothing ends without an event.
      if (deliverer.isDone) this.#saver.changed(deliverer);
      deliverer.pump();
    }
  }

  /** Reads for a webhook that lags. */
  #feed(deliverer: Deliverer): void {
    const isFed = [this.#attached, this.#joining, this.#reading].some((set) => set.has(deliverer));
    if (isFed || this.#stopping !== undefined) return;
    if (deliverer.reader.until === null && deliverer.through >= this.#head) {
      this.#joining.add(deliverer);
      this.#wake();
      return;
    }
    this.#reading.add(deliverer);
    const read = this.#limitReads(() => this.#readFor(deliverer));
    read.then(() => {
      this.#reading.delete(deliverer);
      deliverer.pump();
    }, this.#fail);
  }

  async #readFor(deliverer: Deliverer): Promise<void> {
    if (!deliverer.hasRoom) return;
    const { types } = deliverer.webhook;
    const audit = types?.some(isAuditType) ?? false;
    const after = { epoch: this.#epoch, seq: deliverer.through };
    const query = { visibility: "all", audit, after, limit: deliverer.isAccepted ? BATCH : FIRST_BATCH } as const;
    const { events, next } = await this.#options.catalog.events(types === null ? query : { ...query, types });
    const end = this.#seen(next.seq, deliverer.reader.until);
    const seen = events.filter(({ seq }) => seq <= end);
    deliverer.offer(deliverer.select(seen), end);
  }

  /**
   * A webhook that lags reads no further than the reader for all, which notices changes of webhooks: what comes behind a change must be
   * selected as that says. A replay ends before the change that begins it.
   */
  #seen(next: number, until: number | null): number {
    return until === null ? Math.min(next, this.#head) : next;
  }

  async #readAlbum(albumId: string, seq: number, until: number | null) {
    const query = { visibility: "all", audit: true, albumId, after: { epoch: this.#epoch, seq } } as const;
    const { catalog } = this.#options;
    const { events, next } = await this.#limitReads(() => catalog.events({ ...query, limit: ALBUM_BATCH }));
    const end = Math.max(seq, this.#seen(next.seq, until));
    return { events: events.filter((event) => event.seq <= end), next: end };
  }

  async #reloadWhile(id: string): Promise<void> {
    const state = { again: true };
    this.#reloading.set(id, state);
    while (state.again) {
      state.again = false;
      await this.#replace(id);
    }
    this.#reloading.delete(id);
  }

  /** What is in flight ends first, and is saved, so that nothing is sent twice at a time. */
  async #replace(id: string): Promise<void> {
    const deliverers = this.#byWebhook.get(id) ?? [];
    this.#byWebhook.delete(id);
    for (const deliverer of deliverers)
      for (const set of [this.#attached, this.#joining, this.#reading]) set.delete(deliverer);
    await Promise.all(deliverers.map((deliverer) => deliverer.stop()));
    await this.#saver.saveNow(deliverers);
    if (this.#stopping !== undefined) return;
    for (const found of await this.#options.catalog.webhooksToDeliver([id])) this.#run(found);
  }

  async #stopAll(): Promise<void> {
    const deliverers = [...this.#byWebhook.values()].flat();
    const stopped = Promise.all(deliverers.map((deliverer) => deliverer.stop()));
    await within(MAX_STOPPING, stopped, () => this.#aborted.abort());
    await this.#saver.stop(deliverers);
  }
}
