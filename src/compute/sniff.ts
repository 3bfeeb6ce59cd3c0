/** The image formats that Darkroom accepts, and what their bytes are called elsewhere. */
export const imageFormats = {
  JPEG: { contentType: 'image/jpeg', extension: 'jpg' },
  PNG: { contentType: 'image/png', extension: 'png' },
  WEBP: { contentType: 'image/webp', extension: 'webp' },
  AVIF: { contentType: 'image/avif', extension: 'avif' },
  HEIC: { contentType: 'image/heic', extension: 'heic' },
  GIF: { contentType: 'image/gif', extension: 'gif' },
  TIFF: { contentType: 'image/tiff', extension: 'tiff' },
  BMP: { contentType: 'image/bmp', extension: 'bmp' },
} as const;
export type ImageFormat = keyof typeof imageFormats;

/** An accepted format, or the name of another one for the sentence that refuses it. */
export type Sniffed = { accepted: true; format: ImageFormat } | { accepted: false; format: string };

const accept = (format: ImageFormat): Sniffed => ({ accepted: true, format });
const refuse = (format: string): Sniffed => ({ accepted: false, format });

/** Signatures in latin1, at the start of the file. */
const signatures: [signature: string, sniffed: Sniffed][] = [
  ['\xff\xd8\xff', accept('JPEG')],
  ['\x89PNG\r\n\x1a\n', accept('PNG')],
  ['GIF87a', accept('GIF')],
  ['GIF89a', accept('GIF')],
  ['II*\0', accept('TIFF')],
  ['MM\0*', accept('TIFF')],
  ['II+\0', accept('TIFF')],
  ['MM\0+', accept('TIFF')],
  ['\0\0\0\x0cjP  \r\n', refuse('JPEG 2000')],
  ['\xff\x4f\xff\x51', refuse('JPEG 2000')],
  ['\0\0\0\x0cJXL \r\n', refuse('JPEG XL')],
  ['\xff\x0a', refuse('JPEG XL')],
  ['II\xbc\x01', refuse('JPEG XR')],
  ['%PDF-', refuse('PDF')],
  ['%!PS', refuse('PostScript')],
  ['8BPS', refuse('Photoshop')],
  ['PK\x03\x04', refuse('ZIP')],
  ['\x1f\x8b', refuse('GZIP')],
  ['Rar!', refuse('RAR')],
  ["7z\xbc\xaf'\x1c", refuse('7-Zip')],
  ['\0\0\x01\0', refuse('ICO')],
  ['\0\0\x02\0', refuse('CUR')],
  ['v/1\x01', refuse('OpenEXR')],
  ['#?RADIANCE', refuse('Radiance HDR')],
  ['qoif', refuse('QOI')],
  ['DDS ', refuse('DDS')],
  ['glTF', refuse('glTF')],
  ['\x1aE\xdf\xa3', refuse('WebM')],
  ['OggS', refuse('Ogg')],
  ['ID3', refuse('MP3')],
];

const bmpHeaderSizes = new Set([12, 16, 40, 52, 56, 64, 108, 124]);

const headBytes = 16_384;

/** The format of a file by its first 16 KB, never by its name; `null` for bytes of no known kind. */
export function sniffFormat(head: Uint8Array): Sniffed | null {
  const bytes = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, headBytes));
  const text = bytes.toString('latin1');

  const known = signatures.find(([signature]) => text.startsWith(signature));
  if (known) return known[1];
  if (text.startsWith('RIFF')) {
    const kind = text.slice(8, 12);
    return kind === 'WEBP' ? accept('WEBP') : refuse(`RIFF ${kind.trim()}`.trim());
  }
  if (text.slice(4, 8) === 'ftyp') return isoFormat(bytes);
  // "BM" alone begins many a text; the size of the second header settles it.
  if (text.startsWith('BM') && bytes.length >= 18 && bmpHeaderSizes.has(bytes.readUInt32LE(14))) return accept('BMP');
  return markupFormat(bytes.toString('utf8'));
}

/**
 * ISO base media files (HEIF, AVIF, MP4) say what they are in a list of four-letter brands. HEIC and AVIF may carry each other's,
 * and sharp believes the first (`compression: 'hevc'` for an AVIF of brand mif1): the codec of the items decides.
 */
function isoFormat(bytes: Buffer): Sniffed {
  const end = Math.min(bytes.readUInt32BE(0), bytes.length, 256);
  const major = bytes.toString('latin1', 8, 12);
  const brands = [major];
  for (let at = 16; at + 4 <= end; at += 4) brands.push(bytes.toString('latin1', at, at + 4));

  if (brands.some((brand) => /^(avi[fs]|he[iv][cxms]|mif1|msf1)$/.test(brand))) {
    const [av1, hevc] = [bytes.includes('av01'), bytes.includes('hvc1')];
    const isAvif = av1 === hevc ? brands.some((brand) => brand.startsWith('avi')) : av1;
    return accept(isAvif ? 'AVIF' : 'HEIC');
  }
  if (major === 'qt  ') return refuse('QuickTime');
  if (major === 'crx ') return refuse('Canon CR3');
  return refuse('MP4');
}

function markupFormat(text: string): Sniffed | null {
  const markup = text.replace(/^\uFEFF/, '').trimStart();
  if (!markup.startsWith('<')) return null;
  if (/<(\w+:)?svg[\s>]/i.test(markup)) return refuse('SVG');
  if (/<(!doctype html|html|head|body|script|title|meta)\b/i.test(markup)) return refuse('HTML');
  return markup.startsWith('<?xml') ? refuse('XML') : null;
}
