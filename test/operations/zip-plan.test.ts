import { expect, test } from "bun:test";
import { createZipPlanner } from "../../src/operations/zip-plan.ts";
import { expectCode } from "../errors.ts";
import { NEVER, syntheticAlbum, syntheticImage } from "./synthetic-album.ts";

/** A planner of which the passes over the albums `x` and `y` have begun, and end when it is released. */
function busyPlanner() {
  const album = syntheticAlbum([syntheticImage(0)]);
  const released = Promise.withResolvers<void>();
  const begun: string[] = [];
  const planner = createZipPlanner({
    imageFiles: (query) => album.deps.catalog.imageFiles(query),
    async newestImageAt(albumId) {
      begun.push(albumId);
      await released.promise;
      return album.deps.catalog.newestImageAt(albumId);
    },
  });
  const running = ["x", "y"].map((albumId) => planner.plan(albumId, NEVER));
  return { planner, release: () => released.resolve(), begun, album, running };
}

test("a thousand requests for an album cost one pass over its records while others run", async () => {
  const { planner, release, begun, running } = busyPlanner();
  const waiting = Array.from({ length: 1000 }, () => planner.plan("a", NEVER));
  expect(begun).toEqual(["x", "y"]);
  release();
  expect(new Set(await Promise.all(waiting)).size).toBe(1);
  await Promise.all(running);
  expect(begun).toEqual(["x", "y", "a"]);
});

test("a request that comes when a pass has begun gets one of its own, which sees every change before it", async () => {
  const { planner, release, begun, album, running } = busyPlanner();
  album.change((images) => [...images, syntheticImage(1)]);
  const later = planner.plan("x", NEVER);
  release();
  expect((await later).directory.files).toBe(2);
  await Promise.all(running);
  expect(begun).toEqual(["x", "y", "x"]);
});

test("who leaves fails no other, and no pass begins when all have left", async () => {
  const { planner, release, begun, running } = busyPlanner();
  const [one, two, three] = [new AbortController(), new AbortController(), new AbortController()];
  const left = [planner.plan("a", one.signal), planner.plan("b", two.signal), planner.plan("b", three.signal)];
  const stays = planner.plan("a", NEVER);
  const settled = Promise.allSettled(left);
  for (const controller of [one, two, three]) controller.abort();
  expect((await settled).map(({ status }) => status)).toEqual(left.map(() => "rejected"));
  release();
  expect((await stays).directory.files).toBe(1);
  await Promise.all(running);
  expect(begun).toEqual(["x", "y", "a"]);
});

test("when the passes of 64 albums wait, the next album is refused", async () => {
  const { planner, release, running } = busyPlanner();
  const leaving = new AbortController();
  const waiting = Array.from({ length: 64 }, (_, index) =>
    planner.plan(`a${index}`, index === 0 ? leaving.signal : NEVER),
  );
  const settled = Promise.allSettled(waiting);
  await expectCode(planner.plan("more", NEVER), "busy");
  leaving.abort();
  await Bun.sleep(0);
  const fits = planner.plan("more", NEVER);
  release();
  expect((await fits).directory.files).toBe(1);
  expect((await settled).filter(({ status }) => status === "fulfilled")).toHaveLength(63);
  await Promise.all(running);
});
