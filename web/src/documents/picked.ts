import type { Picked } from './uploads';

/** The files that were dropped, with those of dropped folders. */
export async function droppedFiles(data: DataTransfer): Promise<Picked[]> {
  const entries = Array.from(data.items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return chosenFiles(data.files);
  const found: Picked[] = [];
  for (const entry of entries) await collect(entry, found);
  return found.filter(({ path }) => !isHidden(path));
}

/** The files of an input, with the folders that they came in. */
export function chosenFiles(files: FileList): Picked[] {
  return Array.from(files, (file) => ({ file, path: file.webkitRelativePath || file.name })).filter(
    ({ path }) => !path.includes('/') || !isHidden(path),
  );
}

/** What systems put into folders for themselves is nobody's document. */
function isHidden(path: string): boolean {
  return path.split('/').some((part) => part.startsWith('.'));
}

async function collect(entry: FileSystemEntry, found: Picked[]): Promise<void> {
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, path: entry.fullPath.replace(/^\//, '') });
  } else if (isFolder(entry)) {
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) return;
      for (const child of some) await collect(child, found);
    }
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}
