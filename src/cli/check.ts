import { existsSync } from "node:fs";
import { openDiskBlobs } from "../adapters/blobs/disk.ts";
import { openSqliteCatalog } from "../adapters/catalog/sqlite.ts";
import type { Config } from "../config.ts";
import { type CheckResult, checkStore, type Finding } from "./check-store.ts";
import { createProgressBar, formatBytes, type ProgressBar } from "./progress-bar.ts";
import { EXIT, type Surroundings } from "./surroundings.ts";

/** Checks the store, also beside a server that runs; prints what it finds and answers the exit code. */
export async function check(config: Config, surroundings: Surroundings): Promise<number> {
  const { out, err } = surroundings;
  if (!existsSync(config.catalog.path)) {
    err(`There is no store: ${config.catalog.path} does not exist.\n`);
    return EXIT.failed;
  }
  const failure = Promise.withResolvers<never>();
  // It may come when nobody waits for it any more.
  failure.promise.catch(() => {});
  await using catalog = await openSqliteCatalog({
    path: config.catalog.path,
    exclusive: false,
    writer: "inline",
    onFatal: failure.reject,
  });
  await using blobs = await openDiskBlobs({ folder: config.blobs.path, minFree: config.minFree, recover: false });
  using bar = surroundings.isErrorTerminal === true ? createProgressBar((await catalog.totals()).bytes, err) : SILENT;
  const checking = checkStore({
    catalog,
    blobs,
    grace: config.grace,
    progress: (bytes) => bar.advance(bytes),
    report: (finding) => {
      bar.clear();
      out(`${describe(finding)}\n`);
    },
  });
  const result = await Promise.race([checking, failure.promise]);
  bar.clear();
  out(`${summarise(result)}\n`);
  return result.damaged + result.unrecorded === 0 ? EXIT.ok : EXIT.failed;
}

const SILENT: ProgressBar = { advance() {}, clear() {}, [Symbol.dispose]() {} };

function describe(finding: Finding): string {
  if (finding.kind === "damaged") {
    const { row, images, reason } = finding;
    // Names are data: quoted, so that they can't pose as another line.
    return `damaged: blob ${row.key} of ${images.map((image) => JSON.stringify(image)).join(" or ")}: ${reason}`;
  }
  const { key, size } = finding.blob;
  const meaning =
    finding.kind === "young"
      ? "an upload that runs, or was cut off: the server takes it after the grace"
      : "no record has it";
  return `${finding.kind === "young" ? "unrecorded, young" : "unrecorded"}: blob ${key}, ${formatBytes(size)}: ${meaning}`;
}

const summarise = ({ blobs, bytes, damaged, unrecorded, young }: CheckResult): string =>
  `${formatBytes(bytes)} read. Images: ${blobs}, damaged: ${damaged}. ` +
  `Blobs without a record: ${unrecorded}, younger than the grace: ${young}.`;
