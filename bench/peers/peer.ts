import { join } from "node:path";
import { onCore } from "../machine.ts";

/** A server that the store is compared with. */
export interface Peer extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
}

/** Starts a server of this folder, which prints its port as its first line. */
export async function startPeer(file: string, args: readonly string[], core?: number): Promise<Peer> {
  const command = onCore(core, [process.execPath, join(import.meta.dir, file), ...args]);
  const peer = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
  const reader = peer.stdout.getReader();
  const { value } = await reader.read();
  const port = Number(new TextDecoder().decode(value));
  if (!(port > 0)) throw new Error(`${file} printed no port.`);
  return {
    pid: peer.pid,
    port,
    async [Symbol.asyncDispose]() {
      peer.kill();
      await peer.exited;
    },
  };
}
