import { createClient } from "../../../client/src/index.ts";
import { type Arguments, seeHelp, UsageError } from "../arguments.ts";
import { type CliContext, EXIT } from "../context.ts";
import { connect } from "../remote/connection.ts";
import { SHELLS } from "./commands.ts";
import { type Candidate, complete, type ReadNames } from "./complete.ts";

/** How long the prompt of a shell may wait, in milliseconds. */
const PATIENCE_MS = 1000;
const MOST_NAMES = 200;

/** @throws UsageError */
export async function printScript({ operands, json }: Arguments, { out }: CliContext): Promise<number> {
  const shell = SHELLS.find((known) => known === operands[0]);
  if (shell === undefined)
    throw new UsageError(`"completion" needs a shell: ${SHELLS.join(", ")}. ${seeHelp("completion")}`);
  const script = await Bun.file(`${import.meta.dir}/image-store.${shell}`).text();
  out(json ? `${JSON.stringify({ shell, script })}\n` : script);
  return EXIT.ok;
}

/** Prints candidates, and never fails: a shell has no place for an error within a command line. */
export async function printCandidates({ operands, json }: Arguments, context: CliContext): Promise<number> {
  const { candidates, paths, areNames, goesOn } = await complete(operands, namesOf(context));
  if (json) {
    for (const { value, help } of candidates) context.out(`${JSON.stringify({ value, help })}\n`);
    for (const path of paths) context.out(`${JSON.stringify({ paths: path })}\n`);
    return EXIT.ok;
  }
  const flags = [...paths, ...(areNames ? ["names"] : []), ...(goesOn ? ["nospace"] : [])];
  const lines = candidates.map(({ value, help }) => (help === "" ? value : `${value}\t${help}`));
  context.out(`${[flags.join(" "), ...lines].join("\n")}\n`);
  return EXIT.ok;
}

const namesOf =
  (context: CliContext): ReadNames =>
  async (text, { url, key }) => {
    try {
      // It would wait for a key on standard input.
      if (key === "-") return [];
      const place = connect("complete", { url, key }, context);
      const client = createClient({ ...place, retries: 0 });
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const [album = "", image] = text.split("/");
      const query = (q: string) => ({ pageSize: MOST_NAMES, ...(q === "" ? {} : { q }) });
      if (image === undefined) {
        const { items } = await client.send("GET", "/v1/albums", { query: query(album), signal });
        return beginning(
          text,
          items.map(({ name, imageCount }) => ({ value: name, help: `${imageCount} images` })),
        );
      }
      const given = { path: { album }, query: query(image), signal };
      const { items } = await client.send("GET", "/v1/albums/{album}/images", given);
      return beginning(
        text,
        items.map(({ name, width, height }) => ({ value: `${album}/${name}`, help: `${width} × ${height}` })),
      );
    } catch {
      return [];
    }
  };

const beginning = (text: string, names: readonly Candidate[]): readonly Candidate[] =>
  names.filter(({ value }) => value.startsWith(text.normalize("NFC")));
