import { afterEach, beforeEach, describe, expect, setSystemTime, test } from "bun:test";
import type { AccessState, Credential, CredentialUse, Identity } from "../../src/domain/credential.ts";
import { StoreError } from "../../src/domain/errors.ts";
import { type CredentialSecret, type Credentials, createCredentials } from "../../src/operations/credentials.ts";
import { makeSecret } from "../../src/operations/secrets.ts";
import { rejectionOf, until } from "../waiting.ts";

/** A catalog that counts what it is asked, and can be cut off or held up. */
function createCatalog() {
  const known = new Map<string, Credential>();
  const written: CredentialUse[] = [];
  const catalog = {
    state: { revision: 0, hasKeys: false } as AccessState,
    reachable: true,
    lookUps: 0,
    polls: 0,
    /** Awaited by look-ups, after they have read. */
    gate: Promise.resolve(),
    known,
    written,
    async credential(_kind: string, id: string) {
      catalog.lookUps += 1;
      requireReachable();
      const found = known.get(id);
      await catalog.gate;
      return found;
    },
    /** Awaited by polls, after they have read. */
    pollGate: Promise.resolve(),
    async accessState() {
      catalog.polls += 1;
      requireReachable();
      const { state } = catalog;
      await catalog.pollGate;
      return state;
    },
    async write(change: { readonly uses: readonly CredentialUse[] }) {
      requireReachable();
      written.push(...change.uses);
      return null as never;
    },
  };
  const requireReachable = () => {
    if (!catalog.reachable) throw new StoreError("unavailable", "It is cut off.");
  };
  return catalog;
}

/** Long: a test that is not about them sees none. */
const NEVER = 3_600_000;

