import { basename } from "node:path";
import type { Extent } from "../../ports.ts";
import { formatBytes } from "../progress-bar.ts";
import type { Finding } from "./check-store.ts";
import type { Repair } from "./repair-store.ts";

/** A line for people. */
export function describeFinding(finding: Finding): string {
  if (finding.kind === "damaged")
    return `damaged: blob ${finding.row.key} of ${listOf(finding.images)}: ${finding.reason}`;
  if (finding.kind === "unreadable")
    return `unreadable: ${formatBytes(finding.bytes.size)} in ${finding.bytes.where}: torn by a crash, or damaged`;
  const { key, size } = finding.blob;
  return `${UNOWNED[finding.kind].name}: blob ${key}, ${formatBytes(size)}: ${UNOWNED[finding.kind].meaning}`;
}

const UNOWNED = {
  unrecorded: { name: "unrecorded", meaning: "no record has it" },
  young: {
    name: "unrecorded, young",
    meaning: "an upload that runs, or was cut off; it is younger than the grace",
  },
  copy: { name: "copy", meaning: "its record has it elsewhere: the server takes this one" },
} as const;

/** The same of what became of it. */
export function describeRepair(repair: Repair): string {
  if (repair.kind === "quarantined") return `quarantined: ${formatBytes(repair.size)} of ${placeOf(repair.extent)}`;
  if (repair.kind === "lost") return `not quarantined: ${placeOf(repair.extent)}: ${repair.reason}`;
  const { row, images } = repair;
  const what = `${listOf(images)}, SHA-256 ${row.sha256}`;
  return repair.kind === "healed" ? `healed: ${what}` : `not healed: ${what}: ${repair.reason}`;
}

/** Names are data: quoted, so that they can't pose as another line. */
const listOf = (images: readonly string[]): string => images.map((image) => JSON.stringify(image)).join(" or ");

const placeOf = ({ path, offset }: Extent): string => `${basename(path)} at ${offset}`;
