import { type Canvas, many, mix } from './canvas.ts';
import type { Idea, Light } from './idea.ts';

/** The light of a picture and what it does to colours. */
export interface Mood {
  light: Light;
  /** From above to the horizon, "offset color" pairs. */
  sky: string;
  horizon: string;
  /** What far things fade into. */
  haze: string;
  sun: string;
  cloud: string;
  cloudiness: number;
  /** Every colour of the ground goes this far towards this one. */
  shade: { color: string; share: number };
  /** From the horizon to the viewer. */
  water: [string, string, string];
}

const moods: Record<Light, Omit<Mood, 'light'>[]> = {
  day: [
    { sky: '0 #2f74bd,.55 #8fc3e8,1 #e3f0f4', horizon: '#e3f0f4', haze: '#c3d8e6', sun: '#fffbe6', cloud: '#ffffff', cloudiness: 0.12, shade: { color: '#203040', share: 0 }, water: ['#7db8cc', '#2c7f9e', '#0f4468'] },
    { sky: '0 #3a8fd0,.6 #a8d8f0,1 #f2f6ea', horizon: '#f2f6ea', haze: '#d2e4e6', sun: '#fffbe0', cloud: '#ffffff', cloudiness: 0.02, shade: { color: '#203040', share: 0 }, water: ['#8fd0d0', '#2b98a8', '#0d5674'] },
  ],
  sunset: [
    { sky: '0 #23305f,.35 #7a4079,.65 #e3684f,.9 #ffb454,1 #ffd27a', horizon: '#ffd27a', haze: '#d98a64', sun: '#ffe49a', cloud: '#7c3a5e', cloudiness: 0.05, shade: { color: '#241a38', share: 0.45 }, water: ['#e0955f', '#8d4a60', '#1d1c44'] },
    { sky: '0 #2d3f78,.4 #a2607f,.75 #f2966a,1 #ffe0a0', horizon: '#ffe0a0', haze: '#dba488', sun: '#fff0c0', cloud: '#c85f6c', cloudiness: 0, shade: { color: '#2c2344', share: 0.4 }, water: ['#edb184', '#a0668a', '#2a2a58'] },
  ],
  dawn: [
    { sky: '0 #6d86b8,.45 #c9a2bf,.8 #f6cdb4,1 #ffeccf', horizon: '#ffeccf', haze: '#e3cbc8', sun: '#fff6da', cloud: '#fbe3dc', cloudiness: 0.08, shade: { color: '#4a4a78', share: 0.22 }, water: ['#efcdbc', '#a392b4', '#48588a'] },
  ],
  night: [
    { sky: '0 #050a20,.55 #141d48,1 #3a4678', horizon: '#3a4678', haze: '#2b3764', sun: '#fdf8e4', cloud: '#2a3560', cloudiness: -0.1, shade: { color: '#070b1e', share: 0.68 }, water: ['#33406f', '#18224e', '#060a1e'] },
  ],
  grey: [
    { sky: '0 #566472,.6 #8d99a3,1 #c9cfd1', horizon: '#c9cfd1', haze: '#b4bdc2', sun: '#eef0ee', cloud: '#4c5864', cloudiness: 0.22, shade: { color: '#39424a', share: 0.34 }, water: ['#a3aeb3', '#667783', '#2c3a46'] },
  ],
};

