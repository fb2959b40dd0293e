/** Work of which one runs at a time for each key, however many wait for it. */
export interface SingleFlight<Value extends AsyncDisposable> {
  /**
   * What `work` answers, the same for all who wait at the same time, until each has disposed of its share. Who leaves, by
   * its signal, fails no other; when all have left, the signal of the work is aborted.
   * @throws what `work` throws; the reason of `signal`
   */
  join(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<Value>): Promise<Share<Value>>;
}

export interface Share<Value> extends AsyncDisposable {
  readonly value: Value;
}

interface Flight<Value> {
  readonly landing: Promise<Value>;
  readonly abort: AbortController;
  hasLanded: boolean;
  aboard: number;
}

export function createSingleFlight<Value extends AsyncDisposable>(): SingleFlight<Value> {
  const flights = new Map<string, Flight<Value>>();

  function close(key: string, flight: Flight<Value>): void {
    if (flights.get(key) === flight) flights.delete(key);
  }

  function start(key: string, work: (signal: AbortSignal) => Promise<Value>): Flight<Value> {
    const abort = new AbortController();
    const flight: Flight<Value> = { landing: work(abort.signal), abort, hasLanded: false, aboard: 0 };
    flights.set(key, flight);
    const landed = () => {
      flight.hasLanded = true;
      close(key, flight);
    };
    flight.landing.then(landed, landed);
    return flight;
  }

  async function leave(key: string, flight: Flight<Value>): Promise<void> {
    flight.aboard--;
    if (flight.aboard > 0) return;
    if (!flight.hasLanded) {
      // Whoever comes now must not get what is being aborted.
      close(key, flight);
      flight.abort.abort();
    }
    const value = await flight.landing.catch(() => undefined);
    await value?.[Symbol.asyncDispose]();
  }

  return {
    async join(key, signal, work) {
      signal.throwIfAborted();
      const flight = flights.get(key) ?? start(key, work);
      flight.aboard++;
      try {
        const value = await unlessAborted(flight.landing, signal);
        return { value, [Symbol.asyncDispose]: () => leave(key, flight) };
      } catch (error) {
        void leave(key, flight);
        throw error;
      }
    },
  };
}

function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason as Error);
  signal.addEventListener("abort", onAbort, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", onAbort));
}
