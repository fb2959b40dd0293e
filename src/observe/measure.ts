import { StoreError } from "../domain/errors.ts";
import type { BlobStore, Catalog, Prober, Renderer } from "../ports.ts";
import type { Durations } from "./durations.ts";

/** The same catalog, each call timed; writes by the change's type. */
export const measureCatalog = (catalog: Catalog, durations: Durations): Catalog =>
  measure(catalog, durations, (method, [argument]) =>
    method === "write" ? (argument as { type: string }).type : method,
  );

export const measureBlobs = (blobs: BlobStore, durations: Durations): BlobStore => measure(blobs, durations);
export const measureProber = (prober: Prober, durations: Durations): Prober => measure(prober, durations);
export const measureRenderer = (renderer: Renderer, durations: Durations): Renderer => measure(renderer, durations);

/**
 * The port with every method that answers a promise timed until it settles; what answers at once or is iterated
 * passes through. Outcome: ok, the error's code, or
 * `cancelled` where nobody waited any longer.
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
        durations.add(nameOf(method, args), outcome, (performance.now() - start) / 1000);
      // On the promise itself and not a copy: whoever called still gets its rejection.
      result.then(
        () => settled("ok"),
        (error: unknown) => settled(outcomeOf(error)),
      );
      return result;
    };
  // Methods are wrapped once, here: a port is an object literal, and a Proxy would cost at every call.
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
