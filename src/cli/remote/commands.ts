import { CONNECTION, type Command, type Option, REMOTE_EXITS } from "../command.ts";
import { ADMIN_COMMANDS, type AdminCommandName } from "./admin-commands.ts";
import { LINK_COMMANDS, type LinkCommandName } from "./link-commands.ts";
import { WEBHOOK_COMMANDS, type WebhookCommandName } from "./webhook-commands.ts";

const REMOTE_NAMES = [
  "ls",
  "stat",
  "put",
  "get",
  "rm",
  "mv",
  "cp",
  "tag",
  "tail",
  "login",
  "sync",
  "export",
  "import",
  "mirror",
] as const;
export type RemoteCommandName = (typeof REMOTE_NAMES)[number] | LinkCommandName | AdminCommandName | WebhookCommandName;

/** Whether the command talks to a store by its API, and never to its catalog. */
export const isRemote = (name: string): name is RemoteCommandName => Object.hasOwn(REMOTE_COMMANDS, name);

const ANY_NUMBER = Number.POSITIVE_INFINITY;

const IF_EXISTS: Option = {
  value: "ACTION",
  help: "If the album has an image of that name: replace it (default), fail, keep it, or keep-both.",
};

const TAKEN: Option = {
  value: "ACTION",
  help: "If the album has an image of that name: fail (default), replace it, or keep-both.",
};

