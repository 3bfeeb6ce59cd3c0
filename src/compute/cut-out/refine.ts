import type { Raster } from '../raster.ts';
import { boxBlur, place, type Plane, plane, stretch } from './plane.ts';

/** How much a colour may vary within a neighbourhood before its edges are followed: about a fiftieth of full scale. */
const FLATNESS = 4e-4;
/** Below and above these an alpha is a stain on nothing, or a pinhole in something solid. */
const NOTHING = 0.05;
const SOLID = 0.95;

/**
 * Alpha of the whole picture from a coarse mask: inside each neighbourhood it is a linear function of the colours, so that its edges are those of the picture.
 * `guide` is the picture at a size between the two. `radius` is the reach in pixels of the guide.
 * Source: He, Sun, Tang, "Guided Image Filtering" (PAMI 2013) with colour guide; He & Sun, "Fast Guided Filter" (2015) for solving it small.
 */
export function guidedAlpha(mask: Plane, guide: Raster, picture: Raster, radius: number): Uint8Array {
  const { width, height } = picture;
  const coefficients = solveGuide(stretch(mask, guide.width, guide.height), guide, radius);
  const alpha = new Uint8Array(width * height);
  const columns = Array.from({ length: width }, (_, x) => place(x, width, guide.width));
  const line = coefficients.map(() => new Float32Array(guide.width));
  const isFlat = new Uint8Array(guide.width);
  for (let y = 0; y < height; y++) {
    const row = place(y, height, guide.height);
    coefficients.forEach(({ data }, c) => {
      for (let x = 0; x < guide.width; x++) line[c]![x] = data[row.low * guide.width + x]! * (1 - row.share) + data[row.high * guide.width + x]! * row.share;
    });
    const [red, green, blue, constant] = line as [Float32Array, Float32Array, Float32Array, Float32Array];
    for (let x = 0; x < guide.width; x++) isFlat[x] = Math.abs(red[x]!) + Math.abs(green[x]!) + Math.abs(blue[x]!) < 1e-3 ? 1 : 0;
    for (let x = 0, i = y * width, k = i * picture.channels; x < width; x++, i++, k += picture.channels) {
      const { low, high, share } = columns[x]!;
      let value = constant[low]! + (constant[high]! - constant[low]!) * share;
      // Far from the outline, which is nearly everywhere, colours have no say.
      if (!isFlat[low] || !isFlat[high]) {
        const rest = 1 - share;
        value += ((red[low]! * rest + red[high]! * share) * picture.data[k]! + (green[low]! * rest + green[high]! * share) * picture.data[k + 1]! + (blue[low]! * rest + blue[high]! * share) * picture.data[k + 2]!) / 255;
      }
      alpha[i] = Math.round(255 * Math.min(1, Math.max(0, (value - NOTHING) / (SOLID - NOTHING))));
    }
  }
  return alpha;
}

/** The planes r, g, b and c of `alpha = r * red + g * green + b * blue + c`. */
function solveGuide(mask: Plane, guide: Raster, radius: number): Plane[] {
  const { width, height } = mask;
  const colors = [0, 1, 2].map((c) => {
    const channel = plane(width, height);
    for (let i = 0, k = c; i < channel.data.length; i++, k += guide.channels) channel.data[i] = guide.data[k]! / 255;
    return channel;
  });
  const [R, G, B] = colors as [Plane, Plane, Plane];
  const product = plane(width, height);
  const times = (one: Plane, other: Plane) => {
    for (let i = 0; i < product.data.length; i++) product.data[i] = one.data[i]! * other.data[i]!;
    return boxBlur(product, radius).data;
  };
  const means = colors.map((channel) => boxBlur(channel, radius).data);
  const [r, g, b] = means as [Float32Array, Float32Array, Float32Array];
  const p = boxBlur(mask, radius).data;
  const [rp, gp, bp] = [times(R, mask), times(G, mask), times(B, mask)];
  const [rr, rg, rb, gg, gb, bb] = [times(R, R), times(R, G), times(R, B), times(G, G), times(G, B), times(B, B)];
  const out = [plane(width, height), plane(width, height), plane(width, height), plane(width, height)] as const;
  for (let i = 0; i < p.length; i++) {
    const mr = r[i]!, mg = g[i]!, mb = b[i]!, mp = p[i]!;
    const vr = rp[i]! - mr * mp, vg = gp[i]! - mg * mp, vb = bp[i]! - mb * mp;
    const crr = rr[i]! - mr * mr + FLATNESS, cgg = gg[i]! - mg * mg + FLATNESS, cbb = bb[i]! - mb * mb + FLATNESS;
    const crg = rg[i]! - mr * mg, crb = rb[i]! - mr * mb, cgb = gb[i]! - mg * mb;
    // The inverse of a symmetric 3 x 3 matrix by its cofactors.
    const i11 = cgg * cbb - cgb * cgb, i12 = crb * cgb - crg * cbb, i13 = crg * cgb - crb * cgg;
    const i22 = crr * cbb - crb * crb, i23 = crb * crg - crr * cgb, i33 = crr * cgg - crg * crg;
    const determinant = crr * i11 + crg * i12 + crb * i13;
    const ar = (i11 * vr + i12 * vg + i13 * vb) / determinant;
    const ag = (i12 * vr + i22 * vg + i23 * vb) / determinant;
    const ab = (i13 * vr + i23 * vg + i33 * vb) / determinant;
    out[0].data[i] = ar;
    out[1].data[i] = ag;
    out[2].data[i] = ab;
    out[3].data[i] = mp - ar * mr - ag * mg - ab * mb;
  }
  return out.map((coefficient) => boxBlur(coefficient, radius));
}

/** Softens an alpha over `pixels` to each side; two boxes are close to a Gaussian. */
export function feather(alpha: Uint8Array, width: number, height: number, pixels: number): Uint8Array {
  const radius = Math.round(pixels / 2);
  if (radius < 1) return alpha;
  const soft = boxBlur(boxBlur({ width, height, data: Float32Array.from(alpha) }, radius), radius);
  return Uint8Array.from(soft.data, Math.round);
}
