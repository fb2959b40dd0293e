import { type Client, StoreError } from "../../../client/src/index.ts";
import { isFatal } from "./describe-error.ts";

/** Which bytes the store has, so that they need not be sent. */
export interface KnownBytes {
  /** False where the key may not ask, or the store is too old to answer. */
  has(sha256: string): Promise<boolean>;
}

/** Questions that come so soon after another go with it. */
const GATHER_MS = 2;
const MAX_DIGESTS = 1000;

const asked = new WeakMap<Client, KnownBytes>();

export function knownBytesOf(client: Client, signal: AbortSignal): KnownBytes {
  const known = asked.get(client) ?? createKnownBytes(client, signal);
  asked.set(client, known);
  return known;
}

function createKnownBytes(client: Client, signal: AbortSignal): KnownBytes {
  let waiting: PromiseWithResolvers<boolean>[] = [];
  let digests: string[] = [];
  let isRefused = false;

  async function ask(): Promise<void> {
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
    has(sha256) {
      if (isRefused) return Promise.resolve(false);
      const answer = Promise.withResolvers<boolean>();
      digests.push(sha256);
      waiting.push(answer);
      if (digests.length === 1) setTimeout(() => void ask(), GATHER_MS);
      else if (digests.length === MAX_DIGESTS) void ask();
      return answer.promise;
    },
  };
}
