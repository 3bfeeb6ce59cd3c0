import { safeName } from './file-name.ts';

/** Types that a browser shows and never runs. */
const pictures = new Set(['image/jpeg', 'image/png', 'image/webp', 'image/avif', 'image/gif']);

/** Originals are a stranger's bytes: they are handed out as attachments only. What a page shows is a rendition that we encoded. */
export function isOriginal(key: string): boolean {
  return key.startsWith('originals/');
}

export function isPicture(contentType: string): boolean {
  return pictures.has(contentType);
}

/** `Content-Disposition: attachment` with the file name as RFC 6266 and RFC 8187 want it: plain ASCII for old clients, UTF-8 for all others. */
export function attachment(filename: string): string {
  const name = safeName(filename);
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const utf8 = encodeURIComponent(name).replace(/['()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${ascii}"; filename*=UTF-8''${utf8}`;
}
