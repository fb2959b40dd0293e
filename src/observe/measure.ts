import { StoreError } from "../domain/errors.ts";
import type { BlobStore, Catalog, Prober, Renderer } from "../ports.ts";
import type { Durations } from "./durations.ts";

/** Times each call; a write counts under its change's type. */
export const measureCatalog = (catalog: Catalog, durations: Durations): Catalog =>
  measure(catalog, durations, (method, [argument]) =>
    method === "write" ? (argument as { type: string }).type : method,
  );

export const measureBlobs = (blobs: BlobStore, durations: Durations): BlobStore => measure(blobs, durations);
export const measureProber = (prober: Prober, durations: Durations): Prober => measure(prober, durations);
export const measureRenderer = (renderer: Renderer, durations: Durations): Renderer => measure(renderer, durations);

/**
 * The port, with each method that returns a promise timed until that settles. Synchronous results and iterables pass
 * through. The outcome is `ok`, the error's code, or `cancelled` where the caller aborted.
 */
function measure<Port extends object>(
  port: Port,
  durations: Durations,
  nameOf: (method: string, args: readonly unknown[]) => string = (method) => method,
): Port {
  const wrap = (method: string, call: (...args: unknown[]) => unknown) =>
    function timed(...args: unknown[]): unknown {
      const start = performance.now();
      const result = call.apply(port, args);
      if (!(result instanceof Promise)) return result;
      const settled = (outcome: string) =>
        durations.observe(nameOf(method, args), outcome, (performance.now() - start) / 1000);
      // What was remembered is there already, and a callback would cost more than the call.
      if (Bun.peek.status(result) === "fulfilled") {
        settled("ok");
        return result;
      }
      // Attached to the promise that is returned, not to a copy: the caller still sees its rejection.
      result.then(
        () => settled("ok"),
        (error: unknown) => settled(outcomeOf(error)),
      );
      return result;
    };
  // Wrapped once, here: a port is an object literal, and a Proxy would cost at every call.
  const wrapped = Object.entries(port).map(([name, value]) => [
    name,
    typeof value === "function" ? wrap(name, value as (...args: unknown[]) => unknown) : (value as unknown),
  ]);
  return Object.assign(Object.create(port), Object.fromEntries(wrapped)) as Port;
}

function outcomeOf(error: unknown): string {
  if (error instanceof StoreError) return error.code;
  return error instanceof DOMException && error.name === "AbortError" ? "cancelled" : "internal";
}
