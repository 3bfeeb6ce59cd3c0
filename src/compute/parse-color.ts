import { converter, formatHex, parse } from 'culori';
import type { Lab } from './oklab.ts';

const toOklab = converter('oklab');

/** OKLab of any CSS colour text ("#c00", "rebeccapurple", "hsl(20 80% 50%)"); null for other texts and for what is wholly transparent. */
export function parseColor(text: string): Lab | null {
  const color = parse(text.trim().toLowerCase());
  if (!color || color.alpha === 0) return null;
  const { l, a, b } = toOklab(color);
  // A component may be "none" in CSS; culori leaves it undefined or not a number.
  return [l || 0, a || 0, b || 0];
}

/** The nearest "#rrggbb" of any CSS colour text, the same for all that name the same colour; null for other texts and for what is transparent, even in part. */
export function hexOf(text: string): string | null {
  const color = parse(text.trim().toLowerCase());
  return color && (color.alpha ?? 1) === 1 ? formatHex(color) : null;
}
