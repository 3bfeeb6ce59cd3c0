import { fir } from '../scenes/nature.ts';
import { type Canvas, hills, many, mix } from './canvas.ts';
import type { Idea, Season } from './idea.ts';
import { lit, type Mood, paintSky } from './sky.ts';
import { birds, car, flower, house, tree } from './things.ts';
import { balloons } from './water.ts';

const grass: Record<Season, string> = { summer: '#6b9440', spring: '#83b04a', autumn: '#a3853c', winter: '#e8eef4' };
const leaves: Record<Season, string[]> = { summer: ['#3f6b35', '#4a7a3a', '#365f30'], spring: ['#6f9f48', '#e9a9c0', '#f2c6d4'], autumn: ['#c8632a', '#b5822c', '#9c3f26'], winter: ['#a9b4b8', '#8d9ba3', '#bcc5ca'] };
const petals = ['#e8384f', '#f7b731', '#f78fb3', '#c04fd0', '#ffffff', '#ff6b35'];

export function meadow(canvas: Canvas, idea: Idea, mood: Mood): string {
  const { width, height } = canvas;
  const horizon = height * canvas.between(0.44, 0.54);
  const sky = paintSky(canvas, idea, mood, horizon * 1.1);
  const wish = (thing: string) => idea.things.find((one) => one.thing === thing);
  const green = grass[idea.season];
  const layers = 5;
  const ground = many(layers, (i) => {
    const near = i / (layers - 1);
    const y = horizon + (height - horizon) * (0.02 + 0.62 * near ** 1.4);
    const color = lit(mood, mix(green, i % 2 ? '#4f7d33' : '#c3b457', idea.season === 'winter' ? 0.06 : 0.3), 0.75 * (1 - near));
    const slope = `<path d="${hills(canvas, { y, rise: height * (0.06 + 0.04 * (1 - near)), bumps: canvas.between(2, 4) })}" fill="${canvas.down(`0 ${mix(color, '#fff6c8', 0.16)},1 ${mix(color, '#16240f', 0.3)}`)}"/>`;
    const copse = many(i === layers - 1 ? 0 : Math.round(5 + 7 * (1 - near)), () => tree(canvas, mood, { x: canvas.random() * width, y: y + canvas.between(-0.01, 0.03) * height, size: height * (0.035 + 0.11 * near) * canvas.between(0.7, 1.2) }, canvas.pick(leaves[idea.season]), 0.7 * (1 - near)));
    const home = i === 2 && wish('house') ? house(canvas, mood, { x: width * canvas.between(0.3, 0.7), y: y + height * 0.03, size: height * 0.13 }, wish('house')!.color) : '';
    return slope + copse + home;
  });
  const blades = canvas.clouds('.05 .012', mix(lit(mood, green), '#1c2c10', 0.6), -0.15);
  const wild = wish('flower');
  const oak = wish('tree');
  const amount = wild ? Math.round(width / 9) : idea.season === 'spring' || idea.season === 'summer' ? Math.round(width / 40) : 0;
  const blossoms = Array.from({ length: amount }, () => canvas.random() ** 0.7)
    .sort((one, other) => one - other)
    .map((near) => flower(canvas, mood, { x: canvas.between(-0.02, 1.02) * width, y: height * (0.74 + 0.34 * near), size: height * (0.04 + (wild ? 0.3 : 0.14) * near ** 2) }, wild?.color ? mix(wild.color, canvas.pick(['#ffffff', '#000000']), canvas.random() * 0.18) : canvas.pick(petals), wild?.name));
  return `${sky.svg}${ground}<g opacity=".4">${canvas.band(height * 0.72, height * 0.28, `filter="${blades}"`)}</g>
    ${oak ? tree(canvas, mood, { x: width * canvas.between(0.28, 0.72), y: height * 0.86, size: height * 0.56 }, oak.color ?? leaves[idea.season][0]!) : ''}
    ${wish('car') ? car(canvas, mood, { x: width * 0.5, y: height * 0.88, size: height * 0.16 }, wish('car')!.color ?? undefined) : ''}${blossoms.join('')}${balloons(canvas, idea, mood, horizon)}
    ${wish('bird') ? birds(canvas, mood, { x: width * 0.4, y: horizon * 0.45, size: height * 0.06 }, wish('bird')!.count + 3) : ''}`;
}

