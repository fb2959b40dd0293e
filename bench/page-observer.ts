/** What a page does, as it tells of itself. Times are in milliseconds since its document was asked for. */
export interface PageRecord {
  /** When it was read. */
  readonly now: number;
  readonly firstTile: number;
  /** When the picture of a tile was first shown whole. */
  readonly firstPicture: number;
  readonly largestPaint: number;
  /** Of more than 50 ms. */
  readonly tasks: readonly { readonly start: number; readonly duration: number }[];
  readonly files: readonly {
    readonly start: number;
    /** Over the wire, without headers. */
    readonly bytes: number;
    readonly isScript: boolean;
    readonly isPicture: boolean;
  }[];
}

/** A script for the start of a document: keeps a {@link PageRecord} in `pageRecord`. */
export const observePage = `{
  const seen = { firstTile: 0, firstPicture: 0, largestPaint: 0, tasks: [] };
  Object.defineProperty(globalThis, "pageRecord", {
    get: () => ({
      ...seen,
      now: performance.now(),
      files: performance.getEntriesByType("resource").map(({ name, startTime, encodedBodySize }) => ({
        start: startTime,
        bytes: encodedBodySize,
        isScript: new URL(name).pathname.endsWith(".js"),
        isPicture: /\\/content(\\/|$)/.test(new URL(name).pathname),
      })),
    }),
  });
  performance.setResourceTimingBufferSize(10000);
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) seen.tasks.push({ start: startTime, duration });
  }).observe({ type: "longtask", buffered: true });
  new PerformanceObserver((list) => {
    seen.largestPaint = list.getEntries().at(-1).startTime;
  }).observe({ type: "largest-contentful-paint", buffered: true });
  const observer = new MutationObserver(() => {
    if (document.querySelector("[data-image-id]") === null) return;
    seen.firstTile = performance.now();
    observer.disconnect();
  });
  observer.observe(document, { childList: true, subtree: true });
  document.addEventListener(
    "load",
    ({ target }) => {
      if (seen.firstPicture === 0 && target.closest?.("[data-image-id]")) seen.firstPicture = performance.now();
    },
    true,
  );
}`;
