import type { Identity } from "../domain/credential.ts";
import { StoreError } from "../domain/errors.ts";
import { statusOf } from "./problem.ts";

/** Follows the access of one request for as long as its answer goes on. */
export interface AccessWatch extends Disposable {
  /** Aborts when the access ends, with the StoreError that a new request would get, or when what it gives changes. */
  readonly signal: AbortSignal;
  /**
   * Call it before something is sent: it makes sure that the access was there within the last two seconds. After a change it
   * waits until the caller was identified again.
   * @throws StoreError `unavailable`
   */
  confirm(): void | Promise<void>;
}

export interface AccessWatchDeps {
  /** Finds out again who calls. @throws StoreError `unauthorized`, `session_ended`, `unavailable` */
  readonly identify: () => Identity | Promise<Identity>;
  readonly confirm: () => void | Promise<void>;
  readonly onChange: (listener: () => void) => () => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** The longest that a timer takes, in milliseconds. */
const MAX_TIMER = 2 ** 31 - 1;

/** @param identity as it was found out for the request */
export function watchAccess(identity: Identity, { identify, confirm, onChange, now }: AccessWatchDeps): AccessWatch {
  const ended = new AbortController();
  let timer: Timer | undefined;

  const expireAt = (time: number | null): void => {
    clearTimeout(timer);
    if (time !== null && !ended.signal.aborted)
      timer = setTimeout(checkSoon, Math.min(MAX_TIMER, Math.max(1, time - now())));
  };

  /** How many checks have begun. Only the last one sees every change. */
  let checks = 0;
  let isChecked = false;

  const check = async (): Promise<void> => {
    isChecked = false;
    const number = ++checks;
    try {
      const { caller, expiresAt } = await identify();
      const { kind, id, grants } = identity.caller;
      if (caller.kind === kind && caller.id === id && Bun.deepEquals(caller.grants, grants)) expireAt(expiresAt);
      else ended.abort();
      if (number === checks) isChecked = true;
    } catch (error) {
      if (!(error instanceof StoreError && statusOf(error.code) === 401)) throw error;
      ended.abort(error);
    }
  };
  /** A catalog that cannot be asked ends nothing: `confirm` asks again before the next event is sent. */
  const checkSoon = () => void check().catch(() => {});

  const unsubscribe = onChange(checkSoon);
  expireAt(identity.expiresAt);
  // It may have changed since the request was let in.
  checkSoon();
  return {
    signal: ended.signal,
    confirm() {
      const confirming = confirm();
      if (confirming !== undefined) return confirming.then(check);
      return isChecked || ended.signal.aborted ? undefined : check();
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      unsubscribe();
    },
  };
}
