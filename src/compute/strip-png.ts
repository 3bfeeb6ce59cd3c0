import { inflateSync } from 'node:zlib';
import { UserError } from '../errors.ts';

const needed = new Set(['IHDR', 'PLTE', 'tRNS', 'gAMA', 'cHRM', 'sRGB', 'IDAT', 'IEND']);
const maxChunks = 50_000;
const maxChunkBytes = 2 ** 31 - 1;
const maxProfileBytes = 1_000_000;
const maxExifBytes = 65_536;

/**
 * A PNG without the chunks that its pixels do not need. libpng inflates every text chunk while it reads the header:
 * a file of 771 KB took 2 GB and 5 s before any limit on pixels was asked. What follows IEND goes too.
 * A file that ends early keeps what there is.
 */
export function stripPng(bytes: Buffer): Buffer {
  const kept = [bytes.subarray(0, 8)];
  let position = 8;
  for (let count = 0; position + 8 <= bytes.length; count++) {
    if (count === maxChunks) throw new UserError('CORRUPT', `Expected a PNG of at most ${maxChunks} chunks but received more`);
    const length = bytes.readUInt32BE(position);
    const type = bytes.toString('latin1', position + 4, position + 8);
    if (length > maxChunkBytes) throw new UserError('CORRUPT', `Expected a PNG chunk of at most ${maxChunkBytes} bytes but "${printable(type)}" claims ${length}`);

    const end = position + 12 + length;
    const data = bytes.subarray(position + 8, position + 8 + length);
    if (needed.has(type) || (end <= bytes.length && isHarmless(type, data))) kept.push(bytes.subarray(position, end));
    if (type === 'IEND') break;
    position = end;
  }
  return Buffer.concat(kept);
}

function isHarmless(type: string, data: Buffer): boolean {
  if (type === 'eXIf') return data.length <= maxExifBytes;
  return type === 'iCCP' && inflatesWithin(data, maxProfileBytes);
}

/** An iCCP chunk is a name, a zero byte, the method and the deflated profile. */
function inflatesWithin(data: Buffer, maxOutputLength: number): boolean {
  const nameEnd = data.subarray(0, 80).indexOf(0);
  if (nameEnd < 1) return false;
  try {
    inflateSync(data.subarray(nameEnd + 2), { maxOutputLength });
    return true;
  } catch {
    return false; // Too large or broken: the picture is read as sRGB.
  }
}

const printable = (type: string) => type.replace(/[^\x20-\x7e]/g, '?');
