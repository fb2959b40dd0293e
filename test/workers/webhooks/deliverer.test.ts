import { describe, expect, test } from "bun:test";
import { STORE, type StoredEvent } from "../../../src/domain/event.ts";
import type { BlockedAlbum, Webhook, WebhookReader } from "../../../src/domain/webhook.ts";
import { retryDelay } from "../../../src/domain/webhook-schedule.ts";
import type { SentAttempt } from "../../../src/ports/webhook-sender.ts";
import { Deliverer } from "../../../src/workers/webhooks/deliverer.ts";
import { createDeliverySlots } from "../../../src/workers/webhooks/slots.ts";
import { createManualClock } from "../../concurrency/manual-clock.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 0, 1);

const webhook: Webhook = {
  id: "w",
  url: "https://hooks.example.org/",
  types: null,
  albums: "*",
  description: null,
  paused: false,
  disabled: null,
  revision: 1,
  createdAt: "2026-01-01T00:00:00.000Z",
  updatedAt: "2026-01-01T00:00:00.000Z",
  createdBy: STORE,
};

const eventOf = (albumId: string, seq: number): StoredEvent => ({
  seq,
  id: `event ${seq}`,
  type: "imagestore.image.created",
  albumId,
  imageId: "image",
  subject: null,
  time: 0,
  traceparent: null,
  data: "{}",
});

const OK = { status: 204 };
const FAILED = { status: 500 };

interface Setup {
  readonly reader?: Partial<WebhookReader>;
  readonly maxInFlight?: number;
  readonly maxOfAll?: number;
}

/** A deliverer whose receiver answers when the test says so. */
function start({ reader, maxInFlight = 64, maxOfAll = 128 }: Setup = {}) {
  const { clock, advance } = createManualClock();
  const now = () => START + clock.now();
  const sends: { readonly id: string; readonly at: number; readonly secrets: number; answer(answer: Answer): void }[] =
    [];
  const log: StoredEvent[] = [];
  const state: WebhookReader = {
    webhookId: "w",
    kind: "live",
    generation: 0,
    position: 0,
    until: null,
    failures: 0,
    failingSince: null,
    retryAt: null,
    blocked: [],
    ...reader,
  };
  const secrets = [
    { secret: "new", until: null },
    { secret: "old", until: START + DAY },
  ];
  const deliverer = new Deliverer({ webhook, secrets }, state, maxInFlight, new AbortController().signal, {
    sender: {
      send: ({ event, secrets: signing }) =>
        new Promise((resolve) => {
          const answer = ({ status, retryAfter }: Answer) =>
            resolve({ ...EMPTY, delivered: status !== null && status < 300, status, retryAfter: retryAfter ?? null });
          sends.push({ id: event.attributes.id, at: clock.now(), secrets: signing.length, answer });
        }),
    },
    slots: createDeliverySlots(maxOfAll),
    clock,
    now,
    retryDelay: (failures) => retryDelay(failures, 0),
    log: { storeId: "store", epoch: 1 },
    maySend: () => true,
    readAlbum: async (albumId, after) => ({
      events: log.filter((event) => event.albumId === albumId && event.seq > after),
      next: log.at(-1)?.seq ?? 0,
    }),
    onChange: () => {},
    onRoom: () => {},
    onAttempt: () => {},
    onReadFailure: (error) => {
      throw error as Error;
    },
  });
  let answered = 0;
  /** Answers all that was sent and not answered yet. */
  const answerAll = async (answer: Answer): Promise<number> => {
    const open = sends.slice(answered);
    answered = sends.length;
    for (const one of open) one.answer(answer);
    await settled();
    return open.length;
  };
  return {
    deliverer,
    sends,
    answerAll,
    offer: async (events: readonly StoredEvent[]) => {
      log.push(...events);
      deliverer.offer(events, events.at(-1)?.seq ?? 0);
      await settled();
    },
    pass: async (milliseconds: number) => {
      advance(milliseconds);
      await settled();
    },
  };
}

