import { routes } from "../src/app.ts";
import { type RouteDefinition, requiredRights } from "../src/http/route.ts";
import { withGenerated } from "./generated.ts";

/** The table of docs/access.md: what each route needs, from the definitions that the store itself uses. */
const accessTable = (): string =>
  ["| route | right | |\n|---|---|---|\n", ...routes.map(({ definition }) => rowOf(definition))].join("");

function rowOf(definition: RouteDefinition): string {
  const { oneOf = [] } = definition;
  const rights = requiredRights(definition).map((right) => `\`${right}\``);
  const cells = [
    `\`${definition.method} ${definition.path}\``,
    rights.join(" and ") || oneOf.map((right) => `\`${right}\``).join(" or ") || "none",
    notesOf(definition).join(" "),
  ];
  return `| ${cells.join(" | ").trimEnd()} |\n`;
}

function notesOf({ acceptsLink, addsImages, caller, callers }: RouteDefinition): readonly string[] {
  return [
    ...(addsImages === true ? ["A share with `write` adds images, and replaces none."] : []),
    ...(acceptsLink === true ? ["Or a signed link."] : []),
    ...(callers === undefined ? [] : [`For callers of the kind ${callers.map((kind) => `\`${kind}\``).join(" or ")}.`]),
    ...(caller === undefined ? [] : [`The path holds the secret of a ${caller}.`]),
  ];
}

const BEGIN = '<!-- What follows is generated from the route table by "npm run docs". -->\n\n';
/** The page with the table as it is now. */
export const withAccessTable = (page: string): string => withGenerated(page, BEGIN, accessTable());

if (import.meta.main) {
  const page = Bun.file(new URL("access.md", import.meta.url));
  await Bun.write(page, withAccessTable(await page.text()));
}
