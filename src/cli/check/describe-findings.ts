import { basename } from "node:path";
import type { Usage } from "../../domain/quota.ts";
import type { Extent } from "../../ports.ts";
import { formatBytes } from "../progress-bar.ts";
import type { Finding } from "./check-store.ts";
import type { Repair } from "./repair-store.ts";

/** The line of output for a finding. */
export function describeFinding(finding: Finding): string {
  if (finding.kind === "damaged")
    return `damaged: blob ${finding.row.key} of ${listOf(finding.images)}: ${finding.reason}`;
  if (finding.kind === "checksum")
    return `checksum: the catalog has another CRC-32 than the intact blob ${finding.row.key} of ${listOf(finding.images)}, so downloads of its album as an archive are cut off`;
  if (finding.kind === "unreadable")
    return `unreadable: ${formatBytes(finding.bytes.size)} in ${finding.bytes.where}: torn by a crash, or damaged`;
  if (finding.kind === "miscounted") {
    const { album, scope, recorded, counted } = finding.miscount;
    const what = album === null ? `the quota ${scope}` : `the album ${JSON.stringify(album)}`;
    return `miscounted: ${what} records ${usageOf(recorded)}, but has ${usageOf(counted)}`;
  }
  const { key, size } = finding.blob;
  return `${UNOWNED[finding.kind].name}: blob ${key}, ${formatBytes(size)}: ${UNOWNED[finding.kind].meaning}`;
}

const usageOf = ({ images, bytes }: Usage): string => `${images} images, ${bytes} bytes`;

const UNOWNED = {
  unrecorded: { name: "unrecorded", meaning: "no record has it" },
  young: {
    name: "unrecorded, young",
    meaning: "a running or interrupted upload, younger than the grace",
  },
  copy: { name: "copy", meaning: "its record uses another copy; the server removes this one" },
} as const;

/** The line of output for a repair. */
export function describeRepair(repair: Repair): string {
  if (repair.kind === "quarantined") return `quarantined: ${formatBytes(repair.size)} of ${placeOf(repair.extent)}`;
  if (repair.kind === "lost") return `not quarantined: ${placeOf(repair.extent)}: ${repair.reason}`;
  const { row, images } = repair;
  const what = `${listOf(images)}, SHA-256 ${row.sha256}`;
  return repair.kind === "healed" ? `healed: ${what}` : `not healed: ${what}: ${repair.reason}`;
}

/** Names are quoted, so a name cannot imitate a line of output. */
const listOf = (images: readonly string[]): string => images.map((image) => JSON.stringify(image)).join(" or ");

const placeOf = ({ path, offset }: Extent): string => `${basename(path)} at ${offset}`;

/** A finding or a repair as `--json` prints it. */
export function documentOf(found: Finding | Repair) {
  const isRepair =
    found.kind === "healed" || found.kind === "unhealed" || found.kind === "quarantined" || found.kind === "lost";
  return {
    kind: found.kind,
    detail: isRepair ? describeRepair(found) : describeFinding(found),
    ...("images" in found ? { images: found.images } : {}),
  };
}
