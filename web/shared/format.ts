const numbers = new Intl.NumberFormat("en");
const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];

const shares = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

export const formatCount = (count: number): string => numbers.format(count);
/** `97.3%` of a part from 0 to 1. */
export const formatShare = (share: number): string => shares.format(share);

/** `29.8 MB`, in powers of 1,000 as disks are sold. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${value.toLocaleString("en", { maximumFractionDigits: power === 0 || value >= 100 ? 0 : 1 })} ${UNITS[power]}`;
}

const times = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const days = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const shortDays = new Intl.DateTimeFormat("en-GB", {
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
});
const months = new Intl.DateTimeFormat("en-GB", { month: "long", year: "numeric" });

export const formatTime = (time: string | number): string => times.format(new Date(time));
/** `Sunday, 31 March 2024`; short: `Sun, 31 Mar 2024`. */
export const formatDay = (time: number, isShort = false): string => (isShort ? shortDays : days).format(time);
export const formatMonth = (time: number): string => months.format(time);

/** `1/250 s` for a shutter. */
export const formatExposure = (seconds: number): string =>
  seconds >= 0.3 ? `${Number(seconds.toFixed(1))} s` : `1/${Math.round(1 / seconds)} s`;
/** `3 min`, `40 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
