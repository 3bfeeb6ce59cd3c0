import { UserError } from '../errors.ts';
import type { Raster } from './raster.ts';

interface HeicDecoder {
  default(input: { buffer: Uint8Array }): Promise<{ width: number; height: number; data: Uint8ClampedArray }>;
}

/**
 * The upright pixels of a HEIC image. sharp reads its header but has no HEVC decoder (patents), so this needs `heic-decode`,
 * which whoever runs the server installs: it brings libheif under the LGPL.
 */
export async function decodeHeic(bytes: Buffer): Promise<Raster> {
  const { default: decode } = await loadDecoder();
  const { width, height, data } = await decode({ buffer: bytes }).catch((error: unknown) => {
    throw new UserError('CORRUPT', 'The file claims to be HEIC but cannot be decoded', { cause: error });
  });
  return { width, height, channels: 4, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

async function loadDecoder(): Promise<HeicDecoder> {
  // A variable, because the compiler would want the optional package to be there.
  const name: string = 'heic-decode';
  try {
    return (await import(name)) as HeicDecoder;
  } catch (error) {
    throw new UserError('UNSUPPORTED_TYPE', 'Unsupported image format: HEIC', {
      hint: 'Send JPEG instead, or have the server accept HEIC with `npm install heic-decode`',
      cause: error,
    });
  }
}
