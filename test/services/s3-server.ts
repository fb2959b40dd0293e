import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { freePort } from "./free-ports.ts";
import { S3_PROGRAMS } from "./s3-programs.ts";
import { createServerProcess } from "./server-process.ts";

export interface S3Server extends AsyncDisposable {
  readonly endpoint: string;
  readonly port: number;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** What a process needs in its environment to be let in. */
  readonly env: Readonly<Record<string, string>>;
  /** @returns the name of a new, empty bucket, so that each test has its own */
  createBucket(name?: string): Promise<string>;
  /**
   * As the settings want it.
   * @param endpoint another way to the same server, such as one through a proxy
   */
  blobsUrl(bucket: string, prefix?: string, endpoint?: string): string;
  /** Resolves when it answers. Data and port are those of before. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** As a crash would: SIGKILL. */
  kill(): Promise<void>;
}

export type S3ProgramName = keyof typeof S3_PROGRAMS;

/** As `kafkaIsMissing`. */
export function s3IsMissing(server: S3ProgramName = chosenProgram()): boolean {
  const missing = S3_PROGRAMS[server].missing();
  if (missing === undefined) return false;
  const message = `The tests against S3 (${server}) need ${missing}.`;
  if (process.env["CI"] === "true") throw new Error(message);
  console.warn(`SKIPPED: ${message}`);
  return true;
}

/** The program that `IMAGE_STORE_TEST_S3` names. */
function chosenProgram(): S3ProgramName {
  const name = process.env["IMAGE_STORE_TEST_S3"] ?? "s3proxy";
  if (name === "s3proxy" || name === "versitygw") return name;
  throw new Error(`IMAGE_STORE_TEST_S3 must be one of ${Object.keys(S3_PROGRAMS).join(", ")}.`);
}

/** A real server of S3 on a free port, with its data in a temporary folder. */
export async function startS3(options: { server?: S3ProgramName } = {}): Promise<S3Server> {
  const { server: name = chosenProgram() } = options;
  const port = await freePort();
  const folder = await newFolder("s3");
  const endpoint = `http://127.0.0.1:${port}`;
  const access = { region: "eu-central-1", accessKeyId: "image-store", secretAccessKey: "image-store-secret" };
  try {
    const server = createServerProcess({
      name,
      command: await S3_PROGRAMS[name].prepare({ ...access, port, folder }),
      logFile: join(folder, "server.log"),
      answers: () => answers(endpoint),
    });
    await server.start();
    return {
      endpoint,
      port,
      ...access,
      env: { AWS_ACCESS_KEY_ID: access.accessKeyId, AWS_SECRET_ACCESS_KEY: access.secretAccessKey },
      async createBucket(bucket = `bucket-${randomUUID()}`) {
        const client = createS3Client({ endpoint, ...access });
        try {
          await client.send(new CreateBucketCommand({ Bucket: bucket }));
        } finally {
          client.destroy();
        }
        return bucket;
      },
      blobsUrl(bucket, prefix = "", through = endpoint) {
        const query = new URLSearchParams({ endpoint: through, region: access.region, forcePathStyle: "true" });
        return `s3://${bucket}/${prefix}?${query.toString()}`;
      },
      start: () => server.start(),
      stop: () => server.end("SIGTERM"),
      kill: () => server.end("SIGKILL"),
      async [Symbol.asyncDispose]() {
        await server.end("SIGKILL");
        await removeFolder(folder);
      },
    };
  } catch (error) {
    await removeFolder(folder);
    throw error;
  }
}

/** A client that is not the store's, to prepare and to look at what there is. */
export const createS3Client = ({
  endpoint,
  region,
  accessKeyId,
  secretAccessKey,
}: Pick<S3Server, "endpoint" | "region" | "accessKeyId" | "secretAccessKey">): S3Client =>
  new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });

/** With whatever: it may well refuse who does not sign. */
async function answers(endpoint: string): Promise<boolean> {
  try {
    const response = await fetch(endpoint, { signal: AbortSignal.timeout(1000), keepalive: false });
    await response.arrayBuffer();
    return response.status < 500;
  } catch {
    return false;
  }
}
