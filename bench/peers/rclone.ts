import { join } from "node:path";
import { s3IsMissing, startS3 } from "../../test/services/s3-server.ts";
import { type Ran, runProgram } from "../programs.ts";

/** rclone and a server of S3 on this machine. */
export interface Rclone extends AsyncDisposable {
  /** For the table. */
  readonly name: string;
  /** Uploads the files of a folder into a new bucket. */
  send(folder: string): Promise<Ran>;
  /** The same folder into the same bucket once more: sizes and times decide, as rclone's manual recommends for S3. */
  sendAgain(folder: string): Promise<Ran>;
  /** Downloads the bucket of the last `send`. */
  receive(folder: string): Promise<Ran>;
}

const RCLONE = Bun.which("rclone");

/** What is not there; undefined where all is. */
export function missingForRclone(): string | undefined {
  if (RCLONE === null) return "rclone is not installed";
  return s3IsMissing("versitygw") ? "versitygw needs Go" : undefined;
}

export async function startRclone(home: string, inFlight: number): Promise<Rclone> {
  const s3 = await startS3({ server: "versitygw" });
  const env = {
    PATH: process.env["PATH"],
    HOME: home,
    RCLONE_CONFIG: join(home, "rclone.conf"),
    RCLONE_CONFIG_STORE_TYPE: "s3",
    RCLONE_CONFIG_STORE_PROVIDER: "Other",
    RCLONE_CONFIG_STORE_ENDPOINT: s3.endpoint,
    RCLONE_CONFIG_STORE_REGION: s3.region,
    RCLONE_CONFIG_STORE_ACCESS_KEY_ID: s3.accessKeyId,
    RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY: s3.secretAccessKey,
  };
  await Bun.write(env.RCLONE_CONFIG, "");
  let bucket = "";
  const copy = (from: string, to: string, ...flags: readonly string[]) => {
    const width = ["--transfers", String(inFlight), "--checkers", String(inFlight)];
    return runProgram([RCLONE ?? "rclone", "copy", from, to, ...width, ...flags], env);
  };
  return {
    name: "rclone and versitygw",
    async send(folder) {
      bucket = await s3.createBucket();
      return copy(folder, `store:${bucket}`);
    },
    sendAgain: (folder) => copy(folder, `store:${bucket}`, "--update", "--use-server-modtime"),
    receive: (folder) => copy(`store:${bucket}`, folder),
    [Symbol.asyncDispose]: () => s3[Symbol.asyncDispose](),
  };
}
