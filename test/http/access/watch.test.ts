import { describe, expect, test } from "bun:test";
import { LOCAL } from "../../../src/domain/caller.ts";
import type { Identity } from "../../../src/domain/credential.ts";
import { StoreError } from "../../../src/domain/errors.ts";
import { watchAccess } from "../../../src/http/access-watch.ts";
import { rejectionOf, until } from "../../waiting.ts";

const IDENTITY: Identity = { caller: LOCAL, expiresAt: null };
const REVOKED = new StoreError("unauthorized", "The API key was revoked.");
const UNAVAILABLE = new StoreError("unavailable", "The catalog does not answer.");

/** The access of a request whose caller is identified as the test says. The catalog was always asked just now. */
function startWatch() {
  let notify: (() => void) | undefined;
  let asked = 0;
  const answers = { identify: (): Identity | Promise<Identity> => IDENTITY };
  const watch = watchAccess(IDENTITY, {
    identify: () => {
      asked += 1;
      return answers.identify();
    },
    confirm: () => undefined,
    onChange: (listener) => {
      notify = listener;
      return () => {};
    },
    now: Date.now,
  });
  return {
    watch,
    get asked() {
      return asked;
    },
    change(identify: () => Identity | Promise<Identity>) {
      answers.identify = identify;
      notify?.();
    },
    answer: (identify: () => Identity | Promise<Identity>) => {
      answers.identify = identify;
    },
  };
}

const throwing = (reason: StoreError) => (): Identity => {
  throw reason;
};

describe("the access of a stream", () => {
  test("is confirmed at once while nothing changes", async () => {
    const { watch, ...access } = startWatch();
    await watch.confirm();
    expect(watch.confirm()).toBeUndefined();
    access.change(() => IDENTITY);
    await watch.confirm();
    expect(watch.confirm()).toBeUndefined();
    expect(watch.signal.aborted).toBe(false);
  });

  test("is not confirmed after a change before the caller was identified again", async () => {
    const { watch, ...access } = startWatch();
    await watch.confirm();
    const { promise, reject } = Promise.withResolvers<Identity>();
    access.change(() => promise);
    const confirming = watch.confirm();
    expect(confirming).toBeInstanceOf(Promise);
    reject(REVOKED);
    await confirming;
    expect(watch.signal.reason).toBe(REVOKED);
  });

  test("is asked for again when the catalog could not be asked as it changed", async () => {
    const access = startWatch();
    const { watch } = access;
    await watch.confirm();
    const before = access.asked;
    access.change(throwing(UNAVAILABLE));
    await until(() => access.asked > before);
    expect(watch.signal.aborted).toBe(false);
    expect(await rejectionOf(Promise.resolve(watch.confirm()))).toBe(UNAVAILABLE);
    access.answer(throwing(REVOKED));
    await watch.confirm();
    expect(watch.signal.reason).toBe(REVOKED);
  });

  test("is not confirmed by an answer that was on its way as it changed", async () => {
    const { watch, ...access } = startWatch();
    await watch.confirm();
    const early = Promise.withResolvers<Identity>();
    access.change(() => early.promise);
    access.change(throwing(UNAVAILABLE));
    early.resolve(IDENTITY);
    await early.promise;
    await Bun.sleep(0);
    expect(await rejectionOf(Promise.resolve(watch.confirm()))).toBe(UNAVAILABLE);
  });
});
