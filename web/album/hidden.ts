import type { Chosen } from "./chosen.ts";
import { Columns } from "./columns.ts";
import { unmarked } from "./ranges.ts";

/** What the person has deleted and the store still has: it is off the page. */
export class Hidden {
  /** Each as it was deleted, and as it is found in {@link #all}. */
  readonly #deleted = new Map<Chosen, Chosen>();
  #all = new Columns(0);
  /** Those of {@link #all} that are not hidden, as far as they were looked at; undefined while all are. */
  #rest: Columns | undefined;
  #seen = 0;

  /** @param chosen of the columns that are shown */
  add(chosen: Chosen): void {
    this.#deleted.set(chosen, this.#rest === undefined ? chosen : chosen.within(this.#all, this.#marks(0)));
    this.#begin();
  }

  delete(chosen: Chosen): void {
    this.#deleted.delete(chosen);
    this.#begin();
  }

  /** Before other columns are shown, in which pictures are found by their ids only. */
  async leaveColumns(): Promise<void> {
    for (const [chosen, found] of this.#deleted) {
      const byIds = await found.byIds();
      if (this.#deleted.has(chosen)) this.#deleted.set(chosen, byIds);
    }
  }

  /** The same images without what is hidden. Of columns that have grown, only what is new is looked at. */
  restOf(all: Columns): Columns {
    if (this.#all !== all) {
      this.#all = all;
      this.#begin();
    }
    const from = this.#seen;
    const marks = this.#marks(from);
    this.#seen = all.count;
    if (this.#rest === undefined) {
      if (!marks.includes(1)) return all;
      const hidden = [...this.#deleted.keys()].reduce((sum, { size }) => sum + size, 0);
      this.#rest = new Columns(Math.max(0, all.count - hidden));
      this.#rest.take(all, 0, from);
    }
    for (const [start, end] of unmarked(marks)) this.#rest.take(all, from + start, from + end);
    return this.#rest;
  }

  #begin(): void {
    this.#rest = undefined;
    this.#seen = 0;
  }

  /** 1 for each that is hidden, from `start` on. */
  #marks(start: number): Uint8Array {
    const marks = new Uint8Array(this.#all.count - start);
    for (const found of this.#deleted.values()) found.mark(this.#all, start, marks);
    return marks;
  }
}
