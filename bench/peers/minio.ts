import { mkdir } from "node:fs/promises";
import { CreateBucketCommand, PutBucketPolicyCommand } from "@aws-sdk/client-s3";
import { createS3Client } from "../../test/services/s3-server.ts";
import { freePort } from "../load.ts";
import { type GoProgram, goProgram, startServer } from "./go-program.ts";
import type { Peer } from "./peer.ts";

const MINIO: GoProgram = {
  name: "minio",
  source: "github.com/minio/minio",
  version: "v0.0.0-20260212201848-7aac2a2c5b7c",
};

export const MINIO_BUCKET = "bench";
const ACCESS = { accessKeyId: "image-store", secretAccessKey: "image-store-secret" };

/** One disk on the server's core. Its bucket allows requests without a signature. */
export async function startMinio(
  folder: string,
  { mayBuild }: { readonly mayBuild: boolean },
): Promise<Peer | { readonly missing: string }> {
  const program = await goProgram(MINIO, mayBuild);
  if ("missing" in program) return program;
  await mkdir(folder, { recursive: true });
  const port = await freePort();
  const addresses = ["--address", `127.0.0.1:${port}`, "--console-address", `127.0.0.1:${await freePort()}`];
  const env = {
    ...process.env,
    MINIO_ROOT_USER: ACCESS.accessKeyId,
    MINIO_ROOT_PASSWORD: ACCESS.secretAccessKey,
    MINIO_UPDATE: "off",
    MINIO_BROWSER: "off",
  };
  const command = [program.path, "server", ...addresses, folder];
  const server = await startServer(command, { name: "MinIO", port, folder, env }, () => isReady(port));
  try {
    await createOpenBucket(port);
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/minio/health/ready`)).ok;
  } catch {
    return false;
  }
}

async function createOpenBucket(port: number): Promise<void> {
  const client = createS3Client({ endpoint: `http://127.0.0.1:${port}`, region: "us-east-1", ...ACCESS });
  const policy = {
    Version: "2012-10-17",
    Statement: [
      statement(["s3:ListBucket"], MINIO_BUCKET),
      statement(["s3:GetObject", "s3:PutObject"], `${MINIO_BUCKET}/*`),
    ],
  };
  try {
    await client.send(new CreateBucketCommand({ Bucket: MINIO_BUCKET }));
    await client.send(new PutBucketPolicyCommand({ Bucket: MINIO_BUCKET, Policy: JSON.stringify(policy) }));
  } finally {
    client.destroy();
  }
}

const statement = (actions: readonly string[], resource: string) => ({
  Effect: "Allow",
  Principal: { AWS: ["*"] },
  Action: actions,
  Resource: [`arn:aws:s3:::${resource}`],
});
