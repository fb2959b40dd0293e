import { mentionsLocation } from "./patch.ts";
import { MalformedXml, readTags } from "./xml-tags.ts";

/**
 * `exif:GPSLatitude` and all of its kin under any prefix, those of drones, of naturalists and of the W3C too. Names of
 * places, such as `photoshop:City`, stay: a person wrote them about the image, and they are not the position of a device.
 */
const LOCATION =
  /^(?:(?!xmlns:)[^:]+:)?(?:gps|\w*(?:latitude|longt?itude)|(?:lat|long|lat_long)$)|^geo:(?:alt|location)$|^georss:|^gml:(?:pos|poslist|coordinates)$/i;
const MAY_HOLD = /gps|geo:|georss|gml:|wgs84_pos|latitude|longt?itude/i;
/** Prefixes that stand for GeoRSS, whatever they are called. */
const GEORSS = /xmlns:([\w.-]+)\s*=\s*["'][^"']*georss[^"']*["']/gi;
const SPACE = 0x20;

/**
 * Removes the location from a packet of XMP, in place: attributes and elements become white space, and so do embedded
 * images that may have a location. Returns false where that cannot be done safely; the packet must then be removed.
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

/** Whether a text has anything that looks like a location. */
export const mayHoldLocation = (text: string): boolean => MAY_HOLD.test(text);

const mayHold = (text: string): boolean => mayHoldLocation(text) || findEmbeddedPictures(text).length > 0;

function eraseTags(packet: Buffer, text: string): void {
  const prefixes = Array.from(text.matchAll(GEORSS), ([, prefix]) => `${prefix}:`);
  const isLocation = (name: string): boolean =>
    LOCATION.test(name) || prefixes.some((prefix) => name.startsWith(prefix));
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

/** A location in a comment or in character data cannot be told from quoted text. */
function requireElsewhere(other: string): void {
  if (MAY_HOLD.test(other)) throw new MalformedXml();
}

/** What in a picture may say where it was taken; of TIFF all of it may. */
const METADATA = /Exif\0\0|eXIf|EXIF|ns\.adobe\.com|adobe\.xmp|Raw profile type|^(?:II\*\0|MM\0\*)/;

export const holdsMetadata = (picture: Buffer): boolean => METADATA.test(picture.toString("latin1"));

/** The first bytes of JPEG, PNG, WebP and TIFF in base64, and what follows; Photoshop puts escaped line breaks into it. */
const EMBEDDED = /(?<![A-Za-z\d+/])(?:\/9j\/|iVBORw0KGgo|UklGR|SUkqA|TU0AK)(?:[A-Za-z\d+/=\s]|&#x?[\dA-Fa-f]+;)*/g;

/** Where in a text pictures stand that have metadata of their own: thumbnails, and the further pictures of telephones. */
function findEmbeddedPictures(text: string): readonly { readonly start: number; readonly end: number }[] {
  return Array.from(text.matchAll(EMBEDDED), ({ 0: value, index }) => {
    const picture = Buffer.from(value.replaceAll(/\s|&#x?[\dA-Fa-f]+;/g, ""), "base64");
    return holdsMetadata(picture) ? [{ start: index, end: index + value.length }] : [];
  }).flat();
}