interface Answer {
  readonly status: number | null;
  readonly retryAfter?: number;
}

const EMPTY: SentAttempt = {
  delivered: false,
  milliseconds: 1,
  status: null,
  error: null,
  response: "",
  retryAfter: null,
};

const settled = () => Bun.sleep(0);

const attemptsOf = (deliverer: Deliverer) => deliverer.collect().attempts.map(({ attempt }) => attempt);

describe("the schedule", () => {
  test("retries after 0 s, 5 s, 5 m, 30 m, 2 h, 5 h, then every 10 h, and disables the webhook after five days", async () => {
    const { deliverer, sends, answerAll, offer, pass } = start();
    await offer([eventOf("a", 1)]);
    for (let minutes = 0; minutes < 6 * 24 * 60 && deliverer.disabled === undefined; minutes++) {
      for (let seconds = 0; seconds < 60; seconds += 5) {
        while ((await answerAll(FAILED)) > 0) await pass(1);
        await pass(5 * SECOND);
        if (minutes > 0) seconds = 60;
      }
      await pass(55 * SECOND);
    }
    const delays = sends.slice(1).map(({ at }, index) => at - (sends[index]?.at ?? 0));
    const expected = [0, 5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR];
    for (const [index, delay] of expected.entries()) {
      expect(delays[index]).toBeGreaterThanOrEqual(delay);
      expect(delays[index]).toBeLessThan(delay + 2 * MINUTE);
    }
    for (const delay of delays.slice(expected.length)) {
      expect(delay).toBeGreaterThanOrEqual(10 * HOUR);
      expect(delay).toBeLessThan(10 * HOUR + 2 * MINUTE);
    }
    expect(deliverer.disabled).toBe("failing");
    const last = sends.at(-1)?.at ?? 0;
    expect(last).toBeGreaterThanOrEqual(5 * DAY);
    expect(last - 10 * HOUR).toBeLessThan(5 * DAY);
    const { disable, blocked, attempts } = deliverer.collect();
    expect({ disable, blocked: blocked.map(({ seq }) => seq) }).toEqual({ disable: "failing", blocked: [1] });
    expect(attempts.map(({ attempt }) => attempt)).toEqual(sends.map((_, index) => index + 1));
  });

  test("adds up to a tenth of jitter", () => {
    expect(retryDelay(3, 0)).toBe(5 * MINUTE);
    expect(retryDelay(3, 1)).toBe(5.5 * MINUTE);
    expect(retryDelay(100, 0.5)).toBe(10.5 * HOUR);
  });

  test("begins anew after a success, so other failures do not add up to five days", async () => {
    const { deliverer, answerAll, offer, pass } = start();
    for (let day = 0; day < 7; day++) {
      await offer([eventOf("a", day + 1)]);
      await answerAll(FAILED);
      await pass(1);
      await answerAll(OK);
      await pass(DAY);
    }
    expect(deliverer.disabled).toBeUndefined();
    const { failures, failingSince, position } = deliverer.collect();
    expect({ failures, failingSince, position }).toEqual({ failures: 0, failingSince: null, position: 7 });
  });
});

