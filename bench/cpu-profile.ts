import { basename } from "node:path";

/** What `bun --cpu-prof` writes: Chrome's format. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  /** Node ids. */
  readonly samples: readonly number[];
}

/** The functions that were on top of the stack most often, with their share of all samples. */
export function heaviest(profile: CpuProfile, count: number): { name: string; share: number }[] {
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const samples = new Map<string, number>();
  for (const id of profile.samples) {
    const name = names.get(id) ?? "?";
    samples.set(name, (samples.get(name) ?? 0) + 1);
  }
  return [...samples]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([name, own]) => ({ name, share: own / profile.samples.length }));
}

const nameOf = ({ functionName, url, lineNumber }: CpuProfile["nodes"][number]["callFrame"]): string =>
  url === "" ? `${functionName} (native)` : `${functionName || "(anonymous)"} (${basename(url)}:${lineNumber + 1})`;
