/**
 * The least that this runtime needs for a durable upload: it receives the body, hashes it, and appends it to one file with
 * a sync that all waiting uploads share. No record, no event, no check. Prints its port.
 */
import * as fs from "node:fs";
import { promisify } from "node:util";

const writev = promisify(fs.writev);
const fdatasync = promisify(fs.fdatasync);

interface Upload extends PromiseWithResolvers<void> {
  readonly bytes: Uint8Array;
}

const fd = fs.openSync(process.argv[2] ?? "", "wx");
let waiting: Upload[] = [];
let isRunning = false;

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    const bytes = await request.bytes();
    const sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    const upload = { bytes, ...Promise.withResolvers<void>() };
    waiting.push(upload);
    if (!isRunning) void appendAll();
    await upload.promise;
    return Response.json({ sha256 }, { status: 201 });
  },
});
console.log(server.port);

async function appendAll(): Promise<void> {
  isRunning = true;
  await new Promise((resolve) => setImmediate(resolve));
  for (let batch = waiting; batch.length > 0; batch = waiting) {
    waiting = [];
    await writev(
      fd,
      batch.map(({ bytes }) => bytes),
    );
    await fdatasync(fd);
    for (const { resolve } of batch) resolve();
  }
  isRunning = false;
}
