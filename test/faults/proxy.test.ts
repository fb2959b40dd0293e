import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeKey } from "../../src/cli/key.ts";
import { type NginxServer, nginxIsMissing, readConfiguration, startNginx } from "../services/nginx-server.ts";
import { postgresIsMissing } from "../services/postgres-server.ts";
import { s3IsMissing } from "../services/s3-server.ts";
import { type Fleet, startFleet } from "./fleet/fleet.ts";
import { REFUSED_BY_RUNTIME, startHostileClients } from "./proxy/hostile-client.ts";
import { startNormalTraffic } from "./proxy/normal-traffic.ts";
import { randomImage } from "./random-image.ts";
import { makeTemporaryFolder, removeLeftovers, removeTemporaryFolders } from "./temporary-folder.ts";

/** What the hostile mix takes; ten minutes are 600. */
const SECONDS = Number(process.env["IMAGE_STORE_TEST_SECONDS"] ?? 30);
const missing = [postgresIsMissing(), s3IsMissing(), nginxIsMissing()].includes(true);
const { key, line } = makeKey({ keyName: "normal", rights: "editor" });

let fleet: Fleet;
let nginx: NginxServer;
const stack = new AsyncDisposableStack();
beforeAll(async () => {
  removeLeftovers();
  if (missing) return;
  // Anyone may read, so that a client without a key can hold bytes up.
  fleet = stack.use(
    await startFleet({ env: { IMAGE_STORE_API_KEYS: line, IMAGE_STORE_PUBLIC_READ: "true", IMAGE_STORE_GRACE: "1m" } }),
  );
  const upstreams = Object.fromEntries(
    fleet.nodes.map(({ url }, index) => [`node-${index + 1}:8080`, new URL(url).host]),
  );
  nginx = stack.use(
    await startNginx({
      configuration: readConfiguration("nginx.conf"),
      upstreams,
      folder: join(makeTemporaryFolder(), "nginx"),
    }),
  );
});
afterAll(async () => {
  await stack.disposeAsync();
  removeTemporaryFolders();
});

/** How many requests each node was asked for. */
const shares = (lines: readonly string[]) =>
  fleet.nodes.map(({ url }) => lines.filter((text) => text.includes(` ${new URL(url).host}`)).length);

const percentile = (times: readonly number[], share: number): number =>
  Math.round(times.toSorted((one, other) => one - other)[Math.floor(times.length * share)] ?? 0);

/** What nginx says of nodes, and how often. */
function failuresOf(errors: string): Record<string, number> {
  const kinds: Record<string, number> = {};
  for (const text of errors.split("\n")) {
    const kind = /\*\d+ (.*?upstream.*?)(?:, client|$)/.exec(text)?.[1];
    if (kind !== undefined) kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return kinds;
}

const publicImage = async (): Promise<string> => {
  const headers = { authorization: `Bearer ${key}` };
  const path = "/v1/albums/public/images/large/content";
  await fetch(`${nginx.url}/v1/albums/public`, { method: "PUT", headers });
  const put = await fetch(nginx.url + path, { method: "PUT", headers, body: randomImage(8_000_000).bytes });
  expect([200, 201]).toContain(put.status);
  return path;
};

describe.skipIf(missing)("behind deploy/nginx.conf", () => {
  test(
    "no request of a good client fails while clients without a key misbehave, and no node is marked down",
    async () => {
      const image = await publicImage();
      const pids = fleet.nodes.map(({ pid }) => pid);
      const before = nginx.accesses().length;
      const normal = startNormalTraffic({ url: nginx.url, key, clients: 4, pause: 20 });
      const hostile = startHostileClients(nginx.port, image, 12);
      for (let passed = 0; passed < SECONDS && normal.problems.length < 10; passed++) await sleep(1000);
      await Promise.all([normal.stop(), hostile.stop()]);

      const requests = nginx.accesses().slice(before);
      const failures = failuresOf(nginx.errors());
      const counts = { normal: normal.answered, hostile: Object.values(hostile.made).reduce((sum, n) => sum + n, 0) };
      console.log(
        `${SECONDS} s: ${JSON.stringify({ ...counts, ...hostile.made })}; requests by node ${shares(requests).join(", ")}; ` +
          `normal p50 ${percentile(normal.times, 0.5)} ms, p99 ${percentile(normal.times, 0.99)} ms; ` +
          `nginx about nodes: ${JSON.stringify(failures)}`,
      );
      expect(normal.problems).toEqual([]);
      // Whatever was sent to a node, its answer got through, also where the client went on sending.
      expect(requests.filter((text) => /" 50[234] /.test(text) && !text.includes(REFUSED_BY_RUNTIME))).toEqual([]);
      expect(nginx.errors()).not.toMatch(/temporarily disabled|no live upstreams/);
      expect(normal.answered).toBeGreaterThan(SECONDS);
      expect(Object.entries(hostile.made).filter(([, count]) => count === 0)).toEqual([]);
      expect(shares(requests).filter((share) => share === 0)).toEqual([]);
      expect(fleet.nodes.map(({ pid, isServing }) => isServing && pid)).toEqual(pids);
    },
    (SECONDS + 600) * 1000,
  );

  test("a node killed under load gets no requests, and gets them again once it is back", async () => {
    const [node] = fleet.nodes;
    // What it had begun dies with it: a write gets a 503, and what was being sent is cut.
    let gone = 0;
    let dying = false;
    const normal = startNormalTraffic({
      url: nginx.url,
      key,
      clients: 6,
      pause: 5,
      mayFail(status) {
        if (!dying || (status !== 503 && status !== "unanswered")) return false;
        gone++;
        return true;
      },
    });
    const answers = async (count: number) => {
      const goal = normal.answered + count;
      while (normal.answered < goal && normal.problems.length === 0) await sleep(20);
    };
    await answers(100);
    dying = true;
    await node.kill();
    await answers(50);
    dying = false;
    const whileGone = nginx.accesses().length;
    await answers(300);
    const failedOver = nginx.accesses().slice(whileGone);
    await node.start();
    const whenBack = nginx.accesses().length;
    await answers(300);
    await normal.stop();
    const [share] = shares(nginx.accesses().slice(whenBack));
    console.log(`killed: ${gone} requests failed at that moment; ${share} of 300 went to it once it was back`);
    expect(normal.problems).toEqual([]);
    expect(failedOver.length).toBeGreaterThanOrEqual(300);
    // Each client has one request under way, and a stream of events is open.
    expect(gone).toBeLessThanOrEqual(7);
    expect(share).toBeGreaterThan(30);
  }, 600_000);
});
