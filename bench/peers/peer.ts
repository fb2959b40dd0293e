import { join } from "node:path";
import { onCore } from "../machine.ts";

/** A server that the store is compared with. */
export interface Peer extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
}

interface PeerOptions {
  readonly core?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** For Bun itself. */
  readonly flags?: readonly string[];
}

/** Starts a server of this folder, which prints its port as its first line. */
export async function startPeer(
  file: string,
  args: readonly string[],
  { core, env = {}, flags = [] }: PeerOptions = {},
): Promise<Peer> {
  const command = onCore(core, [process.execPath, ...flags, join(import.meta.dir, file), ...args]);
  const peer = Bun.spawn(command, { env: { ...process.env, ...env }, stdout: "pipe", stderr: "inherit" });
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
