import type { Config } from "../config.ts";
import { type CheckResult, checkStore, type Finding } from "./check-store.ts";
import { openStore } from "./open-store.ts";
import { formatBytes, openProgressBar } from "./progress-bar.ts";
import { EXIT, type Surroundings } from "./surroundings.ts";

/** Checks the store, also beside a server that runs; prints what it finds and answers the exit code. */
export async function check(config: Config, surroundings: Surroundings): Promise<number> {
  const { out } = surroundings;
  await using store = await openStore(config);
  const total = (await store.catalog.totals()).bytes;
  using bar = openProgressBar(surroundings);
  const checking = checkStore({
    ...store,
    grace: config.grace,
    progress: (bytes) => bar.advance(bytes, total),
    report: (finding) => {
      bar.clear();
      out(`${describe(finding)}\n`);
    },
  });
  const result = await Promise.race([checking, store.failure]);
  bar.clear();
  out(`${summarise(result)}\n`);
  return result.damaged + result.unrecorded === 0 ? EXIT.ok : EXIT.failed;
}

function describe(finding: Finding): string {
  if (finding.kind === "damaged") {
    const { row, images, reason } = finding;
    // Names are data: quoted, so that they can't pose as another line.
    return `damaged: blob ${row.key} of ${images.map((image) => JSON.stringify(image)).join(" or ")}: ${reason}`;
  }
  if (finding.kind === "unreadable")
    return `unreadable: ${formatBytes(finding.bytes.size)} in ${finding.bytes.where}: torn by a crash, or damaged`;
  const { key, size } = finding.blob;
  return `${UNOWNED[finding.kind].name}: blob ${key}, ${formatBytes(size)}: ${UNOWNED[finding.kind].meaning}`;
}

const UNOWNED = {
  unrecorded: { name: "unrecorded", meaning: "no record has it" },
  young: {
    name: "unrecorded, young",
    meaning: "an upload that runs, or was cut off: the server takes it after the grace",
  },
  copy: { name: "copy", meaning: "its record has it elsewhere: the server takes this one" },
} as const;

const summarise = ({ blobs, bytes, damaged, unrecorded, young }: CheckResult): string =>
  `${formatBytes(bytes)} read. Images: ${blobs}, damaged: ${damaged}. ` +
  `Blobs without a record: ${unrecorded}, younger than the grace: ${young}.`;
