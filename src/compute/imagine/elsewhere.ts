import { letters } from '../scenes/letters.ts';
import { type Canvas, many, mix } from './canvas.ts';
import type { Idea } from './idea.ts';
import { lit, type Mood, paintSky } from './sky.ts';
import { birds, car } from './things.ts';
import { balloons } from './water.ts';

export function town(canvas: Canvas, idea: Idea, mood: Mood): string {
  const { width, height } = canvas;
  const wanted = idea.things.find(({ thing }) => thing === 'car');
  const ground = height * (wanted ? 0.7 : 0.72);
  const sky = paintSky(canvas, idea, mood, ground);
  const glows = mood.light === 'night' ? 0.42 : mood.light === 'sunset' ? 0.2 : mood.light === 'grey' ? 0.08 : 0;
  const row = (count: number, tall: number, distance: number) => many(count, (i) => {
    const blockWidth = (width / count) * canvas.between(0.9, 1.25);
    const x = (i * width) / count - blockWidth * 0.1;
    const blockHeight = height * tall * (0.4 + 0.6 * canvas.random());
    const wall = lit(mood, canvas.pick(['#6d7486', '#8a7f78', '#57617a', '#9a8c80', '#4c5568']), distance);
    const columns = Math.max(2, Math.floor(blockWidth / 17));
    const floors = Math.floor(blockHeight / 22);
    const gap = blockWidth / columns;
    const panes = many(columns * floors, (k) => {
      const isLit = canvas.random() < glows * (1 - distance * 0.5);
      const tone = isLit ? canvas.pick(['#ffd98a', '#ffe9bd', '#ffb35c', '#cfe6ff']) : mix(wall, mood.light === 'day' || mood.light === 'dawn' ? '#dcecf6' : '#10162c', 0.35);
      return `<rect x="${(x + gap * (k % columns) + gap * 0.22).toFixed(1)}" y="${(ground - blockHeight + 12 + Math.floor(k / columns) * 22).toFixed(1)}" width="${(gap * 0.56).toFixed(1)}" height="12" fill="${tone}" opacity="${isLit ? 0.95 : 0.55}"/>`;
    });
    const roof = canvas.random() < 0.3 ? `<path d="M${(x + blockWidth / 2).toFixed(1)} ${(ground - blockHeight - height * 0.07).toFixed(1)}v${(height * 0.08).toFixed(1)}" stroke="${wall}" stroke-width="3"/>` : '';
    return `${roof}<rect x="${x.toFixed(1)}" y="${(ground - blockHeight).toFixed(1)}" width="${blockWidth.toFixed(1)}" height="${(blockHeight + 4).toFixed(1)}" fill="${canvas.across(`0 ${mix(wall, '#05070f', 0.22)},.7 ${wall},1 ${mix(wall, mood.horizon, 0.22)}`)}"/>${panes}`;
  });
  const skyline = row(Math.round(width / 62), 0.42, 0.62) + row(Math.round(width / 86), 0.5, 0.34) + row(Math.round(width / 120), wanted ? 0.44 : 0.4, 0.06);
  return `${sky.svg}${skyline}${wanted ? street(canvas, mood, ground) + car(canvas, mood, { x: width * 0.5, y: height * 0.89, size: Math.min(height * 0.24, width * 0.24) }, wanted.color ?? undefined) : river(canvas, mood, skyline, ground)}
    ${balloons(canvas, idea, mood, ground * 0.7)}${idea.things.some(({ thing }) => thing === 'bird') ? birds(canvas, mood, { x: width * 0.5, y: height * 0.15, size: height * 0.05 }, 6) : ''}`;
}

