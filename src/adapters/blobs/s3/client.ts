import { S3Client } from "@aws-sdk/client-s3";
import { backoff } from "../../../concurrency/retry.ts";
import { isTransient, translateS3Error } from "./errors.ts";

export interface S3Access {
  readonly bucket: string;
  /** Undefined: the endpoint of the region. */
  readonly endpoint: string | undefined;
  /** Undefined: the SDK finds it. */
  readonly region: string | undefined;
  readonly forcePathStyle: boolean;
  /** Milliseconds during which failed requests are retried, unless a call says otherwise. Default: 3 s. */
  readonly retryWithin?: number;
}

/** Milliseconds. */
export interface Patience {
  /** The timeout of one attempt. */
  readonly attempt?: number;
  /** How long after the first attempt another one may begin. */
  readonly retry?: number;
  /** The deadline of all attempts, by `performance`'s clock. */
  readonly until?: number;
}

export interface S3 extends Disposable {
  readonly bucket: string;
  /**
   * Repeats `work` until it succeeds or time is up. The signal of an attempt aborts its request; aborting it later ends the
   * reading of the response.
   * @throws StoreError `unavailable`, `insufficient_storage`; what `refused` returns for a final response
   */
  try<Result>(
    work: (client: S3Client, attempt: AbortController) => Promise<Result>,
    patience?: Patience,
    refused?: (error: unknown) => Error | undefined,
  ): Promise<Result>;
}

const ATTEMPT_MS = 10_000;
const RETRY_MS = 3000;
const BACKOFF = { minBackoff: 50, maxBackoff: 2000, jitter: 1 };

/** Credentials come by the SDK's usual chain. */
export function createS3({ bucket, endpoint, region, forcePathStyle, retryWithin = RETRY_MS }: S3Access): S3 {
  const client = new S3Client({
    // Servers other than Amazon's have no region, but the signature needs one.
    ...(region === undefined ? (endpoint === undefined ? {} : { region: "us-east-1" }) : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    forcePathStyle,
    // One server stored streamed bodies with the SDK's own checksums with a wrong length.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // A body that is a stream cannot be sent twice: the attempts of `try` each open a new one.
    maxAttempts: 1,
    expectContinueHeader: false,
    // Errors are thrown, and the code that catches them logs them.
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    requestHandler: {
      connectionTimeout: 5000,
      httpAgent: { maxSockets: Infinity },
      httpsAgent: { maxSockets: Infinity },
    },
  });
  signKnownDigests(client);
  const running = new Set<AbortController>();
  let isClosed = false;

  async function attemptOnce<Result>(
    work: (client: S3Client, attempt: AbortController) => Promise<Result>,
    ms: number,
  ) {
    const attempt = new AbortController();
    running.add(attempt);
    const timer = setTimeout(() => attempt.abort(new Error(`no answer within ${Math.round(ms)} ms`)), ms);
    try {
      return await work(client, attempt);
    } finally {
      clearTimeout(timer);
      running.delete(attempt);
    }
  }

  return {
    bucket,
    async try(
      work,
      { attempt: attemptMs = ATTEMPT_MS, retry = retryWithin, until = Infinity } = {},
      refused = () => undefined,
    ) {
      const lastStart = Math.min(performance.now() + retry, until);
      for (let failures = 0; ; failures++) {
        try {
          return await attemptOnce(work, Math.min(attemptMs, Math.max(0, until - performance.now())));
        } catch (error) {
          const wait = backoff(BACKOFF, failures);
          if (isClosed || !isTransient(error) || performance.now() + wait >= lastStart)
            throw refused(error) ?? translateS3Error(error);
          await Bun.sleep(wait);
        }
      }
    },
    [Symbol.dispose]() {
      isClosed = true;
      for (const attempt of running) attempt.abort(new Error("the store is closing"));
      client.destroy();
    },
  };
}

/** Signs the known digest of a payload, which saves a pass over the bytes and allows a stream. */
function signKnownDigests(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const { ChecksumSHA256: digest } = args.input as { ChecksumSHA256?: string };
      if (digest !== undefined) {
        const { headers } = args.request as { headers: Record<string, string> };
        headers["x-amz-content-sha256"] = Buffer.from(digest, "base64").toString("hex");
      }
      return next(args);
    },
    { step: "build", name: "signKnownDigests" },
  );
}
