import { createApp } from "../src/app.ts";
import { parseConfig } from "../src/config.ts";

/** Answers a request as the server would, without a socket. */
export type Handle = (request: Request) => Promise<Response>;

/** The whole store in this process, with its defaults but for descriptions, on a free port. */
export async function openInProcess(dataFolder: string): Promise<{ readonly handle: Handle } & AsyncDisposable> {
  const env = { IMAGE_STORE_DATA: dataFolder, IMAGE_STORE_PORT: "0", IMAGE_STORE_DESCRIBE: "false" };
  const app = await createApp(parseConfig({ env, readFile: () => "" }));
  return { handle: app.fetch, [Symbol.asyncDispose]: () => app[Symbol.asyncDispose]() };
}
