import { mkdir } from "node:fs/promises";
import { freePort } from "../load.ts";
import { type GoProgram, goProgram, startServer } from "./go-program.ts";
import type { Peer } from "./peer.ts";

const WEED: GoProgram = {
  name: "weed",
  source: "github.com/seaweedfs/seaweedfs/weed",
  version: "v0.0.0-20261109003541-7506e5f91cd6",
  replaces: ["github.com/tyler-smith/go-bip39=github.com/cosmos/go-bip39@v1.0.0"],
};

/** For a path of the filer. It syncs the bytes before it responds, and the entry of the filer with no upload. */
export const FSYNC = "fsync=true";

/** Master, volume server and filer in one process on the server's core. The port is the filer's. */
export async function startSeaweedfs(
  folder: string,
  { mayBuild }: { readonly mayBuild: boolean },
): Promise<Peer | { readonly missing: string }> {
  const program = await goProgram(WEED, mayBuild);
  if ("missing" in program) return program;
  await mkdir(folder, { recursive: true });
  const ports = await Promise.all(["master", "volume", "filer"].map(portsOf));
  const port = ports[2]?.http ?? 0;
  const flags = ports.flatMap(({ part, http, grpc }) => [`-${part}.port=${http}`, `-${part}.port.grpc=${grpc}`]);
  const socket = `-filer.localSocket=${folder}/filer.sock`;
  const places = [`-dir=${folder}`, "-ip=127.0.0.1", "-ip.bind=127.0.0.1", socket];
  const limits = ["-volume.max=0", "-master.volumeSizeLimitMB=1024"];
  const command = [program.path, `-logdir=${folder}`, "server", "-filer", ...places, ...limits, ...flags];
  // The first volume is created by the first upload, once the volume server has told the master of itself.
  return await startServer(command, { name: "SeaweedFS", port, folder }, () => takesUpload(port));
}

const portsOf = async (part: string) => ({ part, http: await freePort(), grpc: await freePort() });

async function takesUpload(port: number): Promise<boolean> {
  try {
    const url = `http://127.0.0.1:${port}/start/first.txt?${FSYNC}`;
    return (await fetch(url, { method: "PUT", body: "first", signal: AbortSignal.timeout(5000) })).ok;
  } catch {
    return false;
  }
}
