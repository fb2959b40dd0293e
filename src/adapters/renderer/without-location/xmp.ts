import { findEmbeddedPictures } from "./embedded-pictures.ts";
import { mentionsLocation } from "./patch.ts";
import { MalformedXml, readTags } from "./xml-tags.ts";

/**
 * `exif:GPSLatitude` and all of its kin under any prefix, those of drones, of naturalists and of the W3C too. Names of
 * places, such as `photoshop:City`, are what somebody wrote about the picture, not where a device was: they stay.
 */
const LOCATION =
  /^(?:(?!xmlns:)[^:]+:)?(?:gps|\w*(?:latitude|longt?itude)|(?:lat|long|lat_long)$)|^geo:(?:alt|location)$/i;
const isLocation = (name: string): boolean => LOCATION.test(name);
const MAY_HOLD = /gps|geo:|wgs84_pos|latitude|longt?itude/i;
const SPACE = 0x20;

/**
 * Takes the location out of a packet of XMP, in place: attributes and elements become white space, and so do pictures
 * that may have one of their own. Answers false where that cannot be done safely; then the packet may not be kept.
 */
export function eraseFromXmp(packet: Buffer): boolean {
  // One character for each byte, so that positions agree; names are ASCII in every encoding that has no zeros.
  const text = packet.toString("latin1");
  const pictures = findEmbeddedPictures(text);
  for (const { start, end } of pictures) packet.fill(SPACE, start, end);
  if (!MAY_HOLD.test(text)) return pictures.length > 0 || !mayHold(text.replaceAll("\0", ""));
  try {
    eraseTags(packet, text);
  } catch (error) {
    if (error instanceof MalformedXml) return false;
    throw error;
  }
  return !mentionsLocation(packet);
}

const mayHold = (text: string): boolean => MAY_HOLD.test(text) || findEmbeddedPictures(text).length > 0;

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