describe("a receiver", () => {
  test("that answers 410 disables the webhook, and its event waits", async () => {
    const { deliverer, sends, answerAll, offer, pass } = start();
    await offer([eventOf("a", 1), eventOf("b", 2), eventOf("a", 3)]);
    await answerAll({ status: 410 });
    await pass(DAY);
    expect(sends.length).toBe(2);
    const { disable, blocked, position } = deliverer.collect();
    expect({ disable, position, seqs: blocked.map(({ seq }) => seq) }).toEqual({
      disable: "gone",
      position: 3,
      seqs: [1, 2],
    });
  });

  test("that answers 410 disables the webhook with one save, which is repeated if it fails", async () => {
    const { deliverer, answerAll, offer } = start();
    await offer([eventOf("a", 1), eventOf("b", 2)]);
    await answerAll({ status: 410 });
    const first = deliverer.collect();
    expect([first.disable, deliverer.collect().disable]).toEqual(["gone", undefined]);
    deliverer.uncollect(first);
    expect([deliverer.collect().disable, deliverer.collect().disable]).toEqual(["gone", undefined]);
    expect(deliverer.disabled).toBe("gone");
  });

  test.each([429, 503])(
    "that answers %d with Retry-After gets nothing until then, and one delivery first",
    async (status) => {
      const { deliverer, sends, answerAll, offer, pass } = start();
      await offer([eventOf("a", 1), eventOf("b", 2)]);
      await answerAll({ status, retryAfter: 10 * MINUTE });
      await offer([eventOf("c", 3)]);
      await pass(10 * MINUTE - 1);
      expect(sends.length).toBe(2);
      await pass(1);
      expect(sends.length).toBe(3);
      await answerAll(OK);
      expect(deliverer.collect()).toMatchObject({ failures: 0, retryAt: null });
      expect(sends.length).toBeGreaterThan(3);
    },
  );

  test("that asks for a wait of days gets the longest delay of the schedule", async () => {
    const { sends, answerAll, offer, pass } = start();
    await offer([eventOf("a", 1)]);
    await answerAll({ status: 429, retryAfter: 30 * DAY });
    await pass(10 * HOUR);
    expect(sends.length).toBe(2);
  });

  test("that fails with another status keeps the schedule whatever its Retry-After says", async () => {
    const { sends, answerAll, offer, pass } = start();
    await offer([eventOf("a", 1)]);
    await answerAll({ status: 500, retryAfter: DAY });
    await pass(1);
    expect(sends.length).toBe(2);
  });

  test("that is away gets one attempt at a time, blocks a bounded number of albums and holds no events in memory", async () => {
    const { deliverer, sends, answerAll, offer, pass } = start();
    await offer(Array.from({ length: 500 }, (_, index) => eventOf(`album ${index}`, index + 1)));
    expect(sends.length).toBe(64);
    for (let tries = 0; tries < 5; tries++) {
      await answerAll({ status: null });
      await pass(5 * SECOND);
    }
    const before = sends.length;
    const { retryAt, blocked, position } = deliverer.collect();
    const wait = (retryAt ?? 0) - (START + 25 * SECOND);
    expect(wait).toBeGreaterThan(4 * MINUTE);
    expect(blocked.length).toBeLessThanOrEqual(128);
    expect(position).toBeLessThan(500);
    expect(deliverer.hasRoom).toBe(false);
    await pass(wait - 1);
    expect(sends.length).toBe(before);
    await pass(1);
    expect(sends.length).toBe(before + 1);
    await answerAll(OK);
    expect(deliverer.hasRoom).toBe(true);
    expect(deliverer.through).toBe(position);
    // It reads on where it was, and everything arrives.
    while (deliverer.collect().position < 500) {
      const { through } = deliverer;
      await offer([]);
      deliverer.offer(
        Array.from({ length: 500 - through }, (_, index) => eventOf(`album ${through + index}`, through + index + 1)),
        500,
      );
      while ((await answerAll(OK)) > 0) await pass(10 * MINUTE);
    }
    expect(new Set(sends.map(({ id }) => id)).size).toBe(500);
  });
});

