import { expect, test } from "bun:test";
import { join } from "node:path";
import { startFront } from "../../../client/test/front.ts";
import { startStore, type TestStore } from "../../http/harness.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { until } from "../../waiting.ts";
import { cliOf } from "./run-remote.ts";

const main = join(import.meta.dir, "../../../src/main.ts");

const create = (store: TestStore, name: string) => store.send("POST", "/v1/albums", { name });

/** `tail` in this process; `stop` is Ctrl-C. */
function startTail(url: string, home: string, ...options: readonly string[]) {
  let out = "";
  let stop: (() => void) | undefined;
  const cli = cliOf(url, home, {
    out: (text) => void (out += text),
    onStop: (listener) => {
      stop = listener;
      return () => {};
    },
  });
  const events = () =>
    out
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { type: string; cursor: string; data: { name: string } });
  return {
    ended: cli("tail", ...options),
    events,
    names: () => events().map(({ data }) => data.name),
    stop: () => stop?.(),
  };
}

test("tail prints each event once and in order, through a lost connection, and resumes from its cursor", async () => {
  await using store = await startStore();
  await using front = startFront(store.url);
  const home = await newFolder("tail");
  try {
    await create(store, "a");
    const tail = startTail(front.url, home, "--from", "oldest", "--type", "album.created");
    await until(() => tail.names().length === 1);
    await front.close();
    await create(store, "b");
    front.open();
    await until(() => tail.names().length === 2);
    await store.fetch("/v1/albums/a", { method: "DELETE" });
    await create(store, "c");
    await until(() => tail.names().length === 3);
    expect(tail.names()).toEqual(["a", "b", "c"]);
    tail.stop();
    expect(await tail.ended).toMatchObject({
      code: 0,
      err: `The connection to ${front.url} was lost; connecting again.\n`,
    });

    const later = startTail(front.url, home, "--from", tail.events()[0]?.cursor ?? "");
    await until(() => later.names().length === 3);
    later.stop();
    expect(later.events().map(({ type, data }) => `${type.split(".").at(-1)} ${data.name}`)).toEqual([
      "created b",
      "deleted a",
      "created c",
    ]);
    expect((await later.ended).code).toBe(0);
  } finally {
    await removeFolder(home);
  }
});

test("tail says that no store is at the URL, that a proxy says so, or that something else is there", async () => {
  let status = 502;
  const proxy = Bun.serve({ port: 0, fetch: () => new Response("<h1>Hello</h1>", { status }) });
  const nowhere = `http://127.0.0.1:${proxy.port}`;
  expect(await cliOf(nowhere, "/nonexistent")("tail")).toMatchObject({
    code: 1,
    out: "",
    err: expect.stringContaining(`The store at ${nowhere} does not answer: a proxy in front of it says 502`),
  });
  // Of a type that says nothing, as HTML does.
  status = 200;
  expect(await cliOf(nowhere, "/nonexistent")("tail")).toMatchObject({
    code: 1,
    out: "",
    err: expect.stringContaining(`Something other than an Image Store answers at ${nowhere}: 200`),
  });
  await proxy.stop(true);
  expect(await cliOf(nowhere, "/nonexistent")("tail")).toMatchObject({
    code: 1,
    out: "",
    err: expect.stringContaining(`No store answers at ${nowhere}. Is it running?`),
  });
});

test("tail without --from prints what comes after its start, although its first connection fails", async () => {
  await using store = await startStore();
  await using front = startFront(store.url);
  await create(store, "before");
  // The look-up of the end goes through, and the stream does not.
  let streams = 0;
  const failing = Bun.serve({
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      if (pathname === "/v1/events/stream" && streams++ < 2) {
        if (streams === 1) await create(store, "missed");
        return new Response("<h1>Bad gateway</h1>", { status: 502 });
      }
      return fetch(`${front.url}${pathname}${search}`, { headers: request.headers, signal: request.signal });
    },
  });
  const tail = startTail(`http://127.0.0.1:${failing.port}`, "/nonexistent");
  await until(() => tail.names().length === 1);
  await create(store, "after");
  await until(() => tail.names().length === 2);
  tail.stop();
  expect((await tail.ended).err).toEndWith(" was lost; connecting again.\n");
  expect(tail.names()).toEqual(["missed", "after"]);
  await failing.stop(true);
});

test("tail says what to do about a cursor that the store does not know", async () => {
  await using store = await startStore();
  const ran = await cliOf(store.url, "/nonexistent")("tail", "--from", "nonsense");
  expect(ran).toMatchObject({ code: 1, out: "" });
  expect(ran.err).toEndWith("Start again with --from oldest, or with --from latest for new events only.\n");
});

test("tail ends with 0 when the reader of its pipe is gone", async () => {
  await using store = await startStore();
  const env = { PATH: process.env["PATH"], HOME: "/nonexistent", IMAGE_STORE_URL: store.url };
  await create(store, "a");
  const shell = Bun.spawn(
    ["bash", "-c", `${process.execPath} ${main} tail --from oldest | head -n 1; echo "\${PIPESTATUS[0]}"`],
    {
      env,
      stdout: "pipe",
    },
  );
  for (let number = 0; shell.exitCode === null; number++) {
    await create(store, `b${number}`);
    await Bun.sleep(100);
  }
  const [event = "", code] = (await shell.stdout.text()).trim().split("\n");
  expect(JSON.parse(event)).toMatchObject({ type: "imagestore.album.created" });
  expect(code).toBe("0");
});
