import { resolve } from "node:path";
import type { Config } from "../config.ts";
import { openLogger } from "../observe/logger.ts";
import { EXIT, type Surroundings } from "./surroundings.ts";
import { VERSION } from "./version.ts";

/** Serves until told to stop or until the catalog fails beyond repair; answers the exit code. */
export async function serve(config: Config, { out, err, onStop }: Surroundings): Promise<number> {
  const { promise: end, resolve: endWith } = Promise.withResolvers<number>();
  // Before anything is open, so that a stop while starting closes what was opened.
  const forget = onStop(() => endWith(EXIT.ok));
  const { createApp } = await import("../app.ts");
  const { logger, sink } = await openLogger(config.log);
  let failed = false;
  try {
    const app = await createApp(config, {
      logger,
      onCatalogFailure: (error) => {
        failed = true;
        logger.fatal({ error }, "the catalog failed beyond repair; start again to recover");
        endWith(EXIT.catalogFailed);
      },
    });
    const tell = config.log.format === "pretty" ? out : err;
    tell(
      `API            ${app.url}/v1\nDocumentation  ${app.url}/docs\nData           ${resolve(config.dataFolder)}\n`,
    );
    logger.info({ url: app.url, version: VERSION }, "ready");
    const code = await end;
    logger.info("stopping");
    await app[Symbol.asyncDispose]();
    logger.info("stopped");
    // It may have failed at the last moment, with what was still to be written.
    return failed ? EXIT.catalogFailed : code;
  } finally {
    forget();
    await sink[Symbol.asyncDispose]();
  }
}
