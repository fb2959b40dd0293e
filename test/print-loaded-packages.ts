/**
 * Runs the server that the environment names, and once it is ready prints as JSON which packages are loaded: then, and
 * after what it loads for PostgreSQL, S3, Kafka and tokens. A process of its own, since one of tests has loaded them all.
 */
import { loadedPackages } from "./loaded-packages.ts";

const server = import("../src/main.ts");
// It goes on for as long as it serves; what ends it before is told by itself.
server.catch(() => process.exit(1));

while (!(await isReady())) await Bun.sleep(20);
const ready = loadedPackages();
await Promise.all([
  import("../src/adapters/catalog/postgres.ts"),
  import("../src/adapters/blobs/s3.ts"),
  import("../src/adapters/publisher/kafka.ts"),
  import("../src/adapters/tokens/jwt.ts"),
]);
const loaded: LoadedPackages = { ready, elsewhere: loadedPackages() };
console.log(JSON.stringify(loaded));
process.exit(0);

async function isReady(): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${process.env["IMAGE_STORE_PORT"]}/readyz`)).ok;
  } catch {
    return false;
  }
}

export interface LoadedPackages {
  readonly ready: readonly string[];
  readonly elsewhere: readonly string[];
}
