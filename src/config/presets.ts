import { StoreError } from "../domain/errors.ts";
import type { ResizedSpec } from "../domain/variant.ts";
import type { Presets } from "../domain/variant-presets.ts";
import { formatSpec, parseResized, RESIZING_PARAMETERS } from "../domain/variant-query.ts";

const NAME = /^[A-Za-z0-9_-]{1,32}$/;

export const DEFAULT_PRESETS = '{"thumb":{"w":240,"h":240},"small":{"w":480},"medium":{"w":960},"large":{"w":1920}}';

/** `{"thumb":{"w":240,"h":240,"format":"auto"}}`: each preset has the parameters of a variant's query. */
export function parsePresets(text: string): Presets {
  const presets = Object.entries(parseObject(text, "must be")).map(([name, value]): [string, ResizedSpec] => {
    if (!NAME.test(name)) throw new Error("has a name that is not 1–32 of A–Z, a–z, 0–9, _ and -");
    return [name, parsePreset(name, value)];
  });
  return new Map(presets);
}

function parsePreset(name: string, value: unknown): ResizedSpec {
  const parameters = Object.entries(requireObject(value, `has ${name}, which must be`));
  const unknown = parameters.find(([parameter]) => !(RESIZING_PARAMETERS as readonly string[]).includes(parameter));
  if (unknown !== undefined)
    throw new Error(`has ${name} with "${unknown[0]}", which is none of ${RESIZING_PARAMETERS.join(", ")}`);
  try {
    const spec = parseResized(Object.fromEntries(parameters.map(([parameter, given]) => [parameter, String(given)])));
    if (formatSpec(spec) !== "") return spec;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new Error(`has ${name}, in which ${error.errors[0]?.parameter} ${error.errors[0]?.detail}`, { cause: error });
  }
  throw new Error(`has ${name}, which asks for nothing`);
}

function parseObject(text: string, subject: string): object {
  try {
    return requireObject(JSON.parse(text), subject);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new Error(`${subject} JSON: ${cause.message}`, { cause });
  }
}

function requireObject(value: unknown, subject: string): object {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(`${subject} a JSON object such as ${DEFAULT_PRESETS}`);
  return value;
}
