/** The word that was probably meant: at most two typing errors away, fewer for short words; undefined if none is. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const limit = Math.min(2, Math.floor(word.length / 3));
  const ranked = known.map((candidate) => [typingErrors(word, candidate), candidate] as const);
  return ranked.filter(([errors]) => errors <= limit).toSorted(([one], [other]) => one - other)[0]?.[1];
}

/** Characters added, left out, replaced, or swapped with their neighbour. */
function typingErrors(one: string, other: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 1; row <= one.length; row++) {
    const next = [row];
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[row - 1] === other[column - 1];
      const isSwap = row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      const edited = Math.min(
        (last[column] ?? 0) + 1,
        (next[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (isSame ? 0 : 1),
      );
      next.push(isSwap ? Math.min(edited, (beforeLast[column - 2] ?? 0) + 1) : edited);
    }
    [beforeLast, last] = [last, next];
  }
  return last[other.length] ?? 0;
}
