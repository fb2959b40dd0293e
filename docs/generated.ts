const END = "\n<!-- End of what is generated. -->";

/** The page with what stands between `begin` and the end replaced. @throws Error where the page has no place for it */
export function withGenerated(page: string, begin: string, text: string): string {
  const [before, rest = "", ...others] = page.split(begin);
  const end = rest.indexOf(END);
  if (before === undefined || end === -1 || others.length > 0) throw new Error("The page has no place for the table.");
  return before + begin + text + rest.slice(end);
}
