import sharp from "sharp";

/** Pictures that we drew: landscapes whose colours, hills and subject follow from a number. */

interface Palette {
  readonly sky: readonly [top: string, bottom: string];
  readonly light: string;
  /** From the far to the near. */
  readonly hills: readonly [string, string, string];
  readonly near: string;
}

const PALETTES: readonly Palette[] = [
  { sky: ["#274060", "#f6a15b"], light: "#ffe3a3", hills: ["#7a6c8f", "#54527a", "#35345a"], near: "#20223d" },
  { sky: ["#7fc8f8", "#e8f6ff"], light: "#fff8d6", hills: ["#9cc5a1", "#5d9c76", "#36715a"], near: "#204b3c" },
  { sky: ["#0f1b3c", "#3a4f8f"], light: "#f3f1e0", hills: ["#33477c", "#243561", "#172446"], near: "#0b1530" },
  { sky: ["#f9c5d1", "#fde8d7"], light: "#fff3e2", hills: ["#d59bb0", "#a86e91", "#7a4a74"], near: "#4b2b50" },
  { sky: ["#3fa7d6", "#fcd29f"], light: "#fff1c9", hills: ["#e3a857", "#c9783e", "#96502f"], near: "#5c2f22" },
  { sky: ["#b8c6d1", "#eef1f2"], light: "#ffffff", hills: ["#9fb1bd", "#748c9c", "#4d6577"], near: "#2f4150" },
];

/** Each at 0, 0 on the ground, about 100 high. */
const SUBJECTS: readonly ((colour: string) => string)[] = [
  (colour) => `<path d="M-60 0H60L42 26H-42Z" fill="${colour}"/><path d="M-4-100V-8H-58Z" fill="#d7263d"/>
    <path d="M4-86V-8H44Z" fill="#fdf6ec"/>`,
  (
    colour,
  ) => `<rect x="-40" y="-52" width="80" height="58" fill="#fdf6ec"/><path d="M-52-50 0-98 52-50Z" fill="#c0392b"/>
    <rect x="-10" y="-28" width="20" height="34" fill="${colour}"/><rect x="18" y="-36" width="14" height="14" fill="#f9c74f"/>`,
  (colour) => `<rect x="-5" y="-40" width="10" height="46" fill="${colour}"/>
    <path d="M0-118 34-58H14L46-16H-46L-14-58H-34Z" fill="#2d6a4f"/>`,
  (colour) => `<ellipse cx="0" cy="-150" rx="46" ry="54" fill="#e76f51"/>
    <path d="M-16-204Q-30-150-14-97M16-204Q30-150 14-97" stroke="#fdf6ec" stroke-width="7" fill="none"/>
    <path d="M-26-104-10-76M26-104 10-76" stroke="${colour}" stroke-width="3"/><rect x="-12" y="-78" width="24" height="18" fill="${colour}"/>`,
  (colour) => `<path d="M-16 6-9-108H9L16 6Z" fill="#fdf6ec"/><path d="M-14-32-11-70H11L14-32Z" fill="#d7263d"/>
    <rect x="-13" y="-122" width="26" height="16" fill="#f9c74f"/><path d="M-16-120 0-140 16-120Z" fill="${colour}"/>`,
];

/** As cameras make them: landscape, portrait, square, wide. */
const SIZES: readonly (readonly [width: number, height: number])[] = [
  [1200, 800],
  [1200, 900],
  [800, 1200],
  [1000, 1000],
  [1600, 700],
  [1200, 800],
  [900, 1200],
];

/** Numbers between 0 and 1 that follow from the seed (mulberry32). */
function numbersFrom(seed: number): () => number {
  let state = (seed + 1) * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pick = <Item>(items: readonly Item[], at: number): Item => items[Math.floor(at) % items.length] as Item;

export function drawLandscape(seed: number, [width, height] = pick(SIZES, seed)): string {
  const next = numbersFrom(seed);
  const { sky, light, hills, near } = pick(PALETTES, seed + next() * 2);
  const horizon = height * (0.5 + next() * 0.15);
  const ridge = (level: number) => {
    const points = Array.from({ length: 9 }, (_, index) => {
      const rise = (next() * 0.22 + 0.02) * height * (1 - level * 0.25);
      return `${(index / 8) * width} ${horizon + level * height * 0.1 - rise}`;
    });
    return `<path d="M0 ${height}L${points.join("L")}L${width} ${height}Z" fill="${pick(hills, level)}"/>`;
  };
  const size = (0.55 + next() * 0.35) * (Math.min(width, height) / 400);
  const ground = height * (0.84 + next() * 0.05);
  const subject = pick(SUBJECTS, next() * SUBJECTS.length)("#3b2a2a");
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    <linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop stop-color="${sky[0]}"/><stop offset="1" stop-color="${sky[1]}"/></linearGradient>
    <rect width="${width}" height="${height}" fill="url(#sky)"/>
    <circle cx="${width * (0.15 + next() * 0.7)}" cy="${horizon * (0.3 + next() * 0.35)}" r="${Math.min(width, height) * 0.07}" fill="${light}"/>
    ${ridge(0)}${ridge(1)}${ridge(2)}
    <path d="M0 ${ground}Q${width / 3} ${ground - height * 0.05} ${width / 2} ${ground}T${width} ${ground - height * 0.02}V${height}H0Z" fill="${near}"/>
    <g transform="translate(${width * (0.25 + next() * 0.5)} ${ground})scale(${size.toFixed(2)})">${subject}</g>
  </svg>`;
}

/** A JPEG, as a camera took it at that time. */
export async function drawPhoto(
  seed: number,
  { takenAt, size }: { readonly takenAt?: Date; readonly size?: readonly [width: number, height: number] } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const drawing = sharp(Buffer.from(drawLandscape(seed, size))).jpeg({ quality: 82 });
  const time = takenAt?.toISOString().slice(0, 19).replaceAll("-", ":").replace("T", " ");
  const photo =
    time === undefined ? drawing : drawing.withExif({ IFD0: { Model: "Drawn" }, IFD2: { DateTimeOriginal: time } });
  return new Uint8Array(await photo.toBuffer());
}