function street(canvas: Canvas, mood: Mood, ground: number): string {
  const { width, height } = canvas;
  const road = lit(mood, '#5b6067');
  const asphalt = canvas.clouds('.3 .55', lit(mood, '#1a1b20'), -0.1);
  return `${canvas.band(ground, height * 0.05, `fill="${lit(mood, '#a8a59c')}"`)}${canvas.band(ground + height * 0.045, height * 0.01, `fill="${lit(mood, '#6f6d68')}"`)}
    ${canvas.band(ground + height * 0.055, height, `fill="${canvas.down(`0 ${mix(road, mood.haze, 0.2)},1 ${mix(road, '#0c0d12', 0.5)}`)}"`)}<g opacity=".4">${canvas.band(ground + height * 0.055, height, `filter="${asphalt}"`)}</g>
    ${many(7, (i) => `<path d="M${(i - 0.4) * width * 0.19} ${height * 0.955}h${width * 0.1}l-6 ${height * 0.014}h-${width * 0.1}Z" fill="${lit(mood, '#f2efe2')}" opacity=".85"/>`)}`;
}

function river(canvas: Canvas, mood: Mood, skyline: string, bank: number): string {
  const { width, height } = canvas;
  const [near, middle, far] = mood.water;
  const ripple = canvas.clouds('.01 .14', mix(far, '#000010', 0.3), 0.25);
  return `<clipPath id="river"><rect y="${bank}" width="${width}" height="${height - bank}"/></clipPath><g clip-path="url(#river)">
    <g transform="matrix(1 0 0 -.9 0 ${(bank * 1.9).toFixed(1)})" filter="${canvas.blur(4.5)}">${canvas.band(0, bank, `fill="${canvas.down(mood.sky)}"`)}${skyline}</g>
    ${canvas.band(bank, height - bank, `fill="${canvas.down(`0 ${near} .25,.5 ${middle} .5,1 ${far} .92`)}"`)}${canvas.band(bank, height - bank, `filter="${ripple}" opacity=".6"`)}</g>${canvas.band(bank - 2, 5, `fill="${lit(mood, '#2a2c34', 0.1)}"`)}`;
}

export function space(canvas: Canvas, idea: Idea): string {
  const { width, height } = canvas;
  const tint = idea.tint ?? canvas.pick(['#7d4bb0', '#2f6fc4', '#c43c9c', '#1f8f92']);
  const other = canvas.pick(['#e0607c', '#ef8a2b', '#3f3d9c', '#35b6b4']);
  const star = (size: number) => `<circle cx="${(canvas.random() * width).toFixed(1)}" cy="${(canvas.random() * height).toFixed(1)}" r="${(size * canvas.between(0.4, 1)).toFixed(2)}" fill="${canvas.pick(['#fff', '#fff', '#ffe9c9', '#cfe0ff'])}" opacity="${canvas.between(0.3, 1).toFixed(2)}"/>`;
  const wish = idea.things.find(({ thing }) => thing === 'planet');
  const planets = wish || canvas.random() < 0.7 ? Math.min(wish?.count ?? 1, 4) : 0;
  const band = `rotate(${canvas.between(-35, 35).toFixed(0)} ${width / 2} ${height / 2})`;
  return `${canvas.band(0, height, `fill="${canvas.down('0 #05060f,.5 #0b0d22,1 #06060e')}"`)}
    <g transform="${band}"><ellipse cx="${width / 2}" cy="${height / 2}" rx="${width * 0.8}" ry="${height * 0.22}" fill="${canvas.glow(`0 ${mix(tint, '#ffffff', 0.35)} .55,.4 ${tint} .3,1 ${tint} 0`)}"/></g>
    <g transform="${band}" opacity=".9">${[[tint, -0.15], [other, -0.3], [mix(tint, '#ffffff', 0.6), -0.5], ['#05060f', 0]].map(([color, density], i) => `<rect x="${-width * 0.4}" y="${-height * 0.5}" width="${width * 1.8}" height="${height * 2}" filter="${canvas.clouds('.0035 .006', color as string, density as number)}" opacity="${[0.75, 0.6, 0.55, 0.8][i]}"/>`).join('')}</g>
    ${many(420, () => star(1.1))}${many(26, () => star(2.6))}${many(5, () => { const [x, y, r] = [canvas.random() * width, canvas.random() * height, canvas.between(10, 24)]; return `<circle cx="${x.toFixed(0)}" cy="${y.toFixed(0)}" r="${r.toFixed(0)}" fill="${canvas.glow('0 #fff .95,.15 #dfe8ff .5,1 #dfe8ff 0')}"/><path d="M${x} ${y - r * 1.6}V${y + r * 1.6}M${x - r * 1.6} ${y}H${x + r * 1.6}" stroke="#fff" stroke-width="1" opacity=".5"/>`; })}
    ${many(planets, (i) => planet(canvas, width * ((i + canvas.between(0.3, 0.7)) / planets), height * canvas.between(0.3, 0.7), Math.min(width, height) * canvas.between(0.1, 0.22) / Math.sqrt(planets), wish?.name === 'saturn', i === 0 && wish?.color ? wish.color : canvas.pick(['#c9825a', '#d8b98a', '#5d8fc4', '#8f6fb0', '#b0503c'])))}`;
}

