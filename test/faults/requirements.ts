/** Where a command is; those for root are not on everybody's path. */
export const findTool = (name: string): string | null =>
  Bun.which(name, { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` });

/**
 * Whether the faults that need Linux, root and these tools can be made here. Says out loud what is missing; where CI is
 * set it fails instead, since a proof that looked at nothing must not pass.
 */
export function canMakeFaults(...tools: readonly string[]): boolean {
  const missing = tools.filter((tool) => findTool(tool) === null);
  if (process.platform !== "linux") missing.push("Linux");
  else if (process.getuid?.() !== 0) missing.push("root");
  if (missing.length === 0) return true;
  const message = `These fault tests need ${missing.join(", ")}.`;
  if (process.env["CI"] === "true") throw new Error(message);
  console.warn(`SKIPPED: ${message}`);
  return false;
}

/** How often a random fault is made: `IMAGE_STORE_TEST_CYCLES`, or what the test takes in CI. */
export const testCycles = (usual: number): number => Number(process.env["IMAGE_STORE_TEST_CYCLES"] ?? usual);
