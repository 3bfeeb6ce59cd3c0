import { ridge } from '../scenes/brush.ts';
import { type Canvas, hills, many, mix } from './canvas.ts';
import { fir } from '../scenes/nature.ts';
import type { Idea, Wish } from './idea.ts';
import { lit, type Mood, paintSky } from './sky.ts';
import { balloon, birds, boat, house, lighthouse } from './things.ts';

const wishFor = (idea: Idea, thing: Wish['thing']) => idea.things.find((wish) => wish.thing === thing);

function water(canvas: Canvas, mood: Mood, horizon: number, sunX: number): string {
  const { width, height } = canvas;
  const depth = height - horizon;
  const [near, middle, far] = mood.water;
  const waves = canvas.clouds('.008 .085', mix(far, '#000018', 0.25), 0.2);
  const foam = canvas.clouds('.014 .12', mix(near, '#ffffff', 0.5), -0.35);
  const isGrey = mood.light === 'grey';
  const glitter = isGrey ? '' : many(mood.light === 'day' ? 140 : 300, () => {
    const near01 = canvas.random() ** 1.6;
    const x = sunX + canvas.between(-0.5, 0.5) * (60 + width * 0.3 * near01);
    return `<ellipse cx="${x.toFixed(1)}" cy="${(horizon + 3 + near01 * depth).toFixed(1)}" rx="${(2 + 24 * near01 * canvas.random()).toFixed(1)}" ry="${(0.7 + 2 * near01).toFixed(1)}" fill="${mood.sun}" opacity="${canvas.between(0.25, 0.85).toFixed(2)}"/>`;
  });
  return `${canvas.band(horizon, depth, `fill="${canvas.down(`0 ${near},.28 ${middle},1 ${far}`)}"`)}${canvas.band(horizon + 1, depth, `filter="${waves}" opacity=".5"`)}${canvas.band(horizon + depth * 0.1, depth * 0.9, `filter="${foam}" opacity=".55"`)}
    <g filter="${canvas.blur(1)}">${glitter}</g>`;
}

/** A shore with sand that the water runs out on. */
function beach(canvas: Canvas, mood: Mood): string {
  const { width, height } = canvas;
  const line = (offset: number) => `M0 ${height}V${(height * 0.83 + offset).toFixed(0)}C${width * 0.25} ${(height * 0.79 + offset).toFixed(0)} ${width * 0.45} ${(height * 0.93 + offset).toFixed(0)} ${width * 0.7} ${(height * 0.9 + offset).toFixed(0)}S${width * 0.95} ${(height * 0.86 + offset).toFixed(0)} ${width} ${(height * 0.88 + offset).toFixed(0)}V${height}Z`;
  const sand = lit(mood, '#e6c994');
  const grain = canvas.clouds('.09 .2', mix(sand, '#5b3c1c', 0.6), -0.2);
  return `<path d="${line(-16)}" fill="#fff" opacity=".5" filter="${canvas.blur(4)}"/><path d="${line(-7)}" fill="#fff" opacity=".8"/><path d="${line(0)}" fill="${mix(sand, '#4c3a28', 0.32)}"/><path d="${line(16)}" fill="${sand}" filter="${canvas.blur(5)}"/>
    <g opacity=".35">${canvas.band(height * 0.9, height * 0.1, `filter="${grain}"`)}</g>`;
}

export function sea(canvas: Canvas, idea: Idea, mood: Mood, hasBeach: boolean): string {
  const { width, height } = canvas;
  const horizon = height * canvas.between(0.5, 0.6);
  const sky = paintSky(canvas, idea, mood, horizon);
  const coast = canvas.random() < 0.75 ? `<path d="${hills(canvas, { y: horizon, rise: height * canvas.between(0.05, 0.1), bumps: 5 })}" fill="${lit(mood, '#5c7263', 0.72)}" opacity=".9"/>` : '';
  const tower = wishFor(idea, 'lighthouse');
  const sails = wishFor(idea, 'boat');
  const flock = wishFor(idea, 'bird');
  const boats = sails ? Array.from({ length: Math.min(sails.count, 6) }, (_, i) => {
    const far = sails.count === 1 ? 0.45 : i / sails.count;
    return { x: width * (sails.count === 1 ? canvas.between(0.32, 0.68) : (i + canvas.between(0.3, 0.7)) / sails.count), y: horizon + height * (0.03 + 0.2 * (1 - far)), size: height * (0.11 + 0.24 * (1 - far)) };
  }).sort((one, other) => one.y - other.y) : [];
  return `${sky.svg}${coast}${water(canvas, mood, horizon, sky.sunX)}
    ${tower ? lighthouse(canvas, mood, { x: width * (sky.sunX < width / 2 ? 0.76 : 0.24), y: horizon + height * 0.06, size: height * 0.42 }, tower.color ?? undefined) : ''}
    ${boats.map((place) => boat(canvas, mood, place, sails?.color ?? undefined)).join('')}${hasBeach ? beach(canvas, mood) : ''}
    ${flock || canvas.random() < 0.5 ? birds(canvas, mood, { x: width * canvas.between(0.25, 0.75), y: horizon * 0.5, size: height * 0.06 }, flock ? flock.count + 2 : 3) : ''}`;
}

