/** Limits the deliveries that are in flight at a time, over all webhooks. */
export interface DeliverySlots {
  /**
   * Whether a webhook that has `own` in flight may start another one: it may have half of what is free, and none of the last quarter
   * while it fails. So receivers that hang leave slots to the others. If not, `whenFree` is called once that may have changed.
   */
  mayTake(webhook: { readonly own: number; readonly fails: boolean }, whenFree: () => void): boolean;
  take(): void;
  release(): void;
}

export function createDeliverySlots(max: number): DeliverySlots {
  const refused = new Set<() => void>();
  const reserve = Math.floor(max / 4);
  let used = 0;
  return {
    mayTake({ own, fails }, whenFree) {
      if (own < max - used - (fails ? reserve : 0)) return true;
      refused.add(whenFree);
      return false;
    },
    take() {
      used++;
    },
    release() {
      used--;
      const before = used;
      // The one that has waited for the longest time comes first. One that is refused again waits behind the others.
      for (const whenFree of Array.from(refused)) {
        refused.delete(whenFree);
        whenFree();
        if (used > before) return;
      }
    },
  };
}
