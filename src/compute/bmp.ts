import { UserError } from '../errors.ts';
import type { Raster } from './raster.ts';

const BI_RGB = 0;
const BI_RLE8 = 1;
const BI_RLE4 = 2;
const BI_BITFIELDS = 3;
const BI_ALPHABITFIELDS = 6;

/** One colour inside a packed pixel: `((pixel & mask) >>> shift) * scale` is 0 to 255. */
interface Channel {
  mask: number;
  shift: number;
  scale: number;
}

interface Layout {
  width: number;
  height: number;
  topDown: boolean;
  bitsPerPixel: number;
  compression: number;
  pixelOffset: number;
  /** 256 RGB triples; colours that the file does not define are black. */
  palette: Uint8Array;
  /** Red, green, blue and, where the file has it, alpha of 16- and 32-bit pixels. */
  channels: Channel[];
}

const corrupt = (what: string) => new UserError('CORRUPT', `The file claims to be BMP but ${what}`);

/** Size and transparency of a BMP; every fault that its header alone shows is thrown here, before memory is taken for pixels. */
export function readBmpHeader(bytes: Buffer): { width: number; height: number; hasAlpha: boolean } {
  const { width, height, channels } = readLayout(bytes);
  return { width, height, hasAlpha: channels.length === 4 };
}

/**
 * The pixels of a Windows or OS/2 bitmap (libvips reads none): 1 to 32 bits, RLE4, RLE8, bit masks, top-down.
 * The caller has checked the size. A file that ends early or runs out of its picture gives what there is, `damaged`.
 */
export function decodeBmp(bytes: Buffer): { raster: Raster; damaged: boolean } {
  const layout = readLayout(bytes);
  if (layout.compression === BI_RLE8 || layout.compression === BI_RLE4) return decodeRunLengths(bytes, layout);
  return decodeRows(bytes, layout);
}

function readLayout(bytes: Buffer): Layout {
  const headerSize = bytes.length >= 18 ? bytes.readUInt32LE(14) : 0;
  if (headerSize < 12 || bytes.length < 14 + headerSize) throw corrupt('ends inside its header');
  const core = headerSize === 12;
  const width = core ? bytes.readUInt16LE(18) : bytes.readInt32LE(18);
  const signedHeight = core ? bytes.readUInt16LE(20) : bytes.readInt32LE(22);
  const bitsPerPixel = bytes.readUInt16LE(core ? 24 : 28);
  const compression = headerSize >= 40 ? bytes.readUInt32LE(30) : BI_RGB;
  const pixelOffset = bytes.readUInt32LE(10);

  if (width < 1 || signedHeight === 0) throw corrupt(`has a size of ${width}×${Math.abs(signedHeight)}`);
  // In the OS/2 header of 64 bytes, 3 and 4 mean Huffman and RLE24.
  const fits = { [BI_RGB]: [1, 2, 4, 8, 16, 24, 32], [BI_RLE8]: [8], [BI_RLE4]: [4], [BI_BITFIELDS]: headerSize === 64 ? [] : [16, 32], [BI_ALPHABITFIELDS]: [16, 32] }[compression];
  if (!fits?.includes(bitsPerPixel)) throw corrupt(`has ${bitsPerPixel} bits per pixel with compression ${compression}, which no decoder here reads`);
  if (pixelOffset < 14 + headerSize || pixelOffset >= bytes.length) throw corrupt(`has its pixels at byte ${pixelOffset} of ${bytes.length}`);

  const masksAfterHeader = headerSize === 40 ? ({ [BI_BITFIELDS]: 12, [BI_ALPHABITFIELDS]: 16 }[compression] ?? 0) : 0;
  return {
    width,
    height: Math.abs(signedHeight),
    topDown: signedHeight < 0,
    bitsPerPixel,
    compression,
    pixelOffset,
    palette: readPalette(bytes.subarray(14 + headerSize + masksAfterHeader, pixelOffset), core ? 3 : 4, bitsPerPixel),
    channels: readChannels(bytes, compression, bitsPerPixel, Math.max(headerSize, 40 + masksAfterHeader)),
  };
}

/** The number of colours in the header is often wrong; what lies before the pixels is not. */
function readPalette(table: Buffer, entrySize: number, bitsPerPixel: number): Uint8Array {
  const palette = new Uint8Array(256 * 3);
  const count = bitsPerPixel <= 8 ? Math.min(2 ** bitsPerPixel, Math.floor(table.length / entrySize)) : 0;
  for (let index = 0; index < count; index++) {
    for (let channel = 0; channel < 3; channel++) palette[index * 3 + channel] = table.readUInt8(index * entrySize + 2 - channel);
  }
  return palette;
}

function readChannels(bytes: Buffer, compression: number, bitsPerPixel: number, headerEnd: number): Channel[] {
  if (bitsPerPixel !== 16 && bitsPerPixel !== 32) return [];
  if (compression === BI_RGB) return (bitsPerPixel === 16 ? [0x7c00, 0x3e0, 0x1f] : [0xff0000, 0xff00, 0xff]).map(channelOf);
  const maskCount = Math.min(4, Math.floor((headerEnd - 40) / 4));
  if (maskCount < 3 || bytes.length < 54 + maskCount * 4) throw corrupt('ends inside its bit masks');
  const masks = Array.from({ length: maskCount }, (_, index) => bytes.readUInt32LE(54 + index * 4));
  if (masks.slice(0, 3).every((mask) => mask === 0)) throw corrupt('has empty bit masks');
  return masks.filter((mask, index) => index < 3 || mask !== 0).map(channelOf);
}

