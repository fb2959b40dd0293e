import { mentionsLocation } from "./patch.ts";
import { MalformedXml, readTags } from "./xml-tags.ts";

/**
 * `exif:GPSLatitude` and all of its kin under any prefix, those of drones and of the W3C too. Names of places, such as
 * `photoshop:City`, are what somebody wrote about the picture, not where a device was: they stay.
 */
const LOCATION = /^(?:(?!xmlns:)[^:]+:)?gps|^geo:(?:lat|long|alt|lat_long|location)$/i;
const isLocation = (name: string): boolean => LOCATION.test(name);
const MAY_HOLD = /gps|geo:/i;
const SPACE = 0x20;

/** An `Eraser` for a packet of XMP: attributes and elements become white space. */
export function eraseFromXmp(packet: Buffer): boolean {
  // One character for each byte, so that positions agree; names are ASCII in every encoding that has no zeros.
  const text = packet.toString("latin1");
  if (!MAY_HOLD.test(text)) return !MAY_HOLD.test(text.replaceAll("\0", ""));
  try {
    eraseTags(packet, text);
  } catch (error) {
    if (error instanceof MalformedXml) return false;
    throw error;
  }
  return !mentionsLocation(packet);
}

function eraseTags(packet: Buffer, text: string): void {
  /** The element that is being erased, and how many of its name are open. */
  let erased: { readonly name: string; readonly start: number; depth: number } | undefined;
  for (const { start, end, name, kind, attributes } of readTags(text, requireElsewhere)) {
    if (erased !== undefined) {
      if (name !== erased.name || kind === "empty") continue;
      erased.depth += kind === "open" ? 1 : -1;
      if (erased.depth > 0) continue;
      packet.fill(SPACE, erased.start, end);
      erased = undefined;
    } else if (!isLocation(name)) {
      for (const attribute of attributes) {
        if (isLocation(attribute.name)) packet.fill(SPACE, attribute.start, attribute.end);
      }
    } else if (kind === "empty") packet.fill(SPACE, start, end);
    else if (kind === "open") erased = { name, start, depth: 1 };
    else throw new MalformedXml();
  }
  if (erased !== undefined) throw new MalformedXml();
}

/** What a comment, or character data, says cannot be told from what it quotes. */
function requireElsewhere(other: string): void {
  if (MAY_HOLD.test(other)) throw new MalformedXml();
}
