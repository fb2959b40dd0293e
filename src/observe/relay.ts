import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** What the relay tells, as log lines and metrics. How far it is behind is read at the scrape. */
export function observeRelay(logger: Logger, metrics: Pick<Metrics, "relayedEvents" | "relayFailures">) {
  return {
    published(events: number): void {
      metrics.relayedEvents.inc(events);
    },
    failed(error: unknown, { attempts, delay }: { attempts: number; delay: number }): void {
      metrics.relayFailures.inc();
      logger.warn(
        { error, attempts, delay: Math.round(delay) },
        "events could not be sent to Kafka, will be tried again",
      );
    },
    cursorLost(): void {
      logger.warn("the relay's cursor was given up; it begins again at the oldest event that is kept");
    },
  };
}
