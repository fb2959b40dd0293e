const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const TIME = "(\\d{2}):(\\d{2}):(\\d{2})";
/** The three forms of RFC 9110, 5.6.7: IMF-fixdate, RFC 850 with a year of two digits, and asctime. */
const NEW = new RegExp(`^[A-Z][a-z]{2}, (\\d{2}) ([A-Z][a-z]{2}) (\\d{4}) ${TIME} GMT$`);
const OLD = new RegExp(`^[A-Z][a-z]{5,8}, (\\d{2})-([A-Z][a-z]{2})-(\\d{2}) ${TIME} GMT$`);
const ASCTIME = new RegExp(`^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \\d]\\d) ${TIME} (\\d{4})$`);

/** Milliseconds since 1970 as HTTP writes them: to the second. */
export const formatHttpDate = (milliseconds: number): string => new Date(milliseconds).toUTCString();

let present = { second: 0, text: "" };

/** The time of an answer, made once a second. */
export function currentHttpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== present.second) present = { second, text: formatHttpDate(second * 1000) };
  return present.text;
}

/** Milliseconds since 1970; undefined for what is no HTTP-date, which a condition must ignore. */
export function parseHttpDate(text: string, now = Date.now()): number | undefined {
  const recent = NEW.exec(text);
  if (recent !== null) return timeOf(recent[3], recent[2], recent[1], recent.slice(4));
  const old = OLD.exec(text);
  if (old !== null) return timeOf(yearOf(Number(old[3]), now), old[2], old[1], old.slice(4));
  const asctime = ASCTIME.exec(text);
  if (asctime !== null) return timeOf(asctime[6], asctime[1], asctime[2], asctime.slice(3, 6));
  return undefined;
}

function timeOf(
  year: string | number | undefined,
  month = "",
  day = "",
  [hour, minute, second]: readonly string[],
): number | undefined {
  const index = MONTHS.indexOf(month);
  const time = new Date(0);
  // Not Date.UTC, which takes the year 99 for 1999.
  time.setUTCFullYear(Number(year), index, Number(day));
  if (index === -1 || time.getUTCDate() !== Number(day)) return undefined;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined;
  return time.setUTCHours(Number(hour), Number(minute), Number(second));
}

/** One that seems more than 50 years ahead is of the century before. */
function yearOf(lastDigits: number, now: number): number {
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + lastDigits;
  return year > thisYear + 50 ? year - 100 : year;
}
