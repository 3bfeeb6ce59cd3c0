import { type Canvas, many, mix } from './canvas.ts';
import type { Idea, Wish } from './idea.ts';
import type { Mood } from './sky.ts';
import { flower } from './things.ts';

const indoors: Mood = { light: 'day', sky: '', horizon: '#ffffff', haze: '#ffffff', sun: '#ffffff', cloud: '#ffffff', cloudiness: 0, shade: { color: '#000000', share: 0 }, water: ['#ffffff', '#ffffff', '#ffffff'] };

/** Turned things on a table before a wall; the light comes from the left. */
export function table(canvas: Canvas, idea: Idea): string {
  const { width, height } = canvas;
  const wall = idea.tint ? mix(idea.tint, '#f4efe6', 0.55) : canvas.pick(['#d9cfc1', '#b9c4c2', '#cdb9a8', '#9fb0b8', '#e2d8c8']);
  const wood = canvas.pick(['#8a5a36', '#a3744a', '#6e4a30', '#c9b79c']);
  const edge = height * 0.66;
  const things = placed(idea.things, canvas);
  const unit = Math.min(height * 0.5, (width * 0.8) / Math.max(1.4, things.length * 0.72));
  const grain = canvas.clouds('.004 .09', mix(wood, '#1c0f06', 0.7), 0);
  const foot = edge + (height - edge) * 0.42;
  const spread = Math.min(width * 0.84, things.length * unit * 0.74);
  const pieces = things.map((wish, i) => {
    const x = width / 2 + ((i + 0.5) / things.length - 0.5) * spread;
    return { x, y: foot + (i % 2 ? 0.1 : -0.02) * (height - edge), wish };
  }).sort((one, other) => one.y - other.y);
  return `${canvas.band(0, edge + 1, `fill="${canvas.across(`0 ${mix(wall, '#ffffff', 0.35)},.5 ${wall},1 ${mix(wall, '#20202a', 0.38)}`)}"`)}<ellipse cx="${width * 0.28}" cy="${height * 0.22}" rx="${width * 0.5}" ry="${height * 0.42}" fill="${canvas.glow('0 #fff .5,1 #fff 0')}"/>
    ${canvas.band(edge, height - edge, `fill="${canvas.down(`0 ${mix(wood, '#ffffff', 0.14)},1 ${mix(wood, '#140a04', 0.4)}`)}"`)}<g opacity=".5">${canvas.band(edge, height - edge, `filter="${grain}"`)}</g>${canvas.band(edge, 5, 'fill="#000" opacity=".18"')}
    ${pieces.map(({ x, y, wish }) => `<g transform="translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${(unit / 100).toFixed(3)})">${shadow(canvas)}${piece(canvas, wish)}</g>`).join('')}`;
}

const kinds = new Set(['mug', 'fruit', 'bottle']);

/** What was wished for, or a still life; each in its number, at most seven. */
function placed(wishes: Wish[], canvas: Canvas): Wish[] {
  // Flowers stand in a vase, and a vase has flowers: together they are one thing, in the flowers' colour.
  const bunch = wishes.find(({ thing }) => thing === 'flower') ?? wishes.find(({ thing }) => thing === 'vase');
  const known = [...wishes.filter(({ thing }) => kinds.has(thing)), ...(bunch ? [{ ...bunch, thing: 'vase' as const, count: 1 }] : [])];
  const list: Wish[] = known.length > 0 ? known : canvas.pick([['bottle', 'fruit', 'mug'], ['vase', 'fruit'], ['mug', 'fruit']] as const).map((thing) => ({ thing, name: thing, color: null, count: thing === 'fruit' ? 3 : 1 }));
  return list.flatMap((wish) => Array.from({ length: wish.count }, () => wish)).slice(0, 7);
}

const shadow = (canvas: Canvas) => `<ellipse cx="26" cy="1" rx="52" ry="8" fill="#000" opacity=".42" filter="${canvas.blur(5)}"/><ellipse cx="4" cy="0" rx="26" ry="4" fill="#000" opacity=".5" filter="${canvas.blur(2)}"/>`;

/** Dark at the sides, bright left of the middle: a round body. */
const round = (canvas: Canvas, color: string) => canvas.across(`0 ${mix(color, '#000000', 0.28)},.26 ${mix(color, '#ffffff', 0.5)},.45 ${color},1 ${mix(color, '#08060c', 0.62)}`);