describe("credentials", () => {
  let catalog: ReturnType<typeof createCatalog>;
  let credentials: Credentials;
  const open = async (intervals: { pollInterval?: number; flushInterval?: number } = {}) => {
    credentials = await createCredentials({
      catalog: catalog as never,
      pollInterval: NEVER,
      flushInterval: NEVER,
      ...intervals,
    });
  };
  beforeEach(() => {
    catalog = createCatalog();
  });
  afterEach(async () => {
    setSystemTime();
    await credentials[Symbol.asyncDispose]();
  });

  const add = (more: Partial<Credential> = {}): CredentialSecret => {
    const { id, sha256 } = makeSecret("key");
    const caller = { kind: "key", id, name: "name", grants: [] } as const;
    catalog.known.set(id, { kind: "key", id, sha256, caller, expiresAt: null, isRevoked: false, ...more });
    catalog.state = { revision: catalog.state.revision + 1, hasKeys: true };
    return { kind: "key", id, sha256 };
  };
  const identify = async (secret: CredentialSecret): Promise<Identity> => credentials.identify(secret);
  const reasonOf = async (secret: CredentialSecret): Promise<string | undefined> =>
    ((await rejectionOf(identify(secret))) as StoreError).reason;

  test("are looked up once, and remembered without a promise", async () => {
    await open();
    const secret = add();
    const first = credentials.identify(secret);
    expect(first).toBeInstanceOf(Promise);
    const { caller } = await first;
    expect(caller).toMatchObject({ kind: "key", id: secret.id, name: "name" });
    expect((credentials.identify(secret) as Identity).caller).toBe(caller);
    expect(catalog.lookUps).toBe(1);
  });

  test("are looked up once for all requests that wait", async () => {
    await open();
    const secret = add();
    await Promise.all(Array.from({ length: 1000 }, () => identify(secret)));
    expect(catalog.lookUps).toBe(1);
  });

  test("are refused with a reason: unknown, revoked or expired", async () => {
    await open();
    expect(await reasonOf({ ...makeSecret("key"), kind: "key" })).toBe("unknown");
    expect(await reasonOf({ ...add(), sha256: makeSecret("key").sha256 })).toBe("unknown");
    expect(await reasonOf(add({ isRevoked: true }))).toBe("revoked");
    expect(await reasonOf(add({ expiresAt: Date.now() - 1 }))).toBe("expired");
  });

  test("expire while they are remembered", async () => {
    await open();
    const secret = add({ expiresAt: Date.now() + 60_000 });
    await identify(secret);
    setSystemTime(Date.now() + 59_000);
    await identify(secret);
    setSystemTime(Date.now() + 1000);
    expect(() => credentials.identify(secret)).toThrow("has expired");
  });

  test("are forgotten when a poll finds another revision", async () => {
    await open({ pollInterval: 1 });
    const secret = add();
    await identify(secret);
    catalog.known.set(secret.id, { ...(catalog.known.get(secret.id) as Credential), isRevoked: true });
    catalog.state = { revision: catalog.state.revision + 1, hasKeys: true };
    const seen = catalog.polls;
    await until(() => catalog.polls > seen + 1);
    expect(await reasonOf(secret)).toBe("revoked");
  });

  test("are forgotten at once after a change on this node, also where the catalog then cannot be asked", async () => {
    await open();
    const secret = add();
    await identify(secret);
    catalog.known.set(secret.id, { ...(catalog.known.get(secret.id) as Credential), isRevoked: true });
    catalog.reachable = false;
    await credentials.refresh();
    expect((await rejectionOf(identify(secret))) as StoreError).toMatchObject({ code: "unavailable" });
    catalog.reachable = true;
    expect(await reasonOf(secret)).toBe("revoked");
  });

  test("are not remembered when they were read before a change that came meanwhile", async () => {
    await open();
    const secret = add();
    const { promise, resolve } = Promise.withResolvers<void>();
    catalog.gate = promise;
    const early = identify(secret);
    await until(() => catalog.lookUps === 1);
    catalog.known.set(secret.id, { ...(catalog.known.get(secret.id) as Credential), isRevoked: true });
    catalog.state = { revision: catalog.state.revision + 1, hasKeys: true };
    await credentials.refresh();
    resolve();
    await early;
    expect(await reasonOf(secret)).toBe("revoked");
  });

  test("are honoured by a node that is cut off for two seconds and no longer, then with 503 and not 401", async () => {
    await open();
    const secret = add();
    await identify(secret);
    catalog.reachable = false;
    const cutAt = performance.now();
    let last = cutAt;
    let failure: unknown;
    while (failure === undefined) {
      const asked = performance.now();
      try {
        await identify(secret);
        last = asked;
      } catch (error) {
        failure = error;
      }
      await Bun.sleep(20);
    }
    expect(failure).toMatchObject({ code: "unavailable" });
    // Of the poll at the start, which began before the cut.
    expect(last - cutAt).toBeLessThan(2000);
    catalog.reachable = true;
    expect((await identify(secret)).caller.id).toBe(secret.id);
  });

  test("are asked for again by a request that finds a poll of which the answer is old when it comes", async () => {
    const secret = add();
    await open();
    await identify(secret);
    await Bun.sleep(2100);
    const gate = Promise.withResolvers<void>();
    catalog.pollGate = gate.promise;
    const early = identify(secret);
    const known = catalog.known.get(secret.id);
    if (known !== undefined) catalog.known.set(secret.id, { ...known, isRevoked: true });
    catalog.state = { ...catalog.state, revision: catalog.state.revision + 1 };
    await Bun.sleep(2100);
    const late = reasonOf(secret);
    gate.resolve();
    expect(await late).toBe("revoked");
    await early.catch(() => {});
  });

  test("say that there are keys once the first is made", async () => {
    await open({ pollInterval: 1 });
    expect(credentials.hasKeys).toBeFalse();
    add();
    await until(() => credentials.hasKeys);
  });

  test("tell the time of a key's last use once an hour, and again when that could not be written", async () => {
    await open({ flushInterval: 1 });
    const secret = add();
    catalog.reachable = true;
    await identify(secret);
    for (let time = 0; time < 100; time++) await identify(secret);
    await until(() => catalog.written.length > 0);
    expect(catalog.written).toEqual([{ kind: "key", id: secret.id, count: 1, at: expect.any(Number) }]);
    setSystemTime(Date.now() + 3_600_000);
    await identify(secret);
    catalog.reachable = false;
    await Bun.sleep(20);
    expect(catalog.written.length).toBeLessThanOrEqual(2);
    catalog.reachable = true;
    await until(() => catalog.written.length === 2);
  });

  test("count each use of a share", async () => {
    await open();
    for (let time = 0; time < 5; time++) credentials.noteUse("share", "s");
    await credentials[Symbol.asyncDispose]();
    expect(catalog.written).toEqual([{ kind: "share", id: "s", count: 5, at: expect.any(Number) }]);
  });
});
