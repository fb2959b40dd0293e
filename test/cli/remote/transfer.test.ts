import { expect, test } from "bun:test";
import { createClient } from "../../../client/src/index.ts";
import type { RemoteCall } from "../../../src/cli/remote/connection.ts";
import { forEach, startTransfer } from "../../../src/cli/remote/transfer.ts";
import { rejectionOf } from "../../waiting.ts";

const { signal } = new AbortController();

function newCall(): { readonly call: RemoteCall; readonly told: () => string } {
  let err = "";
  const context = {
    argv: [],
    env: {},
    isTerminal: false,
    out: () => {},
    err: (text: string) => void (err += text),
    readFile: () => "",
    onStop: () => () => {},
  };
  const url = "http://127.0.0.1:1";
  const call: RemoteCall = {
    client: createClient({ url }),
    url,
    key: undefined,
    command: "sync",
    operands: [],
    context,
    signal,
    text: () => undefined,
    texts: () => [],
    has: () => false,
    print: () => Promise.resolve(),
  };
  return { call, told: () => err };
}

const failure = (code: string) => Object.assign(new Error(code), { code });

test("a full disk ends the transfer at the file that it names; another failure is told, and the rest goes on", async () => {
  const { call, told } = newCall();
  using transfer = startTransfer(call);
  const work = forEach(["a", "b", "c", "d"], signal, async (name) => {
    await Promise.resolve();
    transfer.fail(name, failure(name === "c" ? "ENOSPC" : "EACCES"));
  });
  expect((await rejectionOf(work)).message).toBe("c: the disk is full");
  expect(told()).toStartWith("a: permission denied\nb: permission denied\n");
  // As the loop over albums gets it: it is not the failure of one album.
  const again = failure("ENOSPC");
  expect(() => transfer.fail("album", new Error("c: the disk is full", { cause: again }))).toThrow("the disk is full");
});

test("forEach runs 16 at a time, begins none after a failure, and waits for those that run", async () => {
  let [running, most, begun, ended] = [0, 0, 0, 0];
  const work = forEach(Array(100).keys(), signal, async (item) => {
    begun += 1;
    running += 1;
    most = Math.max(most, running);
    await Bun.sleep(1);
    running -= 1;
    ended += 1;
    if (item === 20) throw new Error("twenty");
  });
  expect((await rejectionOf(work)).message).toBe("twenty");
  expect(most).toBe(16);
  expect(begun).toBeLessThan(100);
  expect(ended).toBe(begun);
});
