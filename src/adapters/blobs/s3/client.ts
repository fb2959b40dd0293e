import { S3Client } from "@aws-sdk/client-s3";
import { isTransient, translateS3Error } from "./errors.ts";

export interface S3Access {
  readonly bucket: string;
  /** Undefined: that of the region. */
  readonly endpoint: string | undefined;
  /** Undefined: as the SDK finds it. */
  readonly region: string | undefined;
  readonly forcePathStyle: boolean;
  /** Milliseconds in which what fails is tried again, where nothing else is said. Default: 3 s. */
  readonly retryWithin?: number;
}

/** Milliseconds. */
export interface Patience {
  /** Of one attempt. */
  readonly attempt?: number;
  /** From the first attempt on, in which another may begin. */
  readonly retry?: number;
  /** Of all together, counted by `performance`'s clock: a time, not a duration. */
  readonly until?: number;
}

export interface S3 extends Disposable {
  readonly bucket: string;
  /**
   * Does `work` until it succeeds or time is up. Its signal aborts what it sends; aborting it later ends the reading of an
   * answer.
   * @throws StoreError `unavailable`, `insufficient_storage`; what `refused` makes of an answer that is final
   */
  try<Result>(
    work: (client: S3Client, attempt: AbortController) => Promise<Result>,
    patience?: Patience,
    refused?: (error: unknown) => Error | undefined,
  ): Promise<Result>;
}

const ATTEMPT_MS = 10_000;
const RETRY_MS = 3000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2000;

/** Credentials come by the SDK's usual chain. */
export function createS3({ bucket, endpoint, region, forcePathStyle, retryWithin = RETRY_MS }: S3Access): S3 {
  const client = new S3Client({
    // Servers elsewhere than at Amazon know no region, but the signature needs one.
    ...(region === undefined ? (endpoint === undefined ? {} : { region: "us-east-1" }) : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    forcePathStyle,
    // Streamed bodies with the SDK's own checksums were stored with a wrong length by one server.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // Bodies that are streams can't be sent twice: whoever has them opens them anew for each attempt here.
    maxAttempts: 1,
    expectContinueHeader: false,
    // What fails is thrown, and told by who catches it.
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
      for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
        try {
          return await attemptOnce(work, Math.min(attemptMs, Math.max(0, until - performance.now())));
        } catch (error) {
          const wait = Math.random() * pause;
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

/** The payload's digest is signed too. Where it is known it is given, which spares a pass over the bytes, and a stream can be signed. */
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
