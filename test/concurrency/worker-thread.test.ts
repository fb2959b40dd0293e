import { describe, expect, test } from "bun:test";
import { connectThread, serveRequests } from "../../src/concurrency/worker-thread.ts";
import { rejectionOf } from "../waiting.ts";

const home = new URL("../../src/concurrency/worker-thread.ts", import.meta.url).href;

type Request = { readonly wait: number } | { readonly code: string } | { readonly die: true };

/** Waits, throws, or dies, as a request says. */
const startWorker = () =>
  new Worker(
    URL.createObjectURL(
      new Blob([
        `import { serveRequests } from ${JSON.stringify(home)};
         serveRequests(globalThis, async ({ wait, code, die }) => {
           if (die) setTimeout(() => { throw new Error("enough"); });
           if (die) await new Promise(() => {});
           if (code) throw Object.assign(new Error("refused"), { code });
           await Bun.sleep(wait);
           return wait;
         });`,
      ]),
    ),
  );

describe("a thread", () => {
  test("serves requests in their order, and passes on what one throws", async () => {
    using thread = connectThread<Request>(startWorker(), "test thread");
    const order: number[] = [];
    const served = [20, 0, 5].map(async (wait) => order.push(await thread.request<number>({ wait })));
    const refused = rejectionOf(thread.request({ code: "EIO" }));
    await Promise.all(served);
    expect(order).toEqual([20, 0, 5]);
    expect(await refused).toMatchObject({ message: "refused", code: "EIO" });
    expect(await thread.request<number>({ wait: 1 })).toBe(1);
  });

  test("that dies rejects every request, and later ones at once", async () => {
    using thread = connectThread<Request>(startWorker(), "test thread");
    const rejections = await Promise.all([
      rejectionOf(thread.request({ die: true })),
      rejectionOf(thread.request({ wait: 0 })),
    ]);
    for (const { message } of rejections) expect(message).toContain("The test thread failed: ");
    expect((await thread.death).message).toContain("enough");
    expect((await rejectionOf(thread.request({ wait: 0 }))).message).toContain("enough");
  });

  test("that is disposed of rejects what it has not served", async () => {
    const thread = connectThread<Request>(startWorker(), "test thread");
    const rejection = rejectionOf(thread.request({ wait: 3_600_000 }));
    thread[Symbol.dispose]();
    expect((await rejection).message).toBe("The test thread was stopped.");
  });
});

test("a request is served only once the one before it is", async () => {
  const { port1, port2 } = new MessageChannel();
  const first = Promise.withResolvers<void>();
  const begun: number[] = [];
  serveRequests(port1, (request: number) => {
    begun.push(request);
    return request === 1 ? first.promise : undefined;
  });
  const replies: string[] = [];
  const both = new Promise<void>((resolve) => {
    port2.addEventListener("message", (event: Event) => {
      if (replies.push((event as MessageEvent<string>).data) === 2) resolve();
    });
  });
  port1.start();
  port2.start();
  for (const request of [1, 2]) port2.postMessage(JSON.stringify(request));
  await Bun.sleep(20);
  expect(begun).toEqual([1]);
  first.resolve();
  await both;
  expect(begun).toEqual([1, 2]);
  port1.close();
});
