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

  /** These places among what is not marked, as places among all. */
  within(marks: Uint8Array): Ranges {
    const bounds: number[] = [];
    let passed = 0;
    let at = 0;
    for (const [start, end] of unmarked(marks)) {
      const next = passed + end - start;
      for (; at < this.#bounds.length; at += 2) {
        const [first = 0, behind = 0] = this.#bounds.slice(at, at + 2);
        if (first < next && behind > passed)
          bounds.push(start + Math.max(first, passed) - passed, start + Math.min(behind, next) - passed);
        if (behind > next) break;
      }
      passed = next;
    }
    return new Ranges(bounds);
  }

  /** Sets 1 for each; the first mark is for `start`. */
  mark(start: number, marks: Uint8Array): void {
    for (let at = 0; at < this.#bounds.length; at += 2)
      marks.fill(1, Math.max(0, (this.#bounds[at] ?? 0) - start), Math.max(0, (this.#bounds[at + 1] ?? 0) - start));
  }

  *[Symbol.iterator](): Generator<number, void> {
    for (let at = 0; at < this.#bounds.length; at += 2)
      for (let number = this.#bounds[at] ?? 0; number < (this.#bounds[at + 1] ?? 0); number += 1) yield number;
  }

  #around(start: number, end: number): readonly [before: readonly number[], after: readonly number[]] {
    return [this.#bounds.filter((bound) => bound < start), this.#bounds.filter((bound) => bound > end)];
  }
}

/** Where marks are 0: where each run of them begins, and the place behind it. */
export function* unmarked(marks: Uint8Array): Generator<readonly [start: number, end: number], void> {
  for (let start = marks.indexOf(0); start !== -1; ) {
    const marked = marks.indexOf(1, start);
    const end = marked === -1 ? marks.length : marked;
    yield [start, end];
    start = marks.indexOf(0, end);
  }
}
