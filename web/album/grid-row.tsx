import type { AlbumState } from "./album-state.ts";
import { type Rows, shownRatio } from "./rows.ts";
import type { Selection } from "./selection.ts";
import { Tile } from "./tile.tsx";

interface Props {
  readonly row: number;
  readonly rows: Rows;
  readonly top: number;
  readonly state: AlbumState;
  readonly selection: Selection;
  /** Index of the picture that Tab reaches. */
  readonly focused: number;
}

export function GridRow({ row, rows, top, state, selection, focused }: Props) {
  const { columns, name } = state;
  const height = rows.height[row] ?? 0;
  const style = { transform: `translateY(${top}px)`, height: `${height}px` };
  const heading = rows.headings.get(row);
  if (heading !== undefined)
    return (
      <div class="grid-row" role="row" aria-rowindex={row + 1} style={style}>
        <div role="gridcell" class="date">
          <h2>{heading}</h2>
        </div>
      </div>
    );

  const first = rows.start[row] ?? 0;
  const end = Math.min(rows.endOf(row), columns.count);
  const tiles = [];
  let left = 0;
  for (let index = first; index < end; index += 1) {
    const width = shownRatio(columns.ratio(index)) * height;
    tiles.push(
      <Tile
        key={index}
        image={columns.image(index)}
        album={name}
        total={state.expected}
        left={left}
        width={width}
        height={height}
        column={index - first}
        isFocusable={index === focused}
        columns={columns}
        selection={selection}
      />,
    );
    left += width + rows.frame.gap;
  }
  return (
    <div class="grid-row" role="row" aria-rowindex={row + 1} style={style}>
      {tiles}
    </div>
  );
}
