import { PREFIX, SETTING_GROUPS } from "../src/config/settings.ts";

/** docs/configuration.md: every setting, from the definitions that the store itself uses. */
export function configurationPage(): string {
  const sections = Object.entries(SETTING_GROUPS).map(([title, settings]) => {
    const rows = Object.entries(settings).map(([name, { flag, help, default: standard, defaultHelp }]) => {
      const variable = `\`${PREFIX}${name}\`${flag === undefined ? "" : `<br>\`--${flag}\``}`;
      return `| ${variable} | ${cell(standard || defaultHelp || "")} | ${cell(help)} |\n`;
    });
    return `\n## ${title}\n\n| setting | default | meaning |\n|---|---|---|\n${rows.join("")}`;
  });
  return INTRODUCTION + sections.join("");
}

const INTRODUCTION = `<!-- Generated from src/config/settings.ts by "npm run docs". Do not edit. -->

# Configuration

A setting is an environment variable. Some settings also have a flag, which overrides the variable. An empty variable counts
as unset. \`image-store help\` prints this list.

- A size is a number of bytes, or has a unit: \`1048576\`, \`256KiB\`, \`100MiB\`, \`1GiB\`.
- A time has a unit: \`500ms\`, \`30s\`, \`15m\`, \`1h\`, \`30d\`.
- A boolean is \`true\` or \`1\`, \`false\` or \`0\`.

A server with an invalid configuration exits with code 2 and reports every problem at once, including unknown variables that
begin with \`${PREFIX}\`. On SIGHUP it reads its key files again. Names in capitals, such as \`DATA\` or \`MAX_PIXELS\`, stand for
the setting of that name.
`;

const cell = (text: string): string => text.replaceAll("|", "\\|");

if (import.meta.main) await Bun.write(Bun.stdout, configurationPage());
