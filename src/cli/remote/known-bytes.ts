import { type Client, StoreError } from "../../../client/src/index.ts";
import { isFatal } from "./describe-error.ts";

/** Which bytes the store has, so that they need not be sent. */
export interface KnownBytes {
  /**
   * False where the key may not ask, or the store is too old to answer.
   * @param isUrgent nothing else can be done before the answer
   */
  has(sha256: string, isUrgent: boolean): Promise<boolean>;
  /** Asks what waits to be asked. */
  hurry(): void;
}

/** Questions that come so soon after another go with it, in milliseconds. */
const GATHER = { urgent: 2, other: 20 };
/** Digests of a request, if none is urgent: each request takes processor time from the uploads. */
const ENOUGH = 32;

const asked = new WeakMap<Client, KnownBytes>();

export function knownBytesOf(client: Client, signal: AbortSignal): KnownBytes {
  const known = asked.get(client) ?? createKnownBytes(client, signal);
  asked.set(client, known);
  return known;
}

function createKnownBytes(client: Client, signal: AbortSignal): KnownBytes {
  let waiting: PromiseWithResolvers<boolean>[] = [];
  let digests: string[] = [];
  let timer: Timer | undefined;
  let isRefused = false;

  async function ask(): Promise<void> {
    clearTimeout(timer);
    const [these, answers] = [digests, waiting];
    digests = [];
    waiting = [];
    try {
      const found = new Set((await client.known(these, { signal })).map(({ sha256 }) => sha256));
      for (const [index, { resolve }] of answers.entries()) resolve(found.has(these[index] ?? ""));
    } catch (error) {
      const isNever = error instanceof StoreError && !isFatal(error) && error.status >= 400 && error.status < 500;
      isRefused ||= isNever;
      for (const { resolve, reject } of answers) {
        if (isNever) resolve(false);
        else reject(error);
      }
    }
  }

  return {
    has(sha256, isUrgent) {
      if (isRefused) return Promise.resolve(false);
      const answer = Promise.withResolvers<boolean>();
      digests.push(sha256);
      waiting.push(answer);
      if (digests.length === ENOUGH) void ask();
      else if (digests.length === 1) timer = setTimeout(() => void ask(), isUrgent ? GATHER.urgent : GATHER.other);
      return answer.promise;
    },
    hurry() {
      if (digests.length > 0) void ask();
    },
  };
}
