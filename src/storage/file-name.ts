/** Room for " (2)" and what browsers add while they save; file systems end at 255 bytes. */
const maxBytes = 200;
const maxCharacters = 150;

/** Names of devices, to Windows, whatever their extension. */
const device = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[\d¹²³])$/i;

/**
 * A name that is one file in one folder on every system and reads as it is: no separators, none of what Windows keeps for itself, no
 * controls, line separators, lone surrogates or direction overrides. Where it is too long its extension stays.
 */
export function safeName(filename: string): string {
  const clean = filename
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu, '')
    .replace(/[/\\<>:"|?*]/g, '_')
    .replace(/^[.\s]+|[.\s]+$/g, '');
  const [, base = clean, extension = ''] = /^(.+?)((?:\.\w{1,10}){0,2})$/u.exec(clean) ?? [];
  const name = device.test(clean.split('.')[0]!.trim()) ? `_${base}` : base;
  return `${cut(name, maxCharacters - extension.length, maxBytes - extension.length)}${extension}` || 'download';
}

function cut(text: string, characters: number, bytes: number): string {
  const kept: string[] = [];
  for (const character of [...text].slice(0, characters)) {
    bytes -= Buffer.byteLength(character);
    if (bytes < 0) break;
    kept.push(character);
  }
  return kept.join('').trimEnd();
}

/** Each name once, for one folder: what would be the same file to some system gets a number. */
export function uniqueNames(filenames: readonly string[]): string[] {
  const taken = new Set<string>();
  const isFree = (name: string) => taken.size < taken.add(name.toLowerCase()).size;
  return filenames.map(safeName).map((name) => {
    const [, base = name, extension = ''] = /^(.+?)(\.\w{1,10})?$/u.exec(name) ?? [];
    for (let number = 1; ; number++) {
      const candidate = number === 1 ? name : `${base} (${number})${extension}`;
      if (isFree(candidate)) return candidate;
    }
  });
}
