/** A dropped folder or file, or a file that was chosen or pasted. */
export type Dropped = FileSystemEntry | File;

export interface Found {
  /** The only folder that was dropped, whose name an album can have. */
  readonly folder: string | undefined;
  readonly files: readonly File[];
}

/** Files that systems put into folders, which people do not mean to upload. */
const isLitter = (name: string): boolean => name.startsWith(".") || name === "Thumbs.db" || name === "desktop.ini";

/** All files, also those in folders within folders. */
export async function findFiles(dropped: readonly Dropped[]): Promise<Found> {
  const files: File[] = [];
  const visit = async (entry: FileSystemEntry): Promise<void> => {
    if (isLitter(entry.name)) return;
    if (entry.isFile) files.push(await readFile(entry as FileSystemFileEntry));
    else for (const child of await readFolder(entry as FileSystemDirectoryEntry)) await visit(child);
  };
  for (const one of dropped) {
    if (one instanceof File) files.push(one);
    else await visit(one);
  }
  const [first] = dropped;
  const isFolder = dropped.length === 1 && first !== undefined && !(first instanceof File) && first.isDirectory;
  return { folder: isFolder ? first.name : pickedFolder(files), files: files.filter(({ name }) => !isLitter(name)) };
}

/** Of files that were picked as a folder, which have their path with them. */
const pickedFolder = ([first]: readonly File[]): string | undefined =>
  first?.webkitRelativePath.split("/")[0] || undefined;

const readFile = (entry: FileSystemFileEntry): Promise<File> =>
  new Promise((resolve, reject) => entry.file(resolve, reject));

/** Browsers give at most 100 entries at a time. */
async function readFolder(entry: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = entry.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}
