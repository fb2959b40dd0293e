/** Whole numbers as ranges that do not touch, in their order: a million in a row are one range. It never changes. */
export class Ranges implements Iterable<number> {
  static readonly none = new Ranges([]);
  readonly size: number;
  /** Where ranges begin and, in turn, where they end: the number after their last. */
  readonly #bounds: readonly number[];

  private constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.size = bounds.reduce((sum, bound, at) => sum + (at % 2 === 0 ? -bound : bound), 0);
  }

  has(number: number): boolean {
    let low = 0;
    let high = this.#bounds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#bounds[middle] ?? 0) <= number) low = middle + 1;
      else high = middle;
    }
    return low % 2 === 1;
  }

  /** These, and those from `start` up to `end`, which is not one of them. */
  with(start: number, end: number): Ranges {
    const [before, after] = this.#around(start, end);
    return new Ranges([
      ...before,
      ...(before.length % 2 === 0 ? [start] : []),
      ...(after.length % 2 === 0 ? [end] : []),
      ...after,
    ]);
  }

  without(number: number): Ranges {
    const [before, after] = this.#around(number, number + 1);
    return new Ranges([
      ...before,
      ...(before.length % 2 === 0 ? [] : [number]),
      ...(after.length % 2 === 0 ? [] : [number + 1]),
      ...after,
    ]);
  }

  *[Symbol.iterator](): Generator<number, void> {
    for (let at = 0; at < this.#bounds.length; at += 2)
      for (let number = this.#bounds[at] ?? 0; number < (this.#bounds[at + 1] ?? 0); number += 1) yield number;
  }

  #around(start: number, end: number): readonly [before: readonly number[], after: readonly number[]] {
    return [this.#bounds.filter((bound) => bound < start), this.#bounds.filter((bound) => bound > end)];
  }
}
