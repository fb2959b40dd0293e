import { formatMonth } from "../shared/format.ts";
import { texts } from "../texts.ts";
import type { TimeOf } from "./headings.ts";

export interface Month {
  /** Index of its first picture. */
  readonly first: number;
  /** Undefined for pictures without a date. */
  readonly year: number | undefined;
  readonly text: string;
}

/** Where the months of an album begin that is ordered by time. */
export class Months {
  readonly #timeOf: TimeOf;
  #all: readonly Month[] = [];
  #read = 0;
  /** The month of the last picture that was read. */
  #from = Number.NaN;
  #until = Number.NaN;

  constructor(timeOf: TimeOf) {
    this.#timeOf = timeOf;
  }

  /** In the order of the album. Another array once there are more. */
  get all(): readonly Month[] {
    return this.#all;
  }

  /** Reads the times of pictures that were added. */
  extend(count: number): void {
    const added: Month[] = [];
    for (let index = this.#read; index < count; index += 1) {
      const time = this.#timeOf(index);
      const isSame = Number.isNaN(time) ? Number.isNaN(this.#from) : time >= this.#from && time < this.#until;
      if (isSame && index > 0) continue;
      added.push(this.#begin(index, time));
    }
    this.#read = Math.max(this.#read, count);
    if (added.length > 0) this.#all = [...this.#all, ...added];
  }

  /** The month of a picture, by its place in {@link all}; -1 before any is read. */
  placeOf(index: number): number {
    return this.#all.findLastIndex(({ first }) => first <= index);
  }

  #begin(first: number, time: number): Month {
    if (Number.isNaN(time)) {
      [this.#from, this.#until] = [Number.NaN, Number.NaN];
      return { first, year: undefined, text: texts.album.noDate };
    }
    const date = new Date(time);
    const [year, month] = [date.getFullYear(), date.getMonth()];
    this.#from = new Date(year, month, 1).getTime();
    this.#until = new Date(year, month + 1, 1).getTime();
    return { first, year, text: formatMonth(time) };
  }
}
