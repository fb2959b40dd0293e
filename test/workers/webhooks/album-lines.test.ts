import { expect, test } from "bun:test";
import fc from "fast-check";
import type { StoredEvent } from "../../../src/domain/event.ts";
import type { BlockedAlbum } from "../../../src/domain/webhook.ts";
import { AlbumLines, type LineTask } from "../../../src/workers/webhooks/album-lines.ts";

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

/** A reader that delivers a log of random albums, and a receiver that notes what it got. */
function createSimulation(albums: readonly number[], keptOfBusy: number) {
  const log = albums.map((album, index) => eventOf(`album ${album}`, index + 1));
  const received: StoredEvent[] = [];
  const running: LineTask[] = [];
  /** As the catalog has it. */
  let saved = { position: 0, blocked: new Map<string, BlockedAlbum>() };
  let lines = new AlbumLines({ position: 0, blocked: [] }, { keptOfBusy });
  let now = 0;

  const end = (task: LineTask, succeeds: boolean, limit: number) => {
    if (task.event === undefined) {
      const found = log.filter(({ seq, albumId }) => albumId === task.line.albumId && seq > task.after);
      const batch = found.slice(0, limit);
      lines.loaded(task.line, batch, batch.length < limit ? log.length : (batch.at(-1)?.seq ?? log.length));
    } else if (succeeds) {
      received.push(task.event);
      lines.delivered(task.line, now);
    } else lines.failed(task.line, now, (attempts) => attempts * 3);
  };

  return {
    log,
    received,
    read(count: number) {
      const next = Math.min(log.length, lines.through + count);
      lines.offer(log.slice(lines.through, next), next);
    },
    begin(oldest: boolean) {
      const task = oldest ? lines.takeOldest() : lines.take(now);
      if (task === undefined) return;
      running.push(task);
      const { blocked } = task.line;
      if (!oldest && blocked !== undefined) expect(blocked.nextAttemptAt).toBeLessThanOrEqual(now);
    },
    end(which: number, succeeds: boolean, limit: number) {
      const [task] = running.splice(which % Math.max(1, running.length), 1);
      if (task !== undefined) end(task, succeeds, limit);
    },
    pass(milliseconds: number) {
      now += milliseconds;
    },
    save() {
      const { blocked, unblocked } = lines.collect();
      for (const row of blocked) saved.blocked.set(row.albumId, row);
      for (const albumId of unblocked) saved.blocked.delete(albumId);
      saved = { ...saved, position: lines.position() };
    },
    /** What is in flight arrives, and nothing is saved of it. */
    crash() {
      for (const task of running.splice(0)) if (task.event !== undefined) received.push(task.event);
      lines = new AlbumLines({ position: saved.position, blocked: [...saved.blocked.values()] }, { keptOfBusy });
    },
    forget() {
      if (running.length === 0) lines.forget();
    },
    /** Whatever fails, the retry succeeds. */
    finish() {
      for (const task of running.splice(0)) end(task, true, 2);
      for (let rounds = 0; rounds < 20 * log.length + 20; rounds++) {
        this.read(3);
        now += 100;
        for (let task = lines.take(now); task !== undefined; task = lines.take(now)) end(task, true, 2);
      }
      this.save();
      return { ...saved, unsettled: lines.unsettled, blockedCount: lines.blockedCount };
    },
  };
}

