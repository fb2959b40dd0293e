/** A tag of XML, as far as it matters what it is called. Positions are those in the text. */
export interface Tag {
  readonly start: number;
  readonly end: number;
  readonly name: string;
  readonly kind: "open" | "close" | "empty";
  readonly attributes: readonly Attribute[];
}

export interface Attribute {
  readonly name: string;
  /** From the white space before it. */
  readonly start: number;
  readonly end: number;
}

/** What is not well-formed as far as tags go. */
export class MalformedXml extends Error {}

const PASSED: readonly (readonly [string, string])[] = [
  ["<!--", "-->"],
  ["<![CDATA[", "]]>"],
  ["<?", "?>"],
];

/**
 * The tags of a text, in one pass. `onOther` is given comments, character data and processing instructions, in which
 * there may be anything.
 * @throws MalformedXml also for a document type, which can give names of its own to anything
 */
export function* readTags(text: string, onOther: (text: string) => void): Generator<Tag> {
  for (let start = text.indexOf("<"); start >= 0; ) {
    const [, closing] = PASSED.find(([opening]) => text.startsWith(opening, start)) ?? [];
    let end: number;
    if (closing === undefined) {
      const tag = readTag(text, start);
      ({ end } = tag);
      yield tag;
    } else {
      const at = text.indexOf(closing, start + 2);
      if (at < 0) throw new MalformedXml();
      end = at + closing.length;
      onOther(text.slice(start, end));
    }
    start = text.indexOf("<", end);
  }
}

const NAME = /[^\s/>="'<!]+/y;
const SPACE = /\s*/y;
/** White space, and a name with a value. */
const ATTRIBUTE = /(?<name>[^\s/>="'<]+)\s*=\s*(?:"[^"<]*"|'[^'<]*')/y;

function readTag(text: string, start: number): Tag {
  const isClosing = text[start + 1] === "/";
  let at = start + (isClosing ? 2 : 1);
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  const name = take(NAME)?.[0];
  if (name === undefined) throw new MalformedXml();
  const attributes: Attribute[] = [];
  for (;;) {
    const from = at;
    take(SPACE);
    if (text[at] === ">") return { start, end: at + 1, name, kind: isClosing ? "close" : "open", attributes };
    if (text.startsWith("/>", at)) return { start, end: at + 2, name, kind: "empty", attributes };
    const attribute = from === at ? null : take(ATTRIBUTE);
    if (attribute === null) throw new MalformedXml();
    attributes.push({ name: attribute.groups?.["name"] ?? "", start: from, end: at });
  }
}
