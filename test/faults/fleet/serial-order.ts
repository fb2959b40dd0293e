/** One operation of a client as it saw it. Times are of one clock. */
export interface Observed<Operation> {
  readonly operation: Operation;
  readonly answer: string;
  /** When it was sent, and when its answer was there. */
  readonly from: number;
  readonly until: number;
}

/** What one operation does to the world, were it alone in it; `index` tells operations apart. */
export type Apply<World, Operation> = (
  world: World,
  operation: Operation,
  index: number,
) => { readonly world: World; readonly answer: string };

/**
 * The definition of a right answer where several ask at once (linearizability, Herlihy and Wing): there is an order, in
 * which nobody comes before somebody who had an answer before it was sent, and in which each alone would have been
 * answered the same, and which leads to what is there in the end. Tries them all, so that it is for few at a time.
 */
export function hasSerialOrder<World, Operation>(
  observed: readonly Observed<Operation>[],
  start: World,
  apply: Apply<World, Operation>,
  isEnd: (world: World) => boolean,
): boolean {
  const goesOn = (world: World, left: ReadonlySet<number>): boolean => {
    if (left.size === 0) return isEnd(world);
    const firstAnswer = Math.min(...left.values().map((index) => observed[index]?.until ?? 0));
    for (const index of left) {
      const next = observed[index];
      if (next === undefined || next.from > firstAnswer) continue;
      const after = apply(world, next.operation, index);
      if (after.answer === next.answer && goesOn(after.world, new Set([...left].filter((other) => other !== index))))
        return true;
    }
    return false;
  };
  return goesOn(start, new Set(observed.keys()));
}