const step = fc.oneof(
  fc.record({ kind: fc.constant("read" as const), count: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ kind: fc.constant("begin" as const), oldest: fc.boolean() }),
  fc.record({
    kind: fc.constant("end" as const),
    which: fc.nat(10),
    succeeds: fc.boolean(),
    limit: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({ kind: fc.constant("pass" as const), milliseconds: fc.nat(10) }),
  fc.record({ kind: fc.constant("save" as const) }),
  fc.record({ kind: fc.constant("crash" as const) }),
  fc.record({ kind: fc.constant("forget" as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

function run(albums: readonly number[], steps: readonly Step[], keptOfBusy: number) {
  const simulation = createSimulation(albums, keptOfBusy);
  for (const one of steps) {
    if (one.kind === "read") simulation.read(one.count);
    else if (one.kind === "begin") simulation.begin(one.oldest);
    else if (one.kind === "end") simulation.end(one.which, one.succeeds, one.limit);
    else if (one.kind === "pass") simulation.pass(one.milliseconds);
    else simulation[one.kind]();
  }
  const end = simulation.finish();
  return { ...simulation, end };
}

const logs = fc.array(fc.nat(3), { maxLength: 60 });
/** Some limits that the logs reach, and one that they do not. */
const limits = fc.constantFrom(1, 3, 1000);

test("every event is received, and those of an album first in their order, through failures, crashes and pauses", () => {
  fc.assert(
    fc.property(logs, fc.array(step, { maxLength: 150 }), limits, (albums, steps, keptOfBusy) => {
      const { log, received, end } = run(albums, steps, keptOfBusy);
      const firsts = new Map(received.toReversed().map((event) => [event.id, received.indexOf(event)]));
      expect([...firsts.keys()].sort()).toEqual(log.map(({ id }) => id).sort());
      for (const [, events] of Map.groupBy(log, ({ albumId }) => albumId)) {
        const places = events.map(({ id }) => firsts.get(id) ?? -1);
        expect(places).toEqual(places.toSorted((one, other) => one - other));
      }
      expect(end).toEqual({ position: log.length, blocked: new Map(), unsettled: 0, blockedCount: 0 });
    }),
    { numRuns: 2000 },
  );
});

test("no event is received twice without a crash or a pause", () => {
  fc.assert(
    fc.property(logs, fc.array(step, { maxLength: 150 }), limits, (albums, steps, keptOfBusy) => {
      const lasting = steps.filter(({ kind }) => kind !== "crash" && kind !== "forget");
      const { log, received } = run(albums, lasting, keptOfBusy);
      expect(received.map(({ seq }) => seq).sort((one, other) => one - other)).toEqual(log.map(({ seq }) => seq));
    }),
    { numRuns: 1000 },
  );
});

test("an album whose event failed does not hold up the others, nor the position", () => {
  const lines = new AlbumLines({ position: 0, blocked: [] });
  lines.offer([eventOf("a", 1), eventOf("a", 2), eventOf("b", 3)], 5);
  const failed = lines.take(0);
  if (failed?.event === undefined) throw new Error("There is no event to send.");
  lines.failed(failed.line, 0, () => 1000);
  const other = lines.take(0);
  expect(other?.event?.seq).toBe(3);
  if (other !== undefined) lines.delivered(other.line, 0);
  expect(lines.take(999)).toBeUndefined();
  expect({ position: lines.position(), dueAt: lines.dueAt(), ...lines.collect() }).toEqual({
    position: 5,
    dueAt: 1000,
    blocked: [{ albumId: "a", seq: 1, attempts: 1, nextAttemptAt: 1000, failingSince: 0 }],
    unblocked: [],
  });
  expect(lines.take(1000)).toMatchObject({ event: { seq: 1 }, attempt: 2 });
});

test("a blocked album keeps few events in memory", () => {
  const lines = new AlbumLines({ position: 0, blocked: [] });
  lines.offer(
    Array.from({ length: 500 }, (_, index) => eventOf("a", index + 1)),
    500,
  );
  const task = lines.take(0);
  if (task === undefined) throw new Error("There is no event to send.");
  lines.failed(task.line, 0, () => 0);
  expect(lines.unsettled).toBeLessThan(20);
  expect(lines.position()).toBe(500);
});

test("an album of which many events come during one attempt does not hold up the position, nor take more memory", () => {
  const lines = new AlbumLines({ position: 0, blocked: [] });
  lines.offer([eventOf("a", 1)], 1);
  const attempt = lines.take(0);
  if (attempt === undefined) throw new Error("There is no event to send.");
  const later = Array.from({ length: 1000 }, (_, index) => eventOf("a", index + 2));
  lines.offer(later, 1001);
  expect(lines.unsettled).toBeLessThan(100);
  expect({ position: lines.position(), blocked: lines.collect().blocked }).toEqual({
    position: 1001,
    blocked: [{ albumId: "a", seq: 1, attempts: 0, nextAttemptAt: 0, failingSince: 0 }],
  });
  // Its first attempt still counts as one.
  expect(lines.failed(attempt.line, 5, () => 10)).toEqual({
    albumId: "a",
    seq: 1,
    attempts: 1,
    nextAttemptAt: 15,
    failingSince: 5,
  });
});