function peak(canvas: Canvas, mood: Mood, { x, top, base, reach, hasSnow, distance }: { x: number; top: number; base: number; reach: number; hasSnow: boolean; distance: number }): string {
  const steps = 10;
  const edge = (side: number) => Array.from({ length: steps }, (_, i) => {
    const down = (i + 1) / steps;
    return [x + side * down * reach * canvas.between(0.9, 1.08), top + down ** 0.92 * (base - top)] as const;
  });
  const spine = Array.from({ length: steps }, (_, i) => [x + canvas.between(-0.09, 0.09) * reach * (1 + i / 3), top + ((i + 1) / steps) * (base - top)] as const);
  const [left, right] = [edge(-1), edge(1)];
  const path = (points: readonly (readonly [number, number])[]) => points.map(([px, py]) => `L${px.toFixed(1)} ${py.toFixed(1)}`).join('');
  const side = (outer: typeof left, color: string) => `<path d="M${x} ${top}${path(outer)}${path([...spine].reverse())}Z" fill="${lit(mood, color, distance)}"/>`;
  const snowDown = hasSnow ? 4 : 0;
  const snow = (outer: typeof left, color: string) => {
    const fringe = [...outer.slice(0, snowDown), ...spine.slice(0, snowDown).reverse()];
    const last = outer[snowDown - 1]!;
    const inner = spine[snowDown - 1]!;
    const ragged = Array.from({ length: 6 }, (_, i) => [last[0] + ((inner[0] - last[0]) * (i + 0.5)) / 6, last[1] + ((inner[1] - last[1]) * (i + 0.5)) / 6 + (i % 2 ? -0.2 : 0.45) * (base - top) * 0.14 * canvas.between(0.6, 1.2)] as const);
    return `<path d="M${x} ${top}${path(fringe.slice(0, snowDown))}${path(ragged)}${path(fringe.slice(snowDown))}Z" fill="${lit(mood, color, distance * 0.8)}"/>`;
  };
  return side(left, '#56637c') + side(right, '#8995a8') + (hasSnow ? snow(left, '#b4c6dc') + snow(right, '#fbfcfd') : '');
}

export function lake(canvas: Canvas, idea: Idea, mood: Mood): string {
  const { width, height } = canvas;
  const shore = height * canvas.between(0.6, 0.68);
  const sky = paintSky(canvas, idea, mood, shore);
  const isWinter = idea.season === 'winter';
  const far = `<path d="${ridge(() => canvas.random(), { width, height: shore + 4, y: shore * 0.72, rise: shore * 0.3, steps: 70 })}" fill="${lit(mood, '#5a6a84', 0.72)}"/>`;
  const count = Math.max(2, Math.round(width / 260));
  const peaks = Array.from({ length: count }, (_, i) => ({ x: ((i + canvas.between(0.2, 0.8)) / count) * width, top: shore * canvas.between(0.2, 0.48) })).sort((one, other) => other.top - one.top);
  const range = peaks.map(({ x, top }, i) => peak(canvas, mood, { x, top, base: shore + 4, reach: (shore - top) * canvas.between(0.75, 0.95), hasSnow: true, distance: 0.42 - (0.3 * i) / count })).join('');
  const wood = lit(mood, isWinter ? '#4e6468' : idea.season === 'autumn' ? '#8a5a2c' : '#24473a', 0.08);
  const bank = `<path d="${hills(canvas, { y: shore, rise: height * 0.05, bumps: 6 })}" fill="${mix(wood, mood.haze, 0.12)}"/>`;
  const trees = `<path fill="${wood}" d="${many(Math.round(width / 15), (i) => fir(i * 15 + canvas.between(-6, 6), shore + 4, height * canvas.between(0.035, 0.09), () => canvas.random()))}"/>`;
  const home = wishFor(idea, 'house');
  const cabin = home ? house(canvas, mood, { x: width * canvas.between(0.25, 0.75), y: shore + 2, size: height * 0.1 }, home.color) : '';
  const scenery = far + range + bank + trees + cabin;
  const [near, , deep] = mood.water;
  const ripple = canvas.clouds('.006 .12', mix(near, '#ffffff', 0.6), -0.12);
  const sails = wishFor(idea, 'boat');
  const airs = wishFor(idea, 'balloon');
  return `${sky.svg}${scenery}<clipPath id="lake"><rect y="${shore}" width="${width}" height="${height - shore}"/></clipPath>
    <g clip-path="url(#lake)"><g transform="matrix(1 0 0 -.82 0 ${(shore * 1.82).toFixed(1)})" filter="${canvas.blur(2.2)}">${canvas.band(0, shore + 2, `fill="${canvas.down(mood.sky)}"`)}${scenery}</g>
    ${canvas.band(shore, height - shore, `fill="${canvas.down(`0 ${near} .18,.4 ${mood.water[1]} .38,1 ${deep} .92`)}"`)}${canvas.band(shore, height - shore, `filter="${ripple}" opacity=".32"`)}</g>
    ${sails ? boat(canvas, mood, { x: width * canvas.between(0.3, 0.7), y: shore + (height - shore) * 0.45, size: height * 0.2 }, sails.color ?? undefined) : ''}${airs ? balloons(canvas, idea, mood, shore) : ''}
    ${wishFor(idea, 'bird') ? birds(canvas, mood, { x: width * 0.6, y: shore * 0.3, size: height * 0.06 }, 6) : ''}`;
}

/** The balloons of an idea, the near ones large. */
export function balloons(canvas: Canvas, idea: Idea, mood: Mood, horizon: number): string {
  const wish = wishFor(idea, 'balloon');
  const count = Math.min(wish?.count ?? 0, 7) + (wish && wish.count > 2 ? 2 : 0);
  return Array.from({ length: count }, (_, i) => ({ x: canvas.width * ((i + canvas.between(0.25, 0.75)) / count), size: canvas.height * (count === 1 ? 0.42 : canvas.between(0.1, 0.36)) }))
    .sort((one, other) => one.size - other.size)
    .map(({ x, size }) => balloon(canvas, mood, { x, y: Math.max(size * 1.02, horizon * canvas.between(0.45, 0.85)), size }, wish?.color))
    .join('');
}