function piece(canvas: Canvas, { thing, name, color }: Wish): string {
  if (thing === 'mug') return mug(canvas, color ?? canvas.pick(['#f4f3ef', '#2f6fc4', '#e8b23a', '#c8503c', '#4c8c7a']));
  if (thing === 'bottle') return bottle(canvas, color ?? canvas.pick(['#24503a', '#5a2a20', '#2f4a6a']));
  if (thing === 'vase') return vase(canvas, canvas.pick(['#e9e4d8', '#3a6a88', '#c9784c', '#5c5a66']), color, name);
  return fruit(canvas, color ?? canvas.pick(['#c8342c', '#f08a24', '#f3d13c', '#8cb43c', '#6a3468']));
}

const mug = (canvas: Canvas, color: string) => `<path d="M24-44Q48-46 46-26Q44-6 22-8V-14Q37-14 38-27Q38-38 24-37Z" fill="${mix(color, '#08060c', 0.4)}"/><path d="M-28-54H28L25-8Q24 2 12 2H-12Q-24 2-25-8Z" fill="${round(canvas, color)}"/>
  <ellipse cy="-54" rx="28" ry="6" fill="${mix(color, '#ffffff', 0.4)}"/><ellipse cy="-53.4" rx="25.5" ry="4.8" fill="${mix(color, '#000000', 0.5)}"/><ellipse cy="-52" rx="23" ry="3.6" fill="#3a1f10"/>
  ${many(3, (i) => `<path d="M${-10 + i * 9}-62q-6-9 0-17t0-17" fill="none" stroke="#fff" stroke-width="3" opacity=".22" filter="${canvas.blur(2)}"/>`)}`;

const bottle = (canvas: Canvas, color: string) => `<path d="M-6-112H6V-84Q6-76 13-68Q18-62 18-52V-4Q18 2 11 2H-11Q-18 2-18-4V-52Q-18-62-13-68Q-6-76-6-84Z" fill="${round(canvas, color)}" opacity=".96"/><rect x="-7.5" y="-116" width="15" height="9" rx="2" fill="#3a2a1c"/>
  <rect x="-18" y="-46" width="36" height="28" fill="${canvas.across('0 #cfc4a6,.3 #fbf5e2,1 #8c8264')}"/><path d="M-12-38H12M-9-32H9M-12-26H8" stroke="#7a6c4a" stroke-width="2"/><path d="M-12-64Q-14-58-13.500-10" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" opacity=".5"/>`;

const vase = (canvas: Canvas, color: string, petals: string | null, name: string) => `${many(9, (i) => flower(canvas, indoors, { x: (i - 4) * 4.5, y: -48, size: canvas.between(46, 66) * (1 - Math.abs(i - 4) * 0.04) }, petals ?? canvas.pick(['#e8506a', '#f7b731', '#f4f0ff', '#c04fd0', '#ff7f5c']), name).replace(/rotate\(-?\d+/, `rotate(${(i - 4) * 11}`))}
  <path d="M-12-60H12Q9-50 18-38Q28-26 22-10Q18 2 8 2H-8Q-18 2-22-10Q-28-26-18-38Q-9-50-12-60Z" fill="${round(canvas, color)}"/><ellipse cy="-60" rx="12" ry="2.600" fill="${mix(color, '#000000', 0.45)}"/>`;

function fruit(canvas: Canvas, color: string): string {
  return `<g transform="scale(.9)"><path d="M0 2C-22 2-29-14-27-26C-25-40-10-45 0-39C10-45 25-40 27-26C29-14 22 2 0 2Z" fill="${round(canvas, color)}"/><ellipse cx="-10" cy="-27" rx="9" ry="11" fill="${canvas.glow('0 #fff .75,1 #fff 0')}"/><path d="M-9-38Q0-33 9-38" fill="none" stroke="${mix(color, '#000000', 0.5)}" stroke-width="2" opacity=".6"/>
    <path d="M0-37Q1-46 5-50" fill="none" stroke="#4b3220" stroke-width="2.600" stroke-linecap="round"/><path d="M4-46Q14-56 24-48Q14-40 4-46Z" fill="#4c8c3a"/></g>`;
}
