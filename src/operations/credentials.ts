import { every } from "../concurrency/clock.ts";
import { createCoalescer } from "../concurrency/coalescer.ts";
import type { Grant } from "../domain/caller.ts";
import type { AccessState, Credential, CredentialKind, CredentialUse, Identity } from "../domain/credential.ts";
import { StoreError } from "../domain/errors.ts";
import type { RequestCatalog } from "./request-catalog.ts";
import { type ParsedSecret, sameDigest } from "./secrets.ts";

/** Identifies callers by secrets that the store made. This node honours what it remembers only within two seconds after a poll. */
export interface Credentials extends AsyncDisposable {
  /** Whether a key was ever made, as of the last poll. */
  readonly hasKeys: boolean;
  /**
   * Who sent the secret. At once where that is remembered.
   * @throws StoreError `unauthorized` with a reason for the log, `unavailable` while the catalog cannot be asked
   */
  identify(secret: CredentialSecret): Identity | Promise<Identity>;
  /**
   * The same for the secret with this digest, where that is remembered. It spares most requests the reading of the secret.
   * @throws StoreError `unauthorized` with a reason for the log
   */
  recall(kinds: ReadonlySet<CredentialKind>, sha256: string): Identity | undefined;
  /**
   * Makes sure that the catalog was asked within the last two seconds.
   * @throws StoreError `unavailable`
   */
  confirm(): void | Promise<void>;
  /** Call it after each change of a key, share or session, before its response, so this node honours the change. Never rejects. */
  refresh(): Promise<void>;
  /** Calls back when a credential may have been changed, revoked or deleted. Returns the function that ends it. */
  onChange(listener: () => void): () => void;
  /** Counts a use, which is written to the catalog within seconds. {@link identify} calls it. */
  noteUse(kind: CredentialKind, id: string): void;
}

export type CredentialSecret = ParsedSecret & { readonly kind: CredentialKind };

export interface CredentialsOptions {
  readonly catalog: Pick<RequestCatalog, "credential" | "accessState" | "write">;
  /** What each caller may do besides its own grants. */
  readonly grantsOfAll?: readonly Grant[];
  /** The clock that credentials expire by, in milliseconds since 1970. */
  readonly now?: () => number;
  /** In milliseconds. */
  readonly pollInterval?: number;
  readonly flushInterval?: number;
}

const POLL_INTERVAL = 1000;
const FLUSH_INTERVAL = 10_000;
/** How long what is remembered may be used after a poll began, in milliseconds. */
const TRUSTED_FOR = 2000;
const MAX_REMEMBERED = 10_000;
const HOUR = 3_600_000;

/** Asks the catalog once before it resolves, then each second. */
export async function createCredentials(options: CredentialsOptions): Promise<Credentials> {
  const { catalog, grantsOfAll = [], now = Date.now } = options;
  const { pollInterval = POLL_INTERVAL, flushInterval = FLUSH_INTERVAL } = options;
  const remembered = createRememberedCredentials(catalog, grantsOfAll);
  const uses = createUses(catalog, now);
  const listeners = new Set<() => void>();
  let state: AccessState | undefined;
  let confirmedAt = -Infinity;
  const { coalesce } = createCoalescer({ failsQueued: true });

  const changed = () => {
    remembered.clear();
    for (const listener of listeners) listener();
  };

  const ask = async (): Promise<void> => {
    const begun = performance.now();
    const found = await catalog.accessState();
    confirmedAt = begun;
    const isNew = found.revision !== state?.revision || found.hasKeys !== state.hasKeys;
    state = found;
    if (isNew) changed();
  };

  /** Asks after the call: an answer that others wait for may be older than a change that this caller knows of. */
  const poll = (): Promise<void> => coalesce("state", ask);

  const isConfirmed = () => performance.now() - confirmedAt < TRUSTED_FOR;

  const judge = (credential: Credential | undefined, { kind, sha256 }: CredentialSecret): Identity => {
    if (credential === undefined || !sameDigest(credential.sha256, sha256)) throw refused(kind, "unknown");
    return judgeUse(credential);
  };

  /** By a client that has the secret. */
  const judgeUse = (credential: Credential): Identity => {
    const { kind } = credential;
    if (credential.isRevoked) throw refused(kind, "revoked");
    if (credential.expiresAt !== null && now() >= credential.expiresAt) throw refused(kind, "expired");
    // What a session does is done by what it was made with.
    const { base } = credential.caller;
    if (credential.kind !== "session") uses.note(credential.kind, credential.id);
    else if (base?.id != null && (base.kind === "key" || base.kind === "share")) uses.note(base.kind, base.id, 0);
    return credential;
  };

  const identifyLater = async (secret: CredentialSecret): Promise<Identity> => {
    if (!isConfirmed()) await poll();
    return judge(await remembered.find(secret.kind, secret.id), secret);
  };

  await poll();
  const stopping = new AbortController();
  // While the catalog does not answer, requests ask it themselves and fail.
  const running = [
    every(pollInterval, stopping.signal, poll, () => {}),
    every(flushInterval, stopping.signal, uses.flush, () => {}),
  ];

  return {
    get hasKeys() {
      return state?.hasKeys ?? false;
    },
    identify(secret) {
      const known = isConfirmed() ? remembered.recall(secret.kind, secret.id) : undefined;
      return known === undefined ? identifyLater(secret) : judge(known, secret);
    },
    recall(kinds, sha256) {
      const known = isConfirmed() ? remembered.recallDigest(sha256) : undefined;
      return known !== undefined && kinds.has(known.kind) ? judgeUse(known) : undefined;
    },
    confirm: () => (isConfirmed() ? undefined : poll()),
    async refresh() {
      confirmedAt = -Infinity;
      await poll().catch(() => changed());
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    noteUse: uses.note,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await Promise.all(running);
      await uses.flush().catch(() => {});
    },
  };
}

