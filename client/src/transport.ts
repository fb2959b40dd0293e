import { errorOf, StoreError, typeOf, unexpectedResponse } from "./errors.ts";

type Fetch = (request: Request) => Promise<Response>;

export interface TransportOptions {
  /** Where the store is, such as `https://images.example.com`. Empty in a page of the store itself. */
  readonly url: string;
  /** An API key, a token, or a function that gives one before each request; none for a page's session or a public store. */
  readonly key?: string | (() => string | Promise<string>) | undefined;
  /** Default: the runtime's. */
  readonly fetch?: Fetch | undefined;
  /** How often a call that failed for a passing reason is made again; default: 3. */
  readonly retries?: number | undefined;
}

export interface Transport {
  readonly url: string;
  /**
   * Sends what `make` makes, once for each attempt. Only a `repeatable` request is sent again: where the connection failed, and
   * after 429 and 5xx that pass. The answer is of the store and successful, or 304.
   * @throws StoreError; the reason of the request's signal
   */
  send(
    make: () => Request | Promise<Request>,
    options: { readonly repeatable: boolean; readonly fetch?: Fetch | undefined },
  ): Promise<Response>;
  /** Headers that every request has. */
  headers(): Promise<Record<string, string>>;
}

const PASSING: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** In milliseconds. */
const FIRST_WAIT = 250;
const LONGEST_WAIT = 30_000;

export function createTransport({ url, key, fetch = globalThis.fetch, retries = 3 }: TransportOptions): Transport {
  const base = url.replace(/\/+$/, "");
  return {
    url: base,
    async send(make, { repeatable, fetch: own = fetch }) {
      for (let attempt = 0; ; attempt += 1) {
        const request = await make();
        const failure = await attemptOnce(request, own);
        if (failure instanceof Response) return failure;
        if (!repeatable || attempt >= retries || !failure.passes) throw failure.error;
        await pause(failure.wait ?? backoff(attempt), request.signal);
      }
    },
    async headers() {
      const secret = typeof key === "function" ? await key() : key;
      return secret === undefined ? {} : { Authorization: `Bearer ${secret}` };
    },
  };
}

interface Failure {
  readonly error: StoreError;
  readonly passes: boolean;
  /** What the store asked for, in milliseconds. */
  readonly wait: number | undefined;
}

async function attemptOnce(request: Request, fetch: Fetch) {
  let response: Response;
  try {
    response = await fetch(request);
  } catch (cause) {
    request.signal.throwIfAborted();
    const error = new StoreError(`No store answers at ${request.url}.`, { status: 0, code: "unreachable", cause });
    return { error, passes: true, wait: undefined } satisfies Failure;
  }
  if (response.ok || response.status === 304) {
    // Every answer of a store has an id. A proxy's sign-in page has status 200 as well.
    if (typeOf(response) !== "text/html" || response.headers.has("x-request-id")) return response;
    await response.body?.cancel();
    return { error: unexpectedResponse(response), passes: false, wait: undefined } satisfies Failure;
  }
  const passes = PASSING.has(response.status);
  const wait = secondsOf(response.headers.get("retry-after"));
  return { error: await errorOf(response), passes, wait } satisfies Failure;
}

/** Safe to send twice: what it leaves is the same. */
export const isRepeatable = (method: string, headers: Readonly<Record<string, string>> = {}): boolean =>
  ["GET", "HEAD", "PUT", "DELETE"].includes(method) || "Idempotency-Key" in headers;

function secondsOf(text: string | null): number | undefined {
  return text !== null && /^\d+$/.test(text) ? Math.min(Number(text) * 1000, LONGEST_WAIT) : undefined;
}

/** With full jitter, so that clients that failed together do not come back together. */
export const backoff = (attempt: number): number =>
  Math.random() * Math.min(FIRST_WAIT * 2 ** (attempt + 1), LONGEST_WAIT);

/** @throws the signal's reason */
export function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
