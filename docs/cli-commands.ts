import { COMMAND_NAMES, COMMANDS } from "../src/cli/commands.ts";
import { exitCodesOf, usage } from "../src/cli/help.ts";
import { withGenerated } from "./generated.ts";

/** The table of docs/cli.md, from the command table that the program itself uses. */
const commandTable = (): string =>
  [
    "| command | purpose | a line of `--json` | exit codes |\n|---|---|---|---|\n",
    ...COMMAND_NAMES.map((name) => {
      const { summary, json } = COMMANDS[name];
      return `| \`${usage(name).replace("image-store ", "").replaceAll("|", "\\|")}\` | ${summary} | ${json} | ${Object.keys(exitCodesOf(name)).join(", ")} |\n`;
    }),
  ].join("");

const BEGIN = '<!-- What follows is generated from the command table by "npm run docs". -->\n\n';
/** The page with the table as it is now. */
export const withCommandTable = (page: string): string => withGenerated(page, BEGIN, commandTable());

if (import.meta.main) {
  const page = Bun.file(new URL("cli.md", import.meta.url));
  await Bun.write(page, withCommandTable(await page.text()));
}