const NAMES: Readonly<Record<CredentialKind, string>> = { key: "API key", share: "shared link", session: "session" };
const OUTCOMES = { unknown: "is not valid", revoked: "was revoked", expired: "has expired" } as const;

/** What was revoked or has expired is told only to a client with the right secret. */
const refused = (kind: CredentialKind, reason: keyof typeof OUTCOMES) =>
  new StoreError("unauthorized", `The ${NAMES[kind]} ${OUTCOMES[reason]}.`, { reason });

/** Credentials by kind and id, until {@link clear}. */
function createRememberedCredentials(catalog: Pick<RequestCatalog, "credential">, grantsOfAll: readonly Grant[]) {
  const known = new Map<string, Credential>();
  const byDigest = new Map<string, Credential>();
  const { coalesce } = createCoalescer({ failsQueued: true });
  let generation = 0;

  const ask = async (kind: CredentialKind, id: string): Promise<Credential | undefined> => {
    const begunIn = generation;
    const found = await catalog.credential(kind, id);
    if (found === undefined) return undefined;
    const { caller } = found;
    const credential = { ...found, caller: { ...caller, grants: [...caller.grants, ...grantsOfAll] } };
    // It may have been read before the change that cleared the others.
    if (generation === begunIn) {
      if (known.size >= MAX_REMEMBERED) {
        known.clear();
        byDigest.clear();
      }
      known.set(kind + id, credential);
      byDigest.set(credential.sha256, credential);
    }
    return credential;
  };

  return {
    recall: (kind: CredentialKind, id: string) => known.get(kind + id),
    recallDigest: (sha256: string) => byDigest.get(sha256),
    find: (kind: CredentialKind, id: string): Promise<Credential | undefined> =>
      coalesce(kind + id, async () => known.get(kind + id) ?? ask(kind, id)),
    clear() {
      generation += 1;
      known.clear();
      byDigest.clear();
    },
  };
}

/** Counts uses, and writes them together. Those of a key at most once an hour, since that is what it shows. */
function createUses(catalog: Pick<RequestCatalog, "write">, now: () => number) {
  const pending = new Map<string, CredentialUse>();
  const hours = new Map<string, number>();

  const note = (kind: CredentialKind, id: string, count = 1): void => {
    const at = now();
    const key = kind + id;
    if (kind === "key") {
      const hour = at - (at % HOUR);
      if (hours.get(key) === hour) return;
      if (hours.size >= MAX_REMEMBERED) hours.clear();
      hours.set(key, hour);
    }
    pending.set(key, { kind, id, at, count: (pending.get(key)?.count ?? 0) + count });
  };

  const flush = async (): Promise<void> => {
    if (pending.size === 0) return;
    const uses = [...pending.values()];
    pending.clear();
    try {
      await catalog.write({ type: "noteUses", uses });
    } catch (error) {
      for (const use of uses) {
        const key = use.kind + use.id;
        const later = pending.get(key);
        pending.set(key, later === undefined ? use : { ...later, count: later.count + use.count });
      }
      throw error;
    }
  };

  return { note, flush };
}
