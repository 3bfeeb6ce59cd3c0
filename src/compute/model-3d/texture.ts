import type { Raster } from '../raster.ts';
import { areaAverage } from '../resample.ts';

/** The picture with the colours of what is visible spread over what is not, so that the rim of a body never shows what was behind it. */
export function spreadColors(raster: Raster): Raster {
  const { width, height, channels, data } = raster;
  const out = new Uint8Array(width * height * 3);
  const isLast = width === 1 && height === 1;
  const coarse = isLast ? null : spreadColors(areaAverage(raster, Math.ceil(width / 2), Math.ceil(height / 2)));
  for (let y = 0, from = 0, to = 0; y < height; y++) for (let x = 0; x < width; x++, from += channels, to += 3) {
    const share = !coarse || channels === 3 ? 1 : data[from + 3]! / 255;
    const behind = coarse ? ((y >> 1) * coarse.width + (x >> 1)) * 3 : 0;
    for (let c = 0; c < 3; c++) out[to + c] = share * data[from + c]! + (1 - share) * (coarse?.data[behind + c] ?? 0);
  }
  return { width, height, channels: 3, data: out };
}
