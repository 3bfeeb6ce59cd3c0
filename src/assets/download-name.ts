import { parse } from 'node:path';
import { imageFormats } from '../compute/sniff.ts';
import { safeName } from '../storage/file-name.ts';

/** What else a type is called at the end of a name; the first one is what we write. */
const extensions: Record<string, readonly string[]> = {
  ...Object.fromEntries(Object.values(imageFormats).map(({ contentType, extension }) => [contentType, [extension]])),
  'image/jpeg': ['jpg', 'jpeg', 'jpe', 'jfif'],
  'image/tiff': ['tiff', 'tif'],
  'image/heic': ['heic', 'heif'],
  'image/bmp': ['bmp', 'dib'],
  'model/gltf-binary': ['glb'],
  'audio/mpeg': ['mp3'],
  'audio/wav': ['wav'],
  'audio/flac': ['flac'],
  'audio/ogg': ['ogg', 'oga', 'opus'],
  'audio/mp4': ['m4a', 'mp4'],
};

/** The name a file is saved under. What it is says its type, never the sender: a picture that came as `invoice.hta` is saved as `invoice.hta.jpg`, which nothing runs. */
export function downloadName({ filename, contentType }: { filename: string; contentType: string }): string {
  const known = extensions[contentType];
  const given = /\.(\w+)$/.exec(filename)?.[1]?.toLowerCase();
  return safeName(!known || (given && known.includes(given)) ? filename : `${filename || 'download'}.${known[0]}`);
}

/** How names of files of this type end; undefined for a type that we know none of. */
export const extensionOf = (contentType: string): string | undefined => extensions[contentType]?.[0];

/** A file's name without its extension, for something that is made from it. */
export const baseOf = (filename: string): string => parse(filename).name || 'image';