function planet(canvas: Canvas, x: number, y: number, radius: number, isSaturn: boolean, color: string): string {
  const hasRing = isSaturn || canvas.random() < 0.4;
  const tilt = `rotate(${canvas.between(-25, 25).toFixed(0)})`;
  const ring = (half: string) => hasRing ? `<g transform="${tilt}"><path d="M${-radius * 1.9} 0A${radius * 1.9} ${radius * 0.42} 0 0 ${half} ${radius * 1.9} 0" fill="none" stroke="${mix(color, '#fff2d8', 0.5)}" stroke-width="${radius * 0.2}" opacity=".75"/><path d="M${-radius * 1.5} 0A${radius * 1.5} ${radius * 0.32} 0 0 ${half} ${radius * 1.5} 0" fill="none" stroke="${mix(color, '#3b2c1c', 0.3)}" stroke-width="${radius * 0.09}" opacity=".7"/></g>` : '';
  const clip = `p${canvas.random().toString(36).slice(2, 9)}`;
  return `<g transform="translate(${x.toFixed(1)} ${y.toFixed(1)})"><circle r="${radius * 1.25}" fill="${canvas.glow(`0 ${color} .5,.78 ${mix(color, '#ffffff', 0.4)} .35,1 ${color} 0`)}"/>${ring('1')}<clipPath id="${clip}"><circle r="${radius}"/></clipPath>
    <g clip-path="url(#${clip})"><rect x="${-radius}" y="${-radius}" width="${radius * 2}" height="${radius * 2}" fill="${color}"/><g transform="${tilt}">${many(9, (i) => `<ellipse cy="${(-1 + i * 0.25) * radius}" rx="${radius * 1.2}" ry="${radius * canvas.between(0.04, 0.12)}" fill="${mix(color, canvas.pick(['#ffffff', '#2a1a10']), canvas.between(0.1, 0.35))}" opacity=".7"/>`)}</g>
    <circle cx="${-radius * 0.55}" cy="${-radius * 0.45}" r="${radius * 2}" fill="${canvas.glow('0 #fff .25,.35 #fff 0,.6 #000 .15,.85 #000 .82,1 #000 .92')}"/></g>${ring('0')}</g>`;
}

