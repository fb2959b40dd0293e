import { describe, expect, test } from "bun:test";
import { type ChunkReader, closeAfter, createUnreadBody } from "../../src/http/unread-body.ts";
import { createManualClock } from "../concurrency/manual-clock.ts";

/** A loop that is not stalled sees every timer and every chunk in its turn. */
const STEP_MS = 50;

/** Resolves when what follows from a chunk or a timer has happened. */
const settle = () => Bun.sleep(1);

type Chunk = Awaited<ReturnType<ChunkReader["read"]>>;

/** A refused request whose client sends when the test says so, and its response. */
async function refuse() {
  const { clock, advance } = createManualClock();
  let deliver: (chunk: Chunk) => void;
  const reader: ChunkReader = {
    read: () => new Promise((resolve) => (deliver = resolve)),
  };
  const unread = createUnreadBody(reader, clock);
  const response = await closeAfter(new Response("no"), unread);
  const content = (response.body as ReadableStream<Uint8Array>).getReader();
  expect((await content.read()).value).toEqual(new TextEncoder().encode("no"));
  let isClosed = false;
  void content.read().then(({ done }) => (isClosed = done));
  await settle();
  return {
    isClosed: () => isClosed,
    async send(bytes: number) {
      deliver({ done: false, value: new Uint8Array(bytes) });
      await settle();
    },
    async end() {
      deliver({ done: true });
      await settle();
    },
    async pass(milliseconds: number) {
      for (let passed = 0; passed < milliseconds; passed += STEP_MS) {
        advance(STEP_MS);
        await settle();
      }
    },
    async stall(milliseconds: number) {
      advance(milliseconds);
      await settle();
    },
  };
}

describe("the connection of a refused upload", () => {
  test("stays open while its client pauses for less than a second", async () => {
    const upload = await refuse();
    for (let turn = 0; turn < 4; turn++) {
      await upload.pass(900);
      expect(upload.isClosed()).toBe(false);
      await upload.send(1000);
    }
    await upload.pass(1100);
    expect(upload.isClosed()).toBe(true);
  });

  test("stays open when the bytes of its client are received after the timer, as in a process that was stalled", async () => {
    const upload = await refuse();
    await upload.stall(3000);
    await upload.send(1000);
    await upload.pass(900);
    expect(upload.isClosed()).toBe(false);
  });

  test("is closed after 5 seconds when its client sends a byte every 900 milliseconds", async () => {
    const upload = await refuse();
    let milliseconds = 0;
    for (; !upload.isClosed() && milliseconds < 60_000; milliseconds += 900) {
      await upload.pass(900);
      await upload.send(1);
    }
    expect(milliseconds).toBeWithin(4500, 6301);
  });

  test("is closed at once when its client has sent all of the body", async () => {
    const upload = await refuse();
    await upload.send(1000);
    await upload.end();
    expect(upload.isClosed()).toBe(true);
  });
});