/** They talk to a store anywhere. None reads a setting of the server. */
export const REMOTE_COMMANDS: Readonly<Record<RemoteCommandName, Command>> = {
  ls: {
    operand: "[ALBUM]",
    summary: "List the albums, or the images of an album.",
    json: "an album or image, as the API has it",
    exits: REMOTE_EXITS,
    options: { tag: { value: "TAG", help: "Only images with the tag." }, ...CONNECTION },
    flags: [],
    examples: [
      ["image-store ls", "List the albums."],
      ["image-store ls Summer --tag lake", "List the images of an album that have a tag."],
    ],
  },
  stat: {
    operand: "ALBUM[/IMAGE]",
    operands: 1,
    summary: "Print the record of an album or an image.",
    json: "the record, as the API has it",
    exits: REMOTE_EXITS,
    options: CONNECTION,
    flags: [],
    examples: [
      ["image-store stat Summer/lake.jpg", "Print one field per line."],
      ["image-store stat Summer --json | jq .imageCount", "Print one field of an album."],
    ],
  },
  put: {
    operand: "FILE… ALBUM",
    operands: ANY_NUMBER,
    summary: "Upload files to an album, 16 at a time. A new album is created.",
    details:
      "An image has the name of its file. If a file fails, the others are uploaded, and the exit code is 1. When the command ends, " +
      "the store has the images on its disk.",
    json: "a file with its image, then the totals",
    exits: REMOTE_EXITS,
    options: { "if-exists": IF_EXISTS, ...CONNECTION },
    flags: [],
    examples: [
      ["image-store put lake.jpg dawn.jpg Summer", "Upload two files."],
      ["image-store put lake.jpg Summer --if-exists keep-both", "Upload as lake (2).jpg if the name is taken."],
    ],
  },
  get: {
    operand: "ALBUM[/IMAGE] [DIR]",
    operands: 2,
    summary: "Download an image, or all images of an album, into a folder.",
    details:
      "The default folder is the current one. The command keeps a file with the same bytes, and replaces another file of that name. A file gets " +
      "its name when all of its bytes have arrived. With --zip, an interrupted download leaves a hidden file beside FILE. Run the command again " +
      "to resume the download; if the album has changed, it starts again.",
    json: "a file with its image, then the totals",
    exits: REMOTE_EXITS,
    options: {
      zip: { value: "FILE", help: "Download the album into this ZIP archive instead." },
      ...CONNECTION,
    },
    flags: [],
    examples: [
      ["image-store get Summer --zip Summer.zip", "Download an album as one file."],
      ["image-store get Summer/lake.jpg", "Download one image into the current folder."],
      ["image-store get Summer ./summer", "Download an album. Run it again if it was interrupted."],
    ],
  },
  sync: {
    operand: "DIR ALBUM | ALBUM DIR",
    operands: 2,
    summary:
      "Make an album the same as a folder, or a folder the same as an album. Transfers only what differs, 16 files at a time.",
    details:
      "DIR is the operand that contains a slash or is . or .., or else the one that exists as a folder. A file is unchanged if the other side has its " +
      "bytes under its name. The command keeps the digests of files in image-store/digests.db of your cache folder ($XDG_CACHE_HOME or ~/.cache), " +
      "so a later run reads only files whose size or times have changed. It skips folders in DIR and files that are not images. If a " +
      "file fails, the command continues with the others, and exits with 1. Run it again to complete the rest.",
    json: "a file with its image, then the totals",
    exits: REMOTE_EXITS,
    options: {
      delete: { help: "Delete images that the source does not have." },
      "dry-run": { help: "Print what would be done, and do nothing." },
      checksum: { help: "Read every file, also those whose size and times have not changed." },
      ...CONNECTION,
    },
    flags: [],
    examples: [
      ["image-store sync ./photos Summer", "Upload what is new or changed."],
      ["image-store sync Summer ./copy --delete --dry-run", "Print what would be downloaded and deleted."],
    ],
  },
  export: {
    operand: "ALBUM DIR | DIR",
    operands: 2,
    summary: "Copy an album, or all albums with --all, into a folder, with their titles, tags and other fields.",
    details:
      "Each album gets a folder. The fields of an image are in a JSON file beside it (lake.jpg.json), and those of an album in " +
      ".album.json. The time of a file is that of its upload. Run the command again to resume it, or to update the folder.",
    json: "a file with its image, then the totals",
    exits: REMOTE_EXITS,
    options: { all: { help: "Export every album." }, ...CONNECTION },
    flags: [],
    examples: [
      ["image-store export Summer ./backup", "Copy one album to ./backup/Summer."],
      ["image-store export --all ./backup", "Copy all albums."],
    ],
  },
  import: {
    operand: "DIR | s3://BUCKET/PREFIX",
    operands: 1,
    summary:
      "Upload a folder and the folders in it, or the objects of a bucket. Each folder with images becomes an album.",
    details:
      "The folder a/b becomes the album a - b, unless its .album.json has a name. The metadata of the album keeps the path, so that export writes " +
      "the same folders. JSON files beside images (lake.jpg.json) have title, description, tags, metadata and focalPoint. " +
      "Run the command again to resume it, or to send what has changed. In a bucket, the part of a key before its last slash is the folder. The S3 URL is " +
      "s3://BUCKET/PREFIX?endpoint=URL&region=REGION&forcePathStyle=true, as in IMAGE_STORE_BLOBS_URL; endpoint, region and forcePathStyle are " +
      "optional. Credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from another source of the AWS SDK.",
    json: "a file with its image, then the totals",
    exits: REMOTE_EXITS,
    options: { "dry-run": { help: "Print what would be done, and do nothing." }, ...CONNECTION },
    flags: [],
    examples: [
      ["image-store import ./photos", "Upload the folder."],
      ["image-store import ./backup --url http://127.0.0.1:8081", "Upload an export to another store."],
      ["image-store import 's3://old-photos/2025?region=eu-central-1'", "Upload the objects under 2025/ of a bucket."],
    ],
  },
  mirror: {
    summary: "Copy a store to another store or into a data folder, and follow its changes.",
    details:
      "The target gets the same albums, names, fields and bytes. A data folder also gets the ids, revisions and times, so that image-store serve " +
      "--data DIR serves it later under the same permanent URLs; nothing else may use the folder meanwhile. The command reads the listings once, then " +
      "follows the log. Run it again after an interruption: it goes on where it was. When the log no longer has the next events, it compares all " +
      "records. It waits for either side while that restarts. The key needs read, originals and events on all albums; the target's key needs " +
      "read, write, delete and, for public albums, share.",
    json: "the lag, a failure or a difference, then the totals",
    exits: { 1: "The command failed or was interrupted, an image could not be copied, or --verify found differences." },
    options: {
      from: { value: "URL", help: "URL of the source. Overrides IMAGE_STORE_URL and the profile." },
      to: { value: "DIR|URL", help: "The target: a data folder, or the URL of a running store." },
      "to-key": { value: "KEY", help: "API key of a target store. Overrides IMAGE_STORE_TO_KEY." },
      once: { help: "Exit when the target has all changes." },
      verify: { help: "Compare all records and bytes, repair the target, report what differed, and exit." },
      overwrite: { help: "Accept a target that has other albums. What the source does not have is deleted there." },
      state: {
        value: "FILE",
        help: "File that keeps what is copied. Default: in DIR, or in ~/.local/state/image-store/mirrors.",
      },
      key: CONNECTION.key,
      json: CONNECTION.json,
    },
    flags: [],
    examples: [
      [
        "image-store mirror --from https://images.example.org --to ./mirror",
        "Copy a store into a data folder, and follow it.",
      ],
      [
        "image-store mirror --from https://images.example.org --to http://127.0.0.1:8081 --once",
        "Bring another store up to date.",
      ],
      [
        "image-store mirror --from https://images.example.org --to ./mirror --verify",
        "Compare a mirror with its source.",
      ],
    ],
  },
  rm: {
    operand: "ALBUM[/IMAGE]…",
    operands: ANY_NUMBER,
    summary: "Delete images, or albums.",
    json: "a path, with action",
    exits: REMOTE_EXITS,
    options: { recursive: { help: "Also delete the images of an album." }, ...CONNECTION },
    flags: [],
    examples: [
      ["image-store rm Summer/lake.jpg Summer/dawn.jpg", "Delete two images."],
      ["image-store rm Summer --recursive", "Delete an album and its images."],
    ],
  },
  mv: {
    operand: "ALBUM/IMAGE ALBUM[/IMAGE] | ALBUM NAME",
    operands: 2,
    summary: "Move an image to another album or name, or rename an album.",
    details:
      "An image keeps its id, fields and permanent URL. To move it to another album, the key needs read and delete on its album, and write on the other.",
    json: "action, from, to and the record",
    exits: REMOTE_EXITS,
    options: { "if-exists": TAKEN, ...CONNECTION },
    flags: [],
    examples: [
      ["image-store mv Summer/lake.jpg Best", "Move an image to another album."],
      ["image-store mv Summer/lake.jpg Summer/dawn.jpg", "Rename an image."],
      ["image-store mv Summer Holidays", "Rename an album."],
    ],
  },
  cp: {
    operand: "ALBUM/IMAGE ALBUM[/IMAGE]",
    operands: 2,
    summary: "Copy an image to another album or name. No bytes are sent.",
    json: "action, from, to and the record",
    exits: REMOTE_EXITS,
    options: { "if-exists": TAKEN, ...CONNECTION },
    flags: [],
    examples: [
      ["image-store cp Summer/lake.jpg Best", "Copy an image to another album."],
      ["image-store cp Summer/lake.jpg Summer --if-exists keep-both", "Copy as lake (2).jpg."],
    ],
  },
  tag: {
    operand: "ALBUM[/IMAGE] [TAG…]",
    operands: ANY_NUMBER,
    summary: "Print, add or remove the tags of an image, or of all images of an album.",
    details:
      "Of an album, each image that changes is printed. If an image is refused, the others are changed, and the exit code is 1.",
    json: "an image, as the API has it",
    exits: REMOTE_EXITS,
    options: { remove: { help: "Remove the tags instead of adding them." }, ...CONNECTION },
    flags: [],
    examples: [
      ["image-store tag Summer/lake.jpg lake dawn", "Add two tags."],
      ["image-store tag Summer/lake.jpg dawn --remove", "Remove one."],
      ["image-store tag Summer holidays", "Add a tag to every image of an album."],
    ],
  },
  ...LINK_COMMANDS,
  ...ADMIN_COMMANDS,
  ...WEBHOOK_COMMANDS,
  tail: {
    summary: "Print events as JSON lines, as they happen.",
    details:
      "If the connection is lost, the command reconnects after the last event. It exits with 0 after Ctrl-C, and when the reader of its output ends. " +
      "Each line is a CloudEvent with its cursor.",
    json: "an event, with its cursor",
    exits: REMOTE_EXITS,
    options: {
      from: {
        value: "CURSOR",
        help: "Begin after this cursor, at the oldest event (oldest), or at the next one (latest, the default).",
      },
      type: { value: "TYPE", repeats: true, help: "Only events of this type. Repeat the option for more types." },
      ...CONNECTION,
    },
    flags: [],
    examples: [
      ["image-store tail --type imagestore.image.created", "Print each new image."],
      ["image-store tail --from oldest | jq -r .cursor", "Print all events that the store has, then new ones."],
    ],
  },
  login: {
    operand: "URL",
    operands: 1,
    summary: "Keep URL and key of a store for later commands.",
    details:
      "It verifies the key and writes image-store/profile.json in the folder of your configuration ($XDG_CONFIG_HOME or ~/.config), " +
      "which only you can read. The key is sent to that URL only.",
    json: "the URL, the profile, the caller and its grants",
    exits: REMOTE_EXITS,
    options: CONNECTION,
    flags: [],
    examples: [
      ["image-store login http://127.0.0.1:8080", "Use a store without keys."],
      ["image-store login https://images.example.org --key -", "Read the key from standard input."],
    ],
  },
};
