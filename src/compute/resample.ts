import type { Raster } from './raster.ts';

/** For each of `size` output cells: the first input sample it covers and how much of that and the following ones. */
function coverage(from: number, size: number) {
  return Array.from({ length: size }, (_, cell) => {
    const start = (cell * from) / size;
    const end = ((cell + 1) * from) / size;
    const first = Math.floor(start);
    const last = Math.min(from, Math.ceil(end - 1e-9));
    const shares = Array.from({ length: last - first }, (_, i) => (Math.min(end, first + i + 1) - Math.max(start, first + i)) / (end - start));
    return { first, shares };
  });
}

/**
 * Area average: every output pixel is the exact mean of the input it covers, with fractions at the edges; colours are weighted by alpha.
 * `width` x `height` may have another shape than the input, and may be larger than it.
 */
export function areaAverage(raster: Raster, width: number, height: number): Raster {
  const { channels, data } = raster;
  const columns = coverage(raster.width, width);
  const rows = coverage(raster.height, height);
  const out = new Uint8Array(width * height * channels);
  const line = new Float64Array(raster.width * channels);

  rows.forEach(({ first, shares }, y) => {
    line.fill(0);
    shares.forEach((share, i) => {
      const row = data.subarray((first + i) * raster.width * channels, (first + i + 1) * raster.width * channels);
      if (channels === 3) for (let k = 0; k < line.length; k++) line[k]! += share * row[k]!;
      else for (let k = 0; k < line.length; k += 4) {
        const alpha = share * row[k + 3]!;
        line[k]! += alpha * row[k]!;
        line[k + 1]! += alpha * row[k + 1]!;
        line[k + 2]! += alpha * row[k + 2]!;
        line[k + 3]! += alpha;
      }
    });
    columns.forEach((column, x) => {
      let red = 0, green = 0, blue = 0, alpha = 0;
      for (let i = 0; i < column.shares.length; i++) {
        const k = (column.first + i) * channels;
        const share = column.shares[i]!;
        red += share * line[k]!;
        green += share * line[k + 1]!;
        blue += share * line[k + 2]!;
        if (channels === 4) alpha += share * line[k + 3]!;
      }
      const k = (y * width + x) * channels;
      const weight = channels === 3 ? 1 : alpha || 1;
      out[k] = Math.round(red / weight);
      out[k + 1] = Math.round(green / weight);
      out[k + 2] = Math.round(blue / weight);
      if (channels === 4) out[k + 3] = Math.round(alpha);
    });
  });
  return { width, height, channels, data: out };
}

/** The picture as it looks on a white page, without alpha; a raster without alpha is given back as it is. */
export function onWhite(raster: Raster): Raster {
  if (raster.channels === 3) return raster;
  const { width, height, data } = raster;
  const out = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    const alpha = data[from + 3]!;
    for (let c = 0; c < 3; c++) out[to + c] = Math.round((data[from + c]! * alpha + 255 * (255 - alpha)) / 255);
  }
  return { width, height, channels: 3, data: out };
}

/** Luma (Rec. 601), 0..255, row by row; alpha is ignored. */
export function lumaOf({ width, height, channels, data }: Raster): Float32Array {
  const luma = new Float32Array(width * height);
  for (let i = 0, k = 0; i < luma.length; i++, k += channels) luma[i] = 0.299 * data[k]! + 0.587 * data[k + 1]! + 0.114 * data[k + 2]!;
  return luma;
}