describe("deliveries in flight", () => {
  test("are at most 64 of a webhook, and one of an album", async () => {
    const { sends, answerAll, offer } = start();
    await offer(Array.from({ length: 100 }, (_, index) => eventOf(`album ${index % 80}`, index + 1)));
    expect(sends.length).toBe(64);
    expect(new Set(sends.map(({ id }) => id)).size).toBe(64);
    await answerAll(OK);
    await answerAll(OK);
    await answerAll(OK);
    expect(sends.map(({ id }) => id).filter((id) => id === "event 1").length).toBe(1);
    expect(sends.length).toBe(100);
  });

  test("are half of what other webhooks left free", () => {
    const slots = createDeliverySlots(8);
    const counts = [0, 0, 0, 0];
    for (const index of counts.keys())
      while (slots.mayTake({ own: counts[index] ?? 0, fails: false }, () => {})) {
        slots.take();
        counts[index] = (counts[index] ?? 0) + 1;
      }
    expect(counts).toEqual([4, 2, 1, 1]);
  });

  test("that wait for a slot begin when one is free", () => {
    const slots = createDeliverySlots(1);
    let begun = 0;
    expect(slots.mayTake({ own: 0, fails: false }, () => {})).toBe(true);
    slots.take();
    expect(
      slots.mayTake({ own: 0, fails: false }, () => {
        begun++;
      }),
    ).toBe(false);
    slots.release();
    expect(begun).toBe(1);
  });

  test("are signed by the former secret too, as long as it is valid", async () => {
    const { sends, answerAll, offer, pass } = start();
    await offer([eventOf("a", 1)]);
    await answerAll(OK);
    await pass(DAY);
    await offer([eventOf("a", 2)]);
    expect(sends.map(({ secrets }) => secrets)).toEqual([2, 1]);
  });
});

test("a reader goes on as it was saved: blocked albums wait, and attempts count on", async () => {
  const blocked: BlockedAlbum = { albumId: "a", seq: 1, attempts: 3, nextAttemptAt: START + HOUR, failingSince: START };
  const { deliverer, sends, answerAll, offer, pass } = start({ reader: { position: 2, blocked: [blocked] } });
  await offer([eventOf("a", 1), eventOf("a", 2), eventOf("b", 3), eventOf("a", 4)]);
  expect(sends.map(({ id }) => id)).toEqual(["event 3"]);
  await answerAll(OK);
  await pass(HOUR);
  for (let sent = 0; sent < 3; sent++) await answerAll(OK);
  expect(sends.map(({ id }) => id)).toEqual(["event 3", "event 1", "event 2", "event 4"]);
  expect(deliverer.collect()).toMatchObject({ position: 4, unblocked: ["a"], blocked: [] });
  expect(attemptsOf(deliverer)).toEqual([]);
});

test("a reader keeps few events in memory until its receiver accepts one, and again after it refuses many", async () => {
  const { deliverer, answerAll, offer } = start({ maxInFlight: 1 });
  await offer(Array.from({ length: 100 }, (_, index) => eventOf(`album ${index}`, index + 1)));
  expect(deliverer.hasRoom).toBe(false);
  await answerAll(OK);
  expect(deliverer.hasRoom).toBe(true);
  for (let failures = 1; failures < 8; failures++) await answerAll(FAILED);
  expect(deliverer.hasRoom).toBe(true);
  await answerAll(FAILED);
  expect(deliverer.hasRoom).toBe(false);
});

test("a replay sends its range only, and is done then", async () => {
  const { deliverer, sends, answerAll, offer } = start({ reader: { kind: "replay", position: 1, until: 3 } });
  await offer([eventOf("a", 1), eventOf("a", 2), eventOf("b", 3), eventOf("b", 4)]);
  while ((await answerAll(OK)) > 0);
  expect(sends.map(({ id }) => id)).toEqual(["event 2", "event 3"]);
  expect({ done: deliverer.isDone, room: deliverer.hasRoom }).toEqual({ done: true, room: false });
  expect(deliverer.collect().attempts.map(({ replay }) => replay)).toEqual([true, true]);
});

test("a reader whose failed events are not selected any more sends the next events", async () => {
  const blockedAt = { attempts: 3, nextAttemptAt: START, failingSince: START };
  const blocked: BlockedAlbum[] = ["a", "b"].map((albumId, index) => ({ albumId, seq: index + 1, ...blockedAt }));
  const reader = { position: 2, failures: 40, failingSince: START, retryAt: START, blocked };
  const { deliverer, sends, offer, pass } = start({ reader });
  await offer([eventOf("c", 2)]);
  deliverer.pump();
  await pass(SECOND);
  expect(deliverer.hasRoom).toBe(true);
  await offer([eventOf("c", 3)]);
  expect(sends.map(({ id }) => id)).toEqual(["event 3"]);
});