/** The mood of an idea. A colour that was wished for goes into the air, and with it over everything far. */
export function moodOf(canvas: Canvas, { light, tint, hasFog }: Idea): Mood {
  const mood = { light, ...canvas.pick(moods[light]) };
  const [near, middle, far] = mood.water;
  const tinted = tint
    ? { ...mood, sky: mood.sky.replace(/#\w{6}/g, (color) => mix(color, tint, 0.34)), horizon: mix(mood.horizon, tint, 0.3), haze: mix(mood.haze, tint, 0.45), water: [mix(near, tint, 0.3), mix(middle, tint, 0.3), mix(far, tint, 0.2)] as Mood['water'] }
    : mood;
  return hasFog ? { ...tinted, haze: mix(tinted.haze, '#e8eaea', light === 'night' ? 0.15 : 0.5) } : tinted;
}

/** A colour in this light, `distance` 0 (here) to 1 (in the haze). */
export const lit = ({ shade, haze }: Mood, color: string, distance = 0) => mix(mix(color, shade.color, shade.share), haze, distance * 0.88);

/** Sky down to `horizon`, with what shines in it. Gives the place of the sun or moon too, for its mirror image. */
export function paintSky(canvas: Canvas, idea: Idea, mood: Mood, horizon: number): { svg: string; sunX: number; sunY: number } {
  const { width } = canvas;
  const isNight = mood.light === 'night';
  const isLow = mood.light === 'sunset' || mood.light === 'dawn';
  const sunX = width * canvas.between(0.22, 0.78);
  const sunY = horizon * (isLow ? canvas.between(0.82, 0.95) : isNight ? canvas.between(0.2, 0.4) : canvas.between(0.1, 0.25));
  const stars = isNight ? many(220, () => `<circle cx="${(canvas.random() * width).toFixed(1)}" cy="${(canvas.random() ** 1.4 * horizon).toFixed(1)}" r="${canvas.between(0.4, 1.7).toFixed(2)}" fill="#fff" opacity="${canvas.between(0.25, 1).toFixed(2)}"/>`) : '';
  const high = canvas.clouds('.0035 .013', mood.cloud, mood.cloudiness + canvas.between(-0.08, 0.08));
  const low = canvas.clouds('.005 .024', mix(mood.cloud, mood.horizon, 0.5), mood.cloudiness - 0.05);
  return {
    sunX,
    sunY,
    svg: `${canvas.band(0, horizon + 2, `fill="${canvas.down(mood.sky)}"`)}${stars}
      ${idea.light === 'grey' ? '' : shining(canvas, mood, sunX, sunY, isLow)}
      ${canvas.band(0, horizon * 0.85, `filter="${high}" opacity=".8"`)}${canvas.band(horizon * 0.25, horizon * 0.75, `filter="${low}" opacity=".55"`)}`,
  };
}

function shining(canvas: Canvas, { light, sun, horizon }: Mood, x: number, y: number, isLow: boolean): string {
  const reach = isLow ? 460 : 300;
  const halo = canvas.glow(`0 ${sun} ${isLow ? 1 : 0.9},.1 ${sun} .8,.3 ${mix(sun, horizon, 0.6)} .3,1 ${horizon} 0`);
  const moon = light === 'night' ? `<circle cx="${x}" cy="${y}" r="40" fill="#f6f1dc"/><circle cx="${x - 12}" cy="${y - 8}" r="8" fill="#d9d3ba" opacity=".6"/><circle cx="${x + 13}" cy="${y + 10}" r="11" fill="#d9d3ba" opacity=".5"/><circle cx="${x + 8}" cy="${y - 17}" r="5" fill="#d9d3ba" opacity=".5"/>` : `<circle cx="${x}" cy="${y}" r="${isLow ? 46 : 26}" fill="#fffdf2" opacity="${isLow ? 0.95 : 0.8}"/>`;
  return `<circle cx="${x}" cy="${y}" r="${light === 'night' ? 200 : reach}" fill="${halo}"/>${moon}`;
}

/** Rain or snow, before everything else. */
export function paintFalling(canvas: Canvas, falling: Idea['falling']): string {
  const { width, height } = canvas;
  if (falling === 'rain') return `<g stroke="#e8eef2" stroke-linecap="round">${many(420, () => { const [x, y, length] = [canvas.random() * width, canvas.random() * height, canvas.between(14, 34)]; return `<path d="M${x.toFixed(0)} ${y.toFixed(0)}l${(-length / 5).toFixed(1)} ${length.toFixed(0)}" stroke-width="${canvas.between(0.6, 1.6).toFixed(1)}" opacity="${canvas.between(0.12, 0.4).toFixed(2)}"/>`; })}</g>`;
  if (falling === 'snow') return `<g fill="#fff" filter="${canvas.blur(0.8)}">${many(380, () => `<circle cx="${(canvas.random() * width).toFixed(0)}" cy="${(canvas.random() * height).toFixed(0)}" r="${(canvas.random() ** 3 * 6 + 1).toFixed(1)}" opacity="${canvas.between(0.45, 0.95).toFixed(2)}"/>`)}</g>`;
  return '';
}
