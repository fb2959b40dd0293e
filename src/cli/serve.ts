import { resolve } from "node:path";
import type { App } from "../app.ts";
import { type Config, ConfigError } from "../config.ts";
import { type Logger, openLogger } from "../observe/logger.ts";
import { VERSION } from "../version.ts";
import { type CliContext, EXIT } from "./context.ts";

/**
 * Serves until a request to stop, or until the catalog fails beyond repair. Returns the exit code.
 * @param readConfig reads the source of `config` again
 */
export async function serve(
  config: Config,
  readConfig: () => Config,
  { out, err, onStop, onReload = () => () => {} }: CliContext,
): Promise<number> {
  const { promise: end, resolve: endWith } = Promise.withResolvers<number>();
  // Before anything is open, so a stop during the start closes what was opened.
  using listening = new DisposableStack();
  const starting = new AbortController();
  listening.defer(
    onStop(() => {
      starting.abort();
      endWith(EXIT.ok);
    }),
  );
  const ready = Promise.withResolvers<() => Promise<void>>();
  listening.defer(onReload(() => void ready.promise.then((reload) => reload())));
  const { createApp } = await import("../app.ts");
  const { logger, sink } = await openLogger(config.log);
  let failed = false;
  try {
    const app = await createApp(config, {
      logger,
      signal: starting.signal,
      onCatalogFailure: (error) => {
        failed = true;
        logger.fatal({ error }, "the catalog failed beyond repair; restart the store to recover");
        endWith(EXIT.catalogFailed);
      },
    });
    const tell = config.log.format === "pretty" ? out : err;
    tell(addresses(config, app.url));
    logger.info({ url: app.url, version: VERSION }, "ready");
    ready.resolve(() => reloadKeys(app, readConfig, logger));
    const code = await end;
    logger.info("stopping");
    await app[Symbol.asyncDispose]();
    logger.info("stopped");
    // The last writes may have failed while the store stopped.
    return failed ? EXIT.catalogFailed : code;
  } catch (error) {
    // A request to stop came while the start waited for PostgreSQL or S3.
    if (starting.signal.aborted && (error as Error).name === "AbortError") return EXIT.ok;
    throw error;
  } finally {
    await sink[Symbol.asyncDispose]();
  }
}

/** In place of a wildcard the loopback address: browsers on this machine can open it, and may sign in there without HTTPS. */
function addresses({ page, dataFolder }: Config, listening: string): string {
  const url = listening.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
  return (
    (page ? `Page           ${url}/\n` : "") +
    `API            ${url}/v1\nDocumentation  ${url}/docs\nData           ${resolve(dataFolder)}\n`
  );
}

/** Only keys can change while the store serves. An invalid configuration changes nothing. */
async function reloadKeys(app: App, readConfig: () => Config, logger: Logger): Promise<void> {
  try {
    const { apiKeys, linkKeys, tokens } = readConfig();
    await app.replaceKeys({ apiKeys, linkKeys, tokens });
    const names = { apiKeys: apiKeys.map(({ name }) => name), linkKeys: linkKeys.map(({ id }) => id) };
    const tokenKeys = tokens?.keys?.keys.map(({ kid }) => kid);
    logger.info({ ...names, ...(tokens && { tokenKeys, tokenRules: tokens.rules.length }) }, "keys reloaded");
  } catch (error) {
    const problems = error instanceof ConfigError ? { problems: error.problems } : { error };
    logger.error(problems, "keys not reloaded: the configuration is invalid; the earlier keys remain");
  }
}
