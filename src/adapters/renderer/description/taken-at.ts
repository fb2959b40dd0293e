/**
 * RFC 3339 of EXIF's `2026:07:14 09:30:00` and `+02:00`, as a local time where there is no offset; undefined for what is
 * no date, such as that of a camera whose clock was never set.
 */
export function formatTakenAt(time: string | undefined, offset: string | undefined): string | undefined {
  const match = /^(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d:\d\d:\d\d)$/.exec(time ?? "");
  if (match === null) return undefined;
  const local = `${match[1]}-${match[2]}-${match[3]}T${match[4]}`;
  // A day that the month does not have moves into the next one.
  const parsed = new Date(`${local}Z`);
  if (Number.isNaN(parsed.getTime()) || parsed.toISOString().slice(0, 19) !== local || parsed.getUTCFullYear() < 1800) {
    return undefined;
  }
  return /^[+-](0\d|1[0-3]):[0-5]\d$|^[+-]14:00$/.test(offset ?? "") ? `${local}${offset}` : local;
}
