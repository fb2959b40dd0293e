import { expect, test } from "bun:test";
import { openBody } from "../../src/http/request-body.ts";
import { createUploadMemory } from "../../src/operations/upload-memory.ts";

const LIMITS = { maxBytes: 100_000, minRate: 1000, patience: 60_000 };

/** Reads bodies that come together, each followed by work of 3 ms. Returns how often the event loop went round between the works. */
async function passesBetween(limits: Parameters<typeof openBody>[1]): Promise<readonly number[]> {
  let pass = 0;
  const ending = new AbortController();
  const counting = (async () => {
    for (; !ending.signal.aborted; pass++) await new Promise<void>((resolve) => setImmediate(resolve));
  })();
  const begun: number[] = [];
  const readOne = async (index: number) => {
    const body = new Uint8Array(1000);
    const headers = { "content-length": String(body.length) };
    const request = new Request("http://127.0.0.1/", { method: "PUT", headers, body });
    // As from sockets: each body comes after the work on the one before it, in the same round of the event loop.
    const bytes = async () => {
      for (let turn = 0; turn < 100 * index; turn++) await Promise.resolve();
      return body;
    };
    Object.defineProperty(request, "bytes", { value: bytes });
    using opened = openBody(request, limits);
    for await (const _ of opened.bytes) {
      begun.push(pass);
      for (const end = performance.now() + 3; performance.now() < end; );
    }
  };
  await Promise.all([0, 1, 2, 3, 4, 5].map(readOne));
  ending.abort();
  await counting;
  return begun.slice(1).map((at, index) => at - (begun[index] ?? 0));
}

test("between the works of uploads that arrive together, the event loop looks at other requests", async () => {
  const memory = createUploadMemory(100 * 1024 * 1024);
  for (const passes of await passesBetween({ ...LIMITS, memory })) expect(passes).toBeGreaterThan(0);
});

test("other bodies, such as JSON, do not wait for a turn", async () => {
  expect(await passesBetween(LIMITS)).toContain(0);
});
