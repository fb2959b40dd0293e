/** What a layout is made for. */
export interface Frame {
  /** Of the column of pictures, in pixels. */
  readonly width: number;
  /** What a row should be high; a full one is a little lower or higher. */
  readonly rowHeight: number;
  readonly gap: number;
  readonly headingHeight: number;
}

interface Source {
  readonly count: number;
  ratio(index: number): number;
}

const MIN_RATIO = 0.45;
const MAX_RATIO = 3.2;

/** A panorama or a long strip is shown cropped, so that it neither fills the row nor vanishes in it. */
export const shownRatio = (ratio: number): number => Math.min(MAX_RATIO, Math.max(MIN_RATIO, ratio));

/**
 * Justified rows: pictures side by side in their order, each row as wide as the frame. Rows are columns of numbers here, since a
 * million pictures make 200,000 of them.
 */
export class Rows {
  readonly frame: Frame;
  readonly #headingOf: ((index: number) => string | undefined) | undefined;
  /** Index of the first picture; of a heading's row, that of the picture after it. */
  start: number[] = [];
  top: number[] = [];
  /** Without the gap below. */
  height: number[] = [];
  headings = new Map<number, string>();
  /** Of all that is laid out. */
  total = 0;
  /** Pictures that are laid out. */
  laid = 0;
  /** Rows that more pictures don't change. */
  #closed = 0;
  #lastHeading: string | undefined;

  constructor(frame: Frame, headingOf?: (index: number) => string | undefined) {
    this.frame = frame;
    this.#headingOf = headingOf;
  }

  get length(): number {
    return this.start.length;
  }

  /** Lays out what the source has more than before. The last row is made anew. */
  extend(source: Source): void {
    const { width, rowHeight, gap } = this.frame;
    if (this.#closed < this.length) {
      this.laid = this.start[this.#closed] ?? 0;
      this.total = this.top[this.#closed] ?? 0;
      this.#cut(this.#closed);
    }
    let first = this.laid;
    let ratios = 0;
    for (let index = first; index < source.count; index += 1) {
      const heading = this.#headingOf?.(index);
      if (heading !== undefined && heading !== this.#lastHeading) {
        if (index > first) this.#add(first, Math.min(rowHeight, this.#fitted(ratios, index - first)));
        first = index;
        ratios = 0;
        this.#addHeading(index, heading);
      }
      ratios += shownRatio(source.ratio(index));
      const fitted = (width - gap * (index - first)) / ratios;
      if (fitted > rowHeight) continue;
      this.#add(first, fitted);
      first = index + 1;
      ratios = 0;
    }
    this.#closed = this.length;
    if (first < source.count) this.#add(first, Math.min(rowHeight, this.#fitted(ratios, source.count - first)));
    this.laid = source.count;
  }

  /** The last row at or above an offset. */
  rowAt(offset: number): number {
    let low = 0;
    let high = this.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.top[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The row of a picture. */
  rowOf(index: number): number {
    let low = 0;
    let high = this.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.start[middle] ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** First picture after the row. */
  endOf(row: number): number {
    return this.headings.has(row) ? (this.start[row] ?? 0) : (this.start[row + 1] ?? this.laid);
  }

  #fitted = (ratios: number, count: number): number => (this.frame.width - this.frame.gap * (count - 1)) / ratios;

  #add(first: number, height: number): void {
    this.start.push(first);
    this.top.push(this.total);
    this.height.push(height);
    this.total += height + this.frame.gap;
  }

  #addHeading(index: number, heading: string): void {
    this.headings.set(this.length, heading);
    this.#lastHeading = heading;
    this.#add(index, this.frame.headingHeight);
  }

  #cut(length: number): void {
    this.start.length = length;
    this.top.length = length;
    this.height.length = length;
  }
}
