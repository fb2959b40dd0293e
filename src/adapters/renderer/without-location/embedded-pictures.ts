/** What in a picture may say where it was taken; of TIFF all of it may. */
const METADATA = /Exif\0\0|eXIf|EXIF|ns\.adobe\.com|adobe\.xmp|Raw profile type|^(?:II\*\0|MM\0\*)/;

export const holdsMetadata = (picture: Buffer): boolean => METADATA.test(picture.toString("latin1"));

/** The first bytes of JPEG, PNG, WebP and TIFF in base64, and what follows; Photoshop puts escaped line breaks into it. */
const EMBEDDED = /(?<![A-Za-z\d+/])(?:\/9j\/|iVBORw0KGgo|UklGR|SUkqA|TU0AK)(?:[A-Za-z\d+/=\s]|&#x?[\dA-Fa-f]+;)*/g;

/** Where in a text pictures stand that have metadata of their own: thumbnails, and the further pictures of telephones. */
export function findEmbeddedPictures(text: string): readonly { readonly start: number; readonly end: number }[] {
  return Array.from(text.matchAll(EMBEDDED), ({ 0: value, index }) => {
    const picture = Buffer.from(value.replaceAll(/\s|&#x?[\dA-Fa-f]+;/g, ""), "base64");
    return holdsMetadata(picture) ? [{ start: index, end: index + value.length }] : [];
  }).flat();
}