export function forest(canvas: Canvas, idea: Idea, mood: Mood): string {
  const { width, height } = canvas;
  const base = { summer: '#1d4a36', spring: '#3c6b3a', autumn: '#a8521c', winter: '#50696c' }[idea.season];
  const ground = idea.season === 'winter' ? '#e6edf2' : mix(base, '#7c7a3a', 0.4);
  const sky = paintSky(canvas, { ...idea, light: idea.light === 'day' ? 'dawn' : idea.light }, mood, height * 0.6);
  const pale = mix(mood.haze, '#fff8dc', mood.light === 'night' ? 0 : 0.25);
  const layers = 5;
  const rows = many(layers, (i) => {
    const near = i / (layers - 1);
    const foot = height * (0.62 + 0.3 * near);
    const count = Math.round((width / 1200) * (30 - i * 5));
    const color = lit(mood, mix(base, '#0b1f16', near * 0.45), 0.92 * (1 - near));
    const d = many(count, (k) => fir((k + canvas.random() * 0.9) * (width * 1.05 / count) - width * 0.025, foot + canvas.between(0, 0.03) * height, height * (0.22 + 0.5 * near) * canvas.between(0.7, 1.15), () => canvas.random()));
    const floor = lit(mood, ground, 0.8 * (1 - near));
    return `<path fill="${color}" d="${d}"/>${canvas.band(foot - height * 0.01, height, `fill="${i === layers - 1 ? canvas.down(`0 ${floor},1 ${mix(floor, '#0c140c', 0.45)}`) : floor}"`)}${canvas.band(foot - height * 0.3, height * 0.32, `fill="${canvas.down(`0 ${pale} 0,1 ${pale} ${(0.78 * (1 - near) * (idea.hasFog ? 1 : 0.8)).toFixed(2)}`)}"`)}`;
  });
  const floor = canvas.clouds('.02 .06', lit(mood, mix(ground, '#10180c', 0.5)), 0.05);
  const rays = mood.light === 'night' || mood.light === 'grey' ? '' : `<g filter="${canvas.blur(14)}" opacity=".26">${many(6, (i) => { const x = width * (0.05 + 0.18 * i); return `<path d="M${sky.sunX.toFixed(0)} ${(sky.sunY * 0.6).toFixed(0)}L${x.toFixed(0)} ${height}H${(x + width * 0.06).toFixed(0)}Z" fill="#fff6c8"/>`; })}</g>`;
  const path = `<path d="M${width * 0.47} ${height * 0.9}Q${width * 0.56} ${height * 0.94} ${width * 0.38} ${height}H${width * 0.7}Q${width * 0.62} ${height * 0.94} ${width * 0.5} ${height * 0.9}Z" fill="${lit(mood, idea.season === 'winter' ? '#c9d5de' : '#a58a5c', 0.1)}" opacity=".8"/>`;
  return `${sky.svg}${rows}${path}<g opacity=".6">${canvas.band(height * 0.9, height * 0.1, `filter="${floor}"`)}</g>${rays}`;
}

export function desert(canvas: Canvas, idea: Idea, mood: Mood): string {
  const { width, height } = canvas;
  const horizon = height * canvas.between(0.46, 0.56);
  const sky = paintSky(canvas, idea, { ...mood, cloudiness: mood.cloudiness - 0.2 }, horizon + height * 0.08);
  const layers = 4;
  const dunes = many(layers, (i) => {
    const near = i / (layers - 1);
    const y = horizon + (height - horizon) * (0.06 + 0.55 * near);
    const crest = width * canvas.between(0.2, 0.8);
    const top = y - height * (0.05 + 0.11 * near);
    const [bright, dark] = [lit(mood, mix('#efb96e', '#d9823a', near), 0.6 * (1 - near)), lit(mood, mix('#b3703a', '#6f3a1c', near), 0.6 * (1 - near))];
    const [c, t, h, w] = [crest.toFixed(0), top.toFixed(0), height, width];
    return `<path d="M0 ${h}V${(y + 10).toFixed(0)}C${(crest * 0.45).toFixed(0)} ${(y - 4).toFixed(0)} ${(crest * 0.7).toFixed(0)} ${t} ${c} ${t}C${(crest + (w - crest) * 0.35).toFixed(0)} ${t} ${(crest + (w - crest) * 0.6).toFixed(0)} ${(y + 14).toFixed(0)} ${w} ${y.toFixed(0)}V${h}Z" fill="${canvas.down(`0 ${bright},1 ${mix(bright, dark, 0.55)}`)}"/>
      <path d="M${c} ${t}C${(crest + width * 0.06).toFixed(0)} ${(top + height * 0.07).toFixed(0)} ${(crest - width * 0.06).toFixed(0)} ${(top + height * 0.13).toFixed(0)} ${(crest + width * 0.08).toFixed(0)} ${h}H${w}V${y.toFixed(0)}C${(crest + (w - crest) * 0.6).toFixed(0)} ${(y + 14).toFixed(0)} ${(crest + (w - crest) * 0.35).toFixed(0)} ${t} ${c} ${t}Z" fill="${dark}" opacity=".82"/>`;
  });
  const sand = canvas.clouds('.008 .13', lit(mood, '#6e3814'), 0.12);
  return `${sky.svg}${dunes}<g opacity=".34">${canvas.band(horizon + height * 0.05, height - horizon, `filter="${sand}"`)}</g>${balloons(canvas, idea, mood, horizon)}`;
}
