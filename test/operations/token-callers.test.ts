import { describe, expect, test } from "bun:test";
import { parseTokenRules } from "../../src/config/token-rules.ts";
import { StoreError } from "../../src/domain/errors.ts";
import type { TokenRecord } from "../../src/domain/token.ts";
import { createTokenCallers, type TokenCallersOptions } from "../../src/operations/token-callers.ts";
import { rejectionOf } from "../waiting.ts";

const rulesOf = (...rules: object[]) => parseTokenRules(JSON.stringify(rules)).rules;
const RULES = rulesOf({ claim: "scope", has: "images", rights: ["read"], albums: ["u-{sub}"] });

const recordOf = (sub: string): TokenRecord => ({
  type: "JWT",
  algorithm: "ES256",
  key: "thumbprint",
  claims: { sub, scope: "images" },
});

/** A verifier that believes every token but `bad`, whose text is its subject. */
function open(options: Partial<TokenCallersOptions> = {}) {
  let now = 1_000_000;
  let verified = 0;
  const listeners = new Set<() => void>();
  const verifiedOf = (record: TokenRecord) => ({
    issuer: "https://a.example",
    subject: String(record.claims["sub"]),
    expiresAt: now + 1000,
    claims: record.claims,
    record,
  });
  const verifier = {
    generation: 1,
    onChange: (listener: () => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    verify: async (token: string) => {
      verified += 1;
      await Promise.resolve();
      if (token === "bad") throw new StoreError("unauthorized", "The token is not valid.");
      return verifiedOf(recordOf(token));
    },
    verifyAgain: async (record: TokenRecord) => {
      verified += 1;
      await Promise.resolve();
      return verifiedOf(record);
    },
  };
  const callers = createTokenCallers({ verifier, rules: RULES, grantsOfAll: [], now: () => now, ...options });
  return {
    callers,
    /** How many tokens were verified by the requests so far. */
    get verified() {
      return verified;
    },
    changeKeys() {
      verifier.generation += 1;
      for (const listener of listeners) listener();
    },
    wait: (milliseconds: number) => void (now += milliseconds),
  };
}

describe("a token", () => {
  test("is the caller that its rules describe", async () => {
    const grantsOfAll = [{ rights: new Set(["read"] as const), albums: "*" as const }];
    const { callers } = open({ grantsOfAll });
    expect(await callers.find("ann")).toEqual({
      caller: {
        kind: "token",
        id: "https://a.example#ann",
        name: "ann",
        grants: [{ rights: new Set(["read"]), albums: { names: ["u-ann"] } }, ...grantsOfAll],
      },
      expiresAt: 1_001_000,
      token: recordOf("ann"),
    });
  });

  test("is verified once, and then is found without a wait", async () => {
    const store = open();
    const first = await store.callers.find("ann");
    expect(store.callers.find("ann")).toBe(first);
    expect(await store.callers.find("bob")).not.toBe(first);
    expect(store.verified).toBe(2);
  });

  test("is verified again once it has expired", async () => {
    const store = open();
    await store.callers.find("ann");
    store.wait(999);
    expect(store.callers.find("ann")).not.toBeInstanceOf(Promise);
    store.wait(1);
    expect(store.callers.find("ann")).toBeInstanceOf(Promise);
    expect(store.verified).toBe(2);
  });

  test("is verified again once the keys have changed", async () => {
    const store = open();
    await store.callers.find("ann");
    store.changeKeys();
    await store.callers.find("ann");
    expect(store.verified).toBe(2);
  });

  test("gets what other rules grant once they are replaced, also where they are while it is verified", async () => {
    const store = open();
    await store.callers.find("ann");
    const slow = store.callers.find("bob");
    store.callers.replaceRules(rulesOf({ rights: ["write"], albums: ["w-{sub}"] }));
    await slow;
    for (const name of ["ann", "bob"])
      expect((await store.callers.find(name)).caller.grants).toEqual([
        { rights: new Set(["write"]), albums: { names: [`w-${name}`] } },
      ]);
  });

  test("is not remembered where the keys change while it is verified", async () => {
    const store = open();
    const slow = store.callers.find("ann");
    store.changeKeys();
    await slow;
    await store.callers.find("ann");
    expect(store.verified).toBe(2);
  });

  test("whose keys or rules change is told to those who listen, until they stop", async () => {
    const store = open();
    let told = 0;
    const stop = store.callers.onChange(() => void told++);
    store.callers.replaceRules(RULES);
    store.changeKeys();
    expect(told).toBe(2);
    stop();
    store.callers.replaceRules(RULES);
    store.changeKeys();
    expect(told).toBe(2);
  });

  test("that is refused is not remembered", async () => {
    const store = open();
    for (let turn = 0; turn < 2; turn++)
      expect((await rejectionOf(Promise.resolve(store.callers.find("bad")))).message).toBe("The token is not valid.");
    expect(store.verified).toBe(2);
  });

  test("that was used longest ago is forgotten when there are too many", async () => {
    const store = open();
    for (let number = 0; number < 10_000; number++) await store.callers.find(`t${number}`);
    void store.callers.find("t0");
    await store.callers.find("one more");
    expect(store.verified).toBe(10_001);
    expect(store.callers.find("t0")).not.toBeInstanceOf(Promise);
    expect(store.callers.find("t1")).toBeInstanceOf(Promise);
    expect(store.callers.find("t3")).not.toBeInstanceOf(Promise);
  });

  test("whose claim does not fit into a pattern is told", async () => {
    const told: unknown[] = [];
    const rules = rulesOf({ rights: ["read"], albums: ["u-{sub}-*"] });
    const { callers } = open({ rules, onUnfit: (claims) => void told.push(claims) });
    expect((await callers.find("a-b")).caller.grants).toEqual([]);
    await callers.find("a-b");
    await callers.find("ann");
    expect(told).toEqual([["sub"]]);
  });
});
