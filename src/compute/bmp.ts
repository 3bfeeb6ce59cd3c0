import { UserError } from '../errors.ts';
import type { Raster } from './raster.ts';

export function readBmpHeader(_bytes: Buffer): { width: number; height: number } {
  throw new UserError('UNSUPPORTED_TYPE', 'Unsupported image format: BMP');
}

export function decodeBmp(_bytes: Buffer): { raster: Raster; damaged: boolean } {
  throw new UserError('UNSUPPORTED_TYPE', 'Unsupported image format: BMP');
}
