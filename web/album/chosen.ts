import { AT_ONCE, type Columns, type LaidImage } from "./columns.ts";
import { Ranges } from "./ranges.ts";

/** So many ids are made within a frame. */
const SLICE = 5000;

interface Places {
  readonly columns: Columns;
  readonly indexes: Ranges;
}

/**
 * Chosen pictures, by id, so that they stay chosen while others come and go. Very many are chosen by their places in the columns in
 * which they are shown: a set of a million ids would take the browser a second to make. It never changes.
 */
export class Chosen implements Iterable<string> {
  static readonly none = new Chosen(new Set());
  readonly size: number;
  readonly #ids: ReadonlySet<string>;
  readonly #places: Places | undefined;

  private constructor(ids: ReadonlySet<string>, places?: Places) {
    this.#ids = ids;
    this.#places = places;
    this.size = places?.indexes.size ?? ids.size;
  }

  static of = (ids: Iterable<string>): Chosen => new Chosen(new Set(ids));

  has(columns: Columns, { index, id }: Pick<LaidImage, "index" | "id">): boolean {
    if (this.#places === undefined) return this.#ids.has(id);
    return this.#places.columns === columns && this.#places.indexes.has(index);
  }

  /** These, and those from `start` up to `end`, which is not one of them. */
  with(columns: Columns, start: number, end: number): Chosen {
    if (this.#places !== undefined || this.size + end - start > AT_ONCE)
      return Chosen.#at(columns, this.#indexesIn(columns).with(start, end));
    const ids = new Set(this.#ids);
    for (let index = start; index < end; index += 1) ids.add(columns.id(index));
    return new Chosen(ids);
  }

  withEach(columns: Columns, indexes: readonly number[]): Chosen {
    if (this.#places === undefined) return Chosen.of([...this.#ids, ...indexes.map((index) => columns.id(index))]);
    return Chosen.#at(
      columns,
      indexes.reduce((all, index) => all.with(index, index + 1), this.#indexesIn(columns)),
    );
  }

  without(columns: Columns, index: number): Chosen {
    if (this.#places !== undefined) return Chosen.#at(columns, this.#indexesIn(columns).without(index));
    const ids = new Set(this.#ids);
    ids.delete(columns.id(index));
    return new Chosen(ids);
  }

  /** False where they are places in other columns, which say nothing about these. */
  isOf = (columns: Columns): boolean => this.#places === undefined || this.#places.columns === columns;

  /** Their ids. */
  *[Symbol.iterator](): Generator<string, void> {
    if (this.#places === undefined) yield* this.#ids;
    else for (const index of this.#places.indexes) yield this.#places.columns.id(index);
  }

  /** The same by their ids, of which the browser makes some at a time. */
  async byIds(pause = nextTask): Promise<Chosen> {
    if (this.#places === undefined) return this;
    const ids = new Set<string>();
    for (const id of this) {
      ids.add(id);
      if (ids.size % SLICE === 0) await pause();
    }
    return new Chosen(ids);
  }

  /** The same in columns of which theirs have what is not marked. */
  within(columns: Columns, marks: Uint8Array): Chosen {
    if (this.#places === undefined || this.#places.columns === columns) return this;
    return Chosen.#at(columns, this.#places.indexes.within(marks));
  }

  /** Sets 1 where they are in the columns, of which the first mark is for the one at `start`. */
  mark(columns: Columns, start: number, marks: Uint8Array): void {
    if (this.#places?.columns === columns) return this.#places.indexes.mark(start, marks);
    const ids = this.#places === undefined ? this.#ids : new Set(this);
    for (const index of columns.indexesOf(ids, start)) marks[index - start] = 1;
  }

  #indexesIn(columns: Columns): Ranges {
    if (this.#places !== undefined) return this.#places.columns === columns ? this.#places.indexes : Ranges.none;
    return columns.indexesOf(this.#ids).reduce((all, index) => all.with(index, index + 1), Ranges.none);
  }

  static #at = (columns: Columns, indexes: Ranges): Chosen => new Chosen(new Set(), { columns, indexes });
}

const nextTask = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