function channelOf(mask: number): Channel {
  const shift = mask === 0 ? 0 : 31 - Math.clz32(mask & -mask);
  return { mask, shift, scale: mask === 0 ? 0 : 255 / (mask >>> shift) };
}

function decodeRows(bytes: Buffer, layout: Layout): { raster: Raster; damaged: boolean } {
  const { width, height, bitsPerPixel, palette } = layout;
  const stride = Math.ceil((width * bitsPerPixel) / 32) * 4;
  const wholeRows = Math.min(height, Math.floor((bytes.length - layout.pixelOffset) / stride));
  if (wholeRows === 0) throw corrupt('ends before its first row of pixels does');
  const channels = layout.channels.length === 4 ? 4 : 3;
  const data = new Uint8Array(width * height * channels);

  for (let row = 0; row < wholeRows; row++) {
    const from = layout.pixelOffset + row * stride;
    const to = (layout.topDown ? row : height - 1 - row) * width * channels;
    if (bitsPerPixel <= 8) copyIndexed(bytes, from, data, to, width, bitsPerPixel, palette);
    else if (bitsPerPixel === 24) copyReversed(bytes, from, data, to, width);
    else copyMasked(bytes, from, data, to, width, bitsPerPixel / 8, layout.channels);
  }
  const raster = { width, height, channels, data } as const;
  if (channels === 4) makeOpaqueIfInvisible(data);
  return { raster, damaged: wholeRows < height };
}

function copyIndexed(source: Buffer, from: number, data: Uint8Array, to: number, width: number, bits: number, palette: Uint8Array): void {
  const perByte = 8 / bits;
  const mask = 2 ** bits - 1;
  for (let x = 0; x < width; x++) {
    const byte = source[from + Math.floor(x / perByte)] ?? 0;
    const color = ((byte >> (8 - bits - (x % perByte) * bits)) & mask) * 3;
    data[to++] = palette[color] ?? 0;
    data[to++] = palette[color + 1] ?? 0;
    data[to++] = palette[color + 2] ?? 0;
  }
}

function copyReversed(source: Buffer, from: number, data: Uint8Array, to: number, width: number): void {
  for (let at = 0; at < width * 3; at += 3) {
    data[to + at] = source[from + at + 2] ?? 0;
    data[to + at + 1] = source[from + at + 1] ?? 0;
    data[to + at + 2] = source[from + at] ?? 0;
  }
}

function copyMasked(source: Buffer, from: number, data: Uint8Array, to: number, width: number, bytesPerPixel: number, channels: Channel[]): void {
  for (let x = 0; x < width; x++) {
    const pixel = bytesPerPixel === 2 ? source.readUInt16LE(from + x * 2) : source.readUInt32LE(from + x * 4);
    for (const { mask, shift, scale } of channels) data[to++] = Math.round(((pixel & mask) >>> shift) * scale);
  }
}

/** Many writers leave the alpha channel that they announce at zero. */
function makeOpaqueIfInvisible(data: Uint8Array): void {
  for (let at = 3; at < data.length; at += 4) if (data[at] !== 0) return;
  for (let at = 3; at < data.length; at += 4) data[at] = 255;
}

/** Pairs of (count, colours), and escapes (0, x): end of line, end of picture, jump, or x literal pixels padded to 16 bits. */
function decodeRunLengths(bytes: Buffer, { width, height, topDown, compression, pixelOffset, palette }: Layout): { raster: Raster; damaged: boolean } {
  const data = new Uint8Array(width * height * 3);
  const nibbles = compression === BI_RLE4;
  let position = pixelOffset;
  let x = 0;
  let y = 0;
  let outside = false;
  const put = (index: number) => {
    if (x < width && y < height) data.set(palette.subarray(index * 3, index * 3 + 3), ((topDown ? y : height - 1 - y) * width + x) * 3);
    else outside = true;
    x++;
  };
  const indexIn = (byte: number, nth: number) => (nibbles ? (nth % 2 === 0 ? byte >> 4 : byte & 15) : byte);
  const finish = (complete: boolean) => ({ raster: { width, height, channels: 3, data } as const, damaged: outside || !complete });

  while (position + 2 <= bytes.length && y < height) {
    const count = bytes.readUInt8(position++);
    const value = bytes.readUInt8(position++);
    if (count > 0) {
      for (let nth = 0; nth < count; nth++) put(indexIn(value, nth));
    } else if (value === 0) {
      x = 0;
      y++;
    } else if (value === 1) {
      return finish(true);
    } else if (value === 2) {
      x += bytes[position++] ?? 0;
      y += bytes[position++] ?? 0;
    } else {
      const literalBytes = nibbles ? Math.ceil(value / 2) : value;
      if (position + literalBytes > bytes.length) return finish(false);
      for (let nth = 0; nth < value; nth++) put(indexIn(bytes.readUInt8(position + (nibbles ? nth >> 1 : nth)), nth));
      position += literalBytes + (literalBytes % 2);
    }
  }
  // Some writers leave out the end of the picture after its last line.
  return finish(y >= height);
}
