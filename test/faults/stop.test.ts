import { afterAll, beforeAll, expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../waiting.ts";
import { createLedger, isInDoubt } from "./ledger.ts";
import { startLoad } from "./load.ts";
import { randomImage } from "./random-image.ts";
import { createRequests } from "./requests.ts";
import { startServer } from "./server-process.ts";
import { makeTemporaryFolder, removeLeftovers, removeTemporaryFolders } from "./temporary-folder.ts";
import { verify } from "./verify.ts";

beforeAll(removeLeftovers);
afterAll(removeTemporaryFolders);

test("SIGTERM under load answers every request that has begun and exits with 0", async () => {
  // As patient as the test: what it waits for takes a busy machine its time.
  const env = { IMAGE_STORE_MIN_UPLOAD_RATE: "0", IMAGE_STORE_SHUTDOWN_TIMEOUT: "5m" };
  const options = { dataFolder: makeTemporaryFolder(), env };
  const ledger = createLedger();
  {
    await using server = await startServer(options);
    const entry = ledger.open("slow");
    await createRequests(server.url, ledger, { maxImageBytes: 0 }).createAlbum(entry);
    const image = randomImage(50_000);
    const restOfBody = Promise.withResolvers<void>();
    async function* slowBody() {
      yield image.bytes.subarray(0, 20_000);
      await restOfBody.promise;
      yield image.bytes.subarray(20_000);
    }
    const album = { name: "slow.0", images: { "slow.png": image.sha256 } };
    const slow = ledger.attempt(entry, album, () =>
      fetch(`${server.url}/v1/albums/slow.0/images?name=slow.png`, {
        method: "POST",
        body: slowBody(),
        headers: { "content-type": "image/png" },
      }),
    );
    await until(async () => (await uploadsInFlight(server.url)) === 1);
    const load = startLoad(server.url, ledger, { clients: 16 });
    await load.acknowledged(200);
    const stopped = server.stop("SIGTERM");
    await untilRefused(server.url);
    restOfBody.resolve();
    expect(await slow).toBe("acknowledged");
    expect(await stopped).toBe(0);
    await load.stop();
  }

  // What had no answer was not done either: it came too late to be begun.
  const refused = [...ledger.entries.values()].filter(isInDoubt);
  const before = refused.map((entry) => entry.certain);
  await using server = await startServer(options);
  expect(await verify(server.url, ledger, options)).toEqual([]);
  expect(refused.map((entry) => entry.certain)).toEqual(before);
});

/** Before the load begins, only the slow one is. */
async function uploadsInFlight(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^image_store_uploads_in_flight (\d+)$/m.exec(metrics)?.[1]);
}

async function untilRefused(url: string): Promise<void> {
  for (;;) {
    try {
      await fetch(`${url}/healthz`, { keepalive: false });
    } catch {
      return;
    }
    await sleep(10);
  }
}
