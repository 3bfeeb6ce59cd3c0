import type { PixelBox } from '../compute/render.ts';
import { UserError } from '../errors.ts';

interface Size {
  width: number;
  height: number;
}

/** Fractions of the picture, as the analysis gives its boxes. */
export interface CropWish {
  crop: { x: number; y: number; width: number; height: number } | null;
  /** What COVER keeps in the middle as far as the edges let it. */
  focus: { x: number; y: number } | null;
}

/** Fractions come from sums of fractions. */
const tolerance = 1e-6;
const isFraction = (value: number) => value >= 0 && value <= 1;

export function checkCrop({ crop, focus }: CropWish): void {
  if (crop && !(isFraction(crop.x) && isFraction(crop.y) && crop.width > 0 && crop.height > 0 && crop.x + crop.width <= 1 + tolerance && crop.y + crop.height <= 1 + tolerance)) {
    const { x, y, width, height } = crop;
    throw new UserError('INVALID_INPUT', `Expected crop as fractions of the picture that lie within it but received x ${x}, y ${y}, width ${width}, height ${height}`, { hint: 'x + width and y + height are 1 at the most' });
  }
  if (focus && !(isFraction(focus.x) && isFraction(focus.y))) throw new UserError('INVALID_INPUT', `Expected focus as fractions from 0 to 1 but received x ${focus.x}, y ${focus.y}`);
}

/** The pixels of a crop, at least one. */
export function regionOf(image: Size, crop: CropWish['crop']): PixelBox {
  if (!crop) return { left: 0, top: 0, width: image.width, height: image.height };
  const left = Math.min(Math.round(crop.x * image.width), image.width - 1);
  const top = Math.min(Math.round(crop.y * image.height), image.height - 1);
  return { left, top, width: side(crop.width * image.width, image.width - left), height: side(crop.height * image.height, image.height - top) };
}

/** The largest part of a region that has the proportions of `shape`, with the focus in its middle or as near to it as can be. */
export function coverBox(image: Size, region: PixelBox, shape: Size, focus: { x: number; y: number }): PixelBox {
  const scale = Math.max(shape.width / region.width, shape.height / region.height);
  const [width, height] = [side(shape.width / scale, region.width), side(shape.height / scale, region.height)];
  const start = (middle: number, length: number, from: number, room: number) => from + Math.max(0, Math.min(Math.round(middle - length / 2) - from, room - length));
  return { left: start(focus.x * image.width, width, region.left, region.width), top: start(focus.y * image.height, height, region.top, region.height), width, height };
}

const side = (pixels: number, most: number) => Math.min(most, Math.max(1, Math.round(pixels)));
