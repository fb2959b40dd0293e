import { unlessAborted } from "./timeout.ts";

/** Runs the work for a key once at a time and hands its value to every concurrent caller. */
export interface SingleFlight<Value extends AsyncDisposable> {
  /**
   * Returns a share of the value that `work` resolves to; concurrent callers get the same value. The value is disposed of
   * once every share is. A caller whose `signal` aborts leaves without failing the others; when all have left, the signal
   * passed to `work` aborts.
   * @throws what `work` throws; the reason of `signal`
   */
  join(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<Value>): Promise<Share<Value>>;
}

export interface Share<Value> extends AsyncDisposable {
  readonly value: Value;
}

interface Flight<Value> {
  readonly result: Promise<Value>;
  readonly abort: AbortController;
  isSettled: boolean;
  callers: number;
}

export function createSingleFlight<Value extends AsyncDisposable>(): SingleFlight<Value> {
  const flights = new Map<string, Flight<Value>>();

  function close(key: string, flight: Flight<Value>): void {
    if (flights.get(key) === flight) flights.delete(key);
  }

  function start(key: string, work: (signal: AbortSignal) => Promise<Value>): Flight<Value> {
    const abort = new AbortController();
    const flight: Flight<Value> = { result: work(abort.signal), abort, isSettled: false, callers: 0 };
    flights.set(key, flight);
    const settle = () => {
      flight.isSettled = true;
      close(key, flight);
    };
    flight.result.then(settle, settle);
    return flight;
  }

  async function leave(key: string, flight: Flight<Value>): Promise<void> {
    flight.callers--;
    if (flight.callers > 0) return;
    if (!flight.isSettled) {
      // A caller that arrives now must not join a run that is being aborted.
      close(key, flight);
      flight.abort.abort();
    }
    const value = await flight.result.catch(() => undefined);
    await value?.[Symbol.asyncDispose]();
  }

  return {
    async join(key, signal, work) {
      signal.throwIfAborted();
      const flight = flights.get(key) ?? start(key, work);
      flight.callers++;
      try {
        const value = await unlessAborted(flight.result, signal);
        return { value, [Symbol.asyncDispose]: () => leave(key, flight) };
      } catch (error) {
        void leave(key, flight);
        throw error;
      }
    },
  };
}
