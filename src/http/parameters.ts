import { parseNameSegment } from "../domain/names.ts";
import { PLAIN_PARAMETERS } from "./route.ts";

/**
 * How a path that matched this template gives its parameters: from the segments as they were sent, since decoding first
 * would turn %2F into a separator.
 * @throws StoreError `invalid_name` from the function that it returns
 */
export function readParameters(template: string): (segments: readonly string[]) => Readonly<Record<string, string>> {
  const places = template.split("/").flatMap((segment, index) => {
    const name = /^\{(\w+)\}$/.exec(segment)?.[1];
    return name === undefined ? [] : [{ name, index, read: PLAIN_PARAMETERS.has(name) ? asSent : parseNameSegment }];
  });
  if (places.length === 0) return () => NONE;
  return (segments) => {
    const parameters: Record<string, string> = {};
    for (const { name, index, read } of places) parameters[name] = read(segments[index] ?? "");
    return parameters;
  };
}

const NONE = {};
const asSent = (segment: string): string => segment;
