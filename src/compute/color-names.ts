import type { Lab } from './oklab.ts';

/** The words for colours, everywhere: tags, palettes, filters. */
export const colorNames = ['black', 'blue', 'brown', 'gray', 'green', 'orange', 'pink', 'purple', 'red', 'teal', 'white', 'yellow'] as const;
export type ColorName = (typeof colorNames)[number];

/**
 * The word most people would use for a colour, by rules on its OKLCh coordinates; total, deterministic.
 * The limits were set on the CSS colours whose name says what they are.
 */
export function colorName([L, a, b]: Lab): ColorName {
  const chroma = Math.hypot(a, b);
  const hue = ((Math.atan2(b, a) * 180) / Math.PI + 360) % 360;

  if (L < 0.2 || (L < 0.3 && chroma < 0.04)) return 'black';
  if (chroma < 0.04) return L > 0.9 ? 'white' : 'gray';

  if (hue < 15 || hue >= 338) {
    if (L > 0.5 && (L > 0.6 || hue >= 338)) return 'pink';
    return hue >= 338 && hue < 350 ? 'purple' : 'red';
  }
  if (hue < 40) {
    if (L > 0.72) return 'pink';
    if (chroma < 0.1) return 'brown';
    return 'red';
  }
  if (hue < 85) {
    if (L > 0.86) return hue < 70 ? 'pink' : 'yellow';
    return L > 0.66 && chroma > 0.12 ? 'orange' : 'brown';
  }
  if (hue < 118) {
    if (L > 0.86 || (L > 0.7 && chroma > 0.08)) return 'yellow';
    return hue < 105 ? 'brown' : 'green';
  }
  if (hue < 166) return 'green';
  if (hue < 204) return 'teal';
  if (hue < 292) return 'blue';
  return L > 0.88 && hue > 320 ? 'pink' : 'purple';
}