/** Sheets of colour that lie over each other like paper. */
export function waves(canvas: Canvas, idea: Idea): string {
  const { width, height } = canvas;
  const families = [['#12355b', '#2f6fa8', '#7fb7d6', '#f2d7a0', '#e98a5a'], ['#2b1a4a', '#6a3d8f', '#c8628f', '#f29a7a', '#ffd7a8'], ['#0f3d3a', '#1f7a6c', '#6cbf9c', '#d7e6b0', '#f5f0d8'], ['#3a1c22', '#8f3038', '#d8603c', '#f0a850', '#f7e0a8']];
  const family = idea.tint ? ['#1b1b2c', mix(idea.tint, '#12121c', 0.5), idea.tint, mix(idea.tint, '#ffffff', 0.45), mix(idea.tint, '#fff4dc', 0.8)] : canvas.pick(families);
  const count = 9;
  const color = (share: number) => mix(family[Math.floor(share * 3.999)]!, family[Math.floor(share * 3.999) + 1]!, (share * 3.999) % 1);
  const paper = canvas.clouds('.6 .6', '#ffffff', -0.3);
  const shadow = canvas.blur(10);
  return `${canvas.band(0, height, `fill="${canvas.down(`0 ${mix(family[4]!, '#ffffff', 0.25)},1 ${family[4]}`)}"`)}<circle cx="${width * canvas.between(0.25, 0.75)}" cy="${height * 0.27}" r="${Math.min(width, height) * 0.12}" fill="${mix(family[3]!, '#ffffff', 0.35)}"/>
    ${many(count, (i) => {
      const y = height * (0.26 + (0.78 * i) / count);
      const swing = () => canvas.between(-0.1, 0.1) * height;
      const d = `M-40 ${height + 40}V${(y + swing()).toFixed(0)}C${width * 0.2} ${(y + swing() * 1.6).toFixed(0)} ${width * 0.35} ${(y + swing() * 1.6).toFixed(0)} ${width * 0.52} ${(y + swing()).toFixed(0)}S${width * 0.85} ${(y + swing() * 1.4).toFixed(0)} ${width + 40} ${(y + swing()).toFixed(0)}V${height + 40}Z`;
      const tone = color(1 - i / (count - 1));
      return `<path d="${d}" transform="translate(0 -8)" fill="#000" opacity=".28" filter="${shadow}"/><path d="${d}" fill="${canvas.down(`0 ${mix(tone, '#ffffff', 0.1)},1 ${mix(tone, '#000000', 0.12)}`)}"/>`;
    })}<g opacity=".12">${canvas.band(0, height, `filter="${paper}"`)}</g>`;
}

export function poster(canvas: Canvas, idea: Idea): string {
  const { width, height } = canvas;
  const base = idea.tint ?? canvas.pick(['#5b2be0', '#0f7a7c', '#c8342c', '#1f3566', '#e98a2b']);
  const unit = Math.min(width, height);
  const words = (idea.text ?? '').split(/\s+/).filter(Boolean);
  const longest = Math.max(4, ...words.map((word) => word.length));
  const size = Math.min((width * 0.84 * 6) / (longest * 6 - 2), height * 0.6 / Math.max(1, words.length) / 1.5, unit * 0.24);
  const top = (height - words.length * size * 1.5) / 2;
  const shape = (i: number) => { const [x, y, r] = [canvas.random() * width, canvas.random() * height, unit * canvas.between(0.08, 0.34)]; const fill = `fill="${mix(base, canvas.pick(['#ffffff', '#ffd23c', '#ff5c7a', '#101020']), canvas.between(0.2, 0.7))}" opacity="${canvas.between(0.25, 0.7).toFixed(2)}"`; return i % 3 === 0 ? `<circle cx="${x}" cy="${y}" r="${r}" ${fill}/>` : i % 3 === 1 ? `<path d="M${x} ${y - r}L${x + r} ${y + r}H${x - r}Z" ${fill} transform="rotate(${canvas.between(0, 90).toFixed(0)} ${x} ${y})"/>` : `<rect x="${x}" y="${y}" width="${r * 1.6}" height="${r * 0.5}" rx="${r * 0.25}" ${fill} transform="rotate(${canvas.between(-45, 45).toFixed(0)} ${x} ${y})"/>`; };
  return `${canvas.band(0, height, `fill="${canvas.down(`0 ${mix(base, '#ffffff', 0.12)},1 ${mix(base, '#10081c', 0.45)}`)}"`)}${many(9, shape)}${canvas.band(0, height, `fill="${base}" opacity=".28"`)}
    ${words.map((word, i) => letters(word, { x: width * 0.08, y: top + i * size * 1.5, size, color: '#ffffff', weight: 0.17 })).join('')}<rect x="${width * 0.08}" y="${top + words.length * size * 1.5 + size * 0.1}" width="${width * 0.3}" height="${Math.max(6, size * 0.08)}" fill="#ffd23c"/>`;
}
