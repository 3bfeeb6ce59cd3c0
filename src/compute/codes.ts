import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { prepareZXingModule, readBarcodes } from 'zxing-wasm/reader';
import type { Raster } from './raster.ts';

/** A QR code or barcode that was read. The box is in shares (0..1) of the picture's width and height. */
export interface Code {
  format: string;
  text: string;
  box: { x: number; y: number; width: number; height: number };
}

let prepared = false;

/** Left alone the package would fetch its binary from a network, and end the process where there is none. */
function prepare(): void {
  if (prepared) return;
  const path = createRequire(import.meta.url).resolve('zxing-wasm/reader/zxing_reader.wasm');
  prepareZXingModule({ overrides: { wasmBinary: new Uint8Array(readFileSync(path)).buffer } });
  prepared = true;
}

const mostCodes = 16;

/** QR codes and barcodes of all kinds in a picture, at most 16. Small ones need pixels: about 2 per module, so give a raster of 1000 px and more. */
export async function readCodes(raster: Raster): Promise<Code[]> {
  prepare();
  const { width, height, channels } = raster;
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let pixel = 0, from = 0, to = 0; pixel < width * height; pixel++, from += channels, to += 4) {
    data[to] = raster.data[from]!;
    data[to + 1] = raster.data[from + 1]!;
    data[to + 2] = raster.data[from + 2]!;
  }
  const found = await readBarcodes({ data, width, height, colorSpace: 'srgb' }, { maxNumberOfSymbols: mostCodes, tryHarder: true });
  return found.map(({ format, text, position }) => {
    const corners = [position.topLeft, position.topRight, position.bottomLeft, position.bottomRight];
    const xs = corners.map(({ x }) => Math.min(width, Math.max(0, x)) / width);
    const ys = corners.map(({ y }) => Math.min(height, Math.max(0, y)) / height);
    const x = Math.min(...xs);
    const y = Math.min(...ys);
    return { format, text, box: { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y } };
  });
}
