/** A line of a plot, its points from left to right. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Axis {
  readonly title: string;
  readonly isLogarithmic: boolean;
  readonly label: (value: number) => string;
}

export interface Plot {
  readonly title: string;
  /** For those who do not see it. */
  readonly description: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly Line[];
}

const WIDTH = 760;
const HEIGHT = 380;
const FIELD = { left: 64, right: 560, top: 56, bottom: 320 };
/** Of the names beside the ends of the lines. */
const LINE_HEIGHT = 18;

const STYLE = `
    .page { fill: #ffffff; stroke: #d0d7de }
    .grid { stroke: #d8dee4; stroke-width: 1 }
    .title { fill: #1f2328; font-size: 15px; font-weight: 600 }
    .note { fill: #57606a; font-size: 12px }
    .line { fill: none; stroke-width: 2.5; stroke-linejoin: round }
    .name { font-size: 13px; font-weight: 600 }
    .line0 { stroke: #0969da } .dot0, .name0 { fill: #0969da }
    .line1 { stroke: #bc4c00; stroke-dasharray: 7 4 } .dot1, .name1 { fill: #bc4c00 }
    .line2 { stroke: #57606a; stroke-dasharray: 2 4 } .dot2, .name2 { fill: #57606a }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117; stroke: #30363d }
      .grid { stroke: #21262d }
      .title { fill: #f0f6fc }
      .note { fill: #9198a1 }
      .line0 { stroke: #4493f8 } .dot0, .name0 { fill: #4493f8 }
      .line1 { stroke: #f0883e } .dot1, .name1 { fill: #f0883e }
      .line2 { stroke: #9198a1 } .dot2, .name2 { fill: #9198a1 }
    }
  `;

/** An SVG that follows the reader's light or dark scheme. Lines differ in colour and in dashes. */
export function drawPlot({ title, description, x, y, lines }: Plot): string {
  const points = lines.flatMap((line) => line.points);
  const xs = [...new Set(points.map(([value]) => value))].toSorted((one, other) => one - other);
  const yTicks = ticksOf(
    y,
    points.map(([, value]) => value),
  );
  const xOf = scale(x, xs, FIELD.left + 16, FIELD.right - 16);
  const yOf = scale(y, yTicks, FIELD.bottom, FIELD.top);
  const body = [
    `<rect class="page" x="0.5" y="0.5" width="${WIDTH - 1}" height="${HEIGHT - 1}" rx="10"/>`,
    text("title", FIELD.left, 30, title),
    ...yTicks.flatMap((value) => [
      `<path class="grid" d="M${FIELD.left} ${yOf(value)}H${FIELD.right}"/>`,
      text("note", FIELD.left - 8, yOf(value) + 4, y.label(value), "end"),
    ]),
    ...xs.map((value) => text("note", xOf(value), FIELD.bottom + 20, x.label(value), "middle")),
    text("note", (FIELD.left + FIELD.right) / 2, FIELD.bottom + 42, x.title, "middle"),
    text("note", FIELD.left, FIELD.top - 10, y.title),
    ...lines.flatMap(({ points: own }, index) => [
      `<path class="line line${index}" d="M${own.map(([at, value]) => `${xOf(at)} ${yOf(value)}`).join("L")}"/>`,
      ...own.map(([at, value]) => `<circle class="dot${index}" cx="${xOf(at)}" cy="${yOf(value)}" r="3.5"/>`),
    ]),
    ...namesOf(lines, yOf),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="title desc" font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif">
  <title id="title">${escapeText(title)}</title>
  <desc id="desc">${escapeText(description)}</desc>
  <style>${STYLE}</style>
  ${body.join("\n  ")}
</svg>
`;
}

/** Each beside the end of its line, and below the name before it. */
function namesOf(lines: readonly Line[], yOf: (value: number) => number): readonly string[] {
  const ends = lines
    .map(({ name, points }, index) => ({ name, index, y: yOf(points.at(-1)?.[1] ?? 0) }))
    .toSorted((one, other) => one.y - other.y);
  let next = -Infinity;
  return ends.map(({ name, index, y }) => {
    next = Math.max(y + 4, next + LINE_HEIGHT);
    return text(`name name${index}`, FIELD.right + 10, next, name);
  });
}

/** Powers of ten and their double and fivefold, or five even steps from 0: as far as the values go. */
function ticksOf({ isLogarithmic }: Axis, values: readonly number[]): readonly number[] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (isLogarithmic) {
    const all = [-3, -2, -1, 0, 1, 2, 3, 4, 5].flatMap((power) => [1, 2, 5].map((one) => Number(`${one}e${power}`)));
    const first = all.findLastIndex((tick) => tick <= least);
    const last = all.findIndex((tick) => tick >= most);
    return all.slice(Math.max(0, first), last + 1);
  }
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((one) => one * power >= rough) ?? 10) * power;
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => index * step);
}

function scale({ isLogarithmic }: Axis, values: readonly number[], from: number, to: number) {
  const place = isLogarithmic ? Math.log : (value: number) => value;
  const [least, most] = [place(Math.min(...values)), place(Math.max(...values))];
  return (value: number) => Math.round((from + ((place(value) - least) / (most - least || 1)) * (to - from)) * 10) / 10;
}

const text = (style: string, x: number, y: number, content: string, anchor = "start"): string =>
  `<text class="${style}" x="${x}" y="${y}" text-anchor="${anchor}">${escapeText(content)}</text>`;

const escapeText = (content: string): string => content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
