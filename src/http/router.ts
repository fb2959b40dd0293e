/** A segment of the templates, with what may follow it. */
interface Place<Resource> {
  readonly named: Map<string, Place<Resource>>;
  /** Where the templates have a parameter. */
  any: Place<Resource> | undefined;
  resource: Resource | undefined;
}

const createPlace = <Resource>(): Place<Resource> => ({ named: new Map(), any: undefined, resource: undefined });

/**
 * Finds the resource of a path by templates such as `/v1/albums/{album}`, from the segments as they were sent: decoded, %2F
 * would become a separator. A literal segment takes precedence over a parameter. An empty segment is a parameter with a bad value,
 * and not another path.
 */
export function createRouter<Resource>(
  resources: Iterable<readonly [template: string, resource: Resource]>,
): (segments: readonly string[]) => Resource | undefined {
  const root = createPlace<Resource>();
  for (const [template, resource] of resources) {
    let place = root;
    for (const segment of template.split("/")) place = next(place, segment);
    place.resource = resource;
  }
  return (segments) => find(root, segments, 0);
}

function next<Resource>(place: Place<Resource>, segment: string): Place<Resource> {
  if (segment.startsWith("{")) return (place.any ??= createPlace());
  const known = place.named.get(segment);
  if (known !== undefined) return known;
  const made = createPlace<Resource>();
  place.named.set(segment, made);
  return made;
}

function find<Resource>(place: Place<Resource>, segments: readonly string[], at: number): Resource | undefined {
  const segment = segments[at];
  if (segment === undefined) return place.resource;
  const named = place.named.get(segment);
  const found = named === undefined ? undefined : find(named, segments, at + 1);
  return found ?? (place.any === undefined ? undefined : find(place.any, segments, at + 1));
}
