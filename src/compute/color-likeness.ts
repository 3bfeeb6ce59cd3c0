import type { Lab } from './oklab.ts';

/** Lightness from black to white as the eye spaces it: L_r = (t + √(t² + 4·k2·k3·L)) / 2 with t = k3·L − k1. Source: Björn Ottosson, "Okhsv and Okhsl" (2021). */
export const lightnessCurve = { k1: 0.206, k2: 0.03, k3: 1.206 / 1.03 };
/** The OKLab chroma C at which a colour is half as colourful as can be. Colourfulness is C² / (C² + halfChroma²): near 0 for what goes by gray, near 1 for all strong colours. */
export const halfChroma = 0.06;
/** By how much another colour may differ in lightness (of 1), and in hue and colourfulness (of 1), until it counts 1/e. */
export const tolerances = { lightness: 0.15, hue: 0.1 };
/** Beyond this many tolerances a colour is another one: it would count less than 5 %. */
export const likenessReach = 3;

/** Where a colour lies, in tolerances: its lightness, and its colourfulness in the direction of its hue. */
export function lookOf([L, a, b]: Lab): [lightness: number, u: number, v: number] {
  const { k1, k2, k3 } = lightnessCurve;
  const t = k3 * L - k1;
  const chroma = Math.hypot(a, b);
  const stretch = chroma / (chroma ** 2 + halfChroma ** 2) / tolerances.hue;
  return [(t + Math.sqrt(t * t + 4 * k2 * k3 * L)) / 2 / tolerances.lightness, a * stretch, b * stretch];
}

/**
 * How much a colour counts as another, 0 to 1: e^−d with d the distance of their looks, 0 from three tolerances on. Exponential after
 * Shepard, "Toward a universal law of generalization" (Science, 1987): the very colour stands out, shades of it still count. Hue has a say
 * as far as there is chroma, so it decides between colours, and no gray is like one of them.
 */
export function colorLikeness(one: Lab, other: Lab): number {
  const [l, u, v] = lookOf(one);
  const [lightness, x, y] = lookOf(other);
  const distance = Math.hypot(lightness - l, x - u, y - v);
  return distance < likenessReach ? Math.exp(-distance) : 0;
}
