/** Packages that this process has loaded. Bun lists what was imported with what was required. */
export function loadedPackages(): string[] {
  const names = Object.keys(require.cache).flatMap(
    (path) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? [],
  );
  return [...new Set(names)].toSorted();
}
