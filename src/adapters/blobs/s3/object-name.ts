/**
 * The name of a blob's object after the prefix: its key, with the suffix `.parts` if it is sent in parts. So a location
 * says that an upload in parts may have to be aborted, and a listing gives the locations.
 */
export interface ObjectName {
  readonly name: string;
  readonly key: string;
  readonly isInParts: boolean;
}

const NAME = /^([0-9a-f]{64}\.[0-9a-f]{16})(\.parts)?$/;
const SCHEME = "s3:";

export const newObjectName = (key: string, isInParts: boolean): ObjectName => ({
  name: isInParts ? `${key}.parts` : key,
  key,
  isInParts,
});

export const locationOf = ({ name }: ObjectName): string => SCHEME + name;

/** Undefined where the name is not one of a blob. */
export function parseObjectName(name: string): ObjectName | undefined {
  const [, key, parts] = NAME.exec(name) ?? [];
  return key === undefined ? undefined : { name, key, isInParts: parts !== undefined };
}

export const parseLocation = (location: string): ObjectName | undefined =>
  location.startsWith(SCHEME) ? parseObjectName(location.slice(SCHEME.length)) : undefined;
