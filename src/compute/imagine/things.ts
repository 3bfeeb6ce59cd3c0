import { type Canvas, many, mix } from './canvas.ts';
import { lit, type Mood } from './sky.ts';

/** Things stand on the point x, y; `size` is about their height in units. */
export interface Place {
  x: number;
  y: number;
  size: number;
}

const at = ({ x, y, size }: Place, unit: number, body: string) => `<g transform="translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${(size / unit).toFixed(4)})">${body}</g>`;

/** Drawn 100 high. The light comes from the right. */
export function boat(canvas: Canvas, mood: Mood, place: Place, color = '#c8342c'): string {
  const sail = lit(mood, '#faf6ea', 0.05);
  const hull = lit(mood, color);
  return at(place, 100, `<path d="M-44 2Q0 14 46 2L40 8Q0 18-38 8Z" fill="#fff" opacity=".35"/><path d="M-1-96H1V-14H-1Z" fill="${lit(mood, '#5b4029')}"/>
    <path d="M3-94Q46-50 40-20Q22-24 3-20Z" fill="${sail}"/><path d="M-3-84Q-30-46-36-20Q-18-24-3-20Z" fill="${mix(sail, mood.shade.color, 0.14)}"/><path d="M3-52Q22-56 38-46L40-38Q22-46 3-42Z" fill="${hull}"/>
    <path d="M-42-13H44Q36 3 26 5H-28Q-38 2-42-13Z" fill="${hull}"/><path d="M-42-13H44L42-9H-41Z" fill="${lit(mood, '#fbf7ee')}"/><path d="M-35-2Q0 4 38-3Q34 4 26 5H-28Q-33 3-35-2Z" fill="#000" opacity=".22"/>`);
}

export function balloon(canvas: Canvas, mood: Mood, place: Place, color?: string | null): string {
  const colors = color ? [color, mix(color, '#ffffff', 0.72), mix(color, '#1c1c30', 0.3)] : canvas.pick([['#e23b2e', '#ffc93c', '#2463b5'], ['#6c3fa8', '#f6c945', '#e84a7a'], ['#1f9e8f', '#fff4d6', '#f08a24'], ['#2463b5', '#ffffff', '#e23b2e']]);
  const stripes = many(7, (i) => `<ellipse cy="-65" rx="${(46 * Math.cos((i * Math.PI) / 14)).toFixed(1)}" ry="58" fill="${lit(mood, colors[i % 3]!, 0.05)}"/>`);
  const clip = `b${canvas.random().toString(36).slice(2, 9)}`;
  return at(place, 140, `<clipPath id="${clip}"><path d="M0-122C36-122 48-92 42-68C37-48 17-34 9-24H-9C-17-34-37-48-42-68C-48-92-36-122 0-122Z"/></clipPath>
    <g clip-path="url(#${clip})">${stripes}<rect x="-50" y="-124" width="100" height="104" fill="${canvas.across('0 #000 .34,.35 #000 .06,.62 #fff .22,.8 #fff .04,1 #000 .26')}"/></g>
    <path d="M-9-24L-6-13M9-24L6-13" stroke="${lit(mood, '#3d2b1a')}" stroke-width="1"/><rect x="-7" y="-13" width="14" height="12" rx="2" fill="${lit(mood, '#7c5230')}"/>`);
}

export function house(canvas: Canvas, mood: Mood, place: Place, color?: string | null): string {
  const wall = lit(mood, color ?? canvas.pick(['#f1e6d2', '#e9dccb', '#d8c3a5', '#efe9df']));
  const roof = lit(mood, canvas.pick(['#9a4630', '#7a4334', '#5c5048']));
  const pane = mood.light === 'night' || mood.light === 'sunset' ? '#ffd27a' : lit(mood, '#5d7385');
  const window = (x: number, y: number) => `<rect x="${x}" y="${y}" width="9" height="11" fill="${pane}" stroke="${lit(mood, '#fffaf0')}" stroke-width="1.4"/>`;
  return at(place, 80, `<ellipse cx="6" cy="1" rx="56" ry="4" fill="#000" opacity=".22"/><rect x="20" y="-76" width="8" height="22" fill="${mix(roof, '#000000', 0.25)}"/>
    <rect x="-38" y="-38" width="50" height="39" fill="${mix(wall, '#20202c', 0.16)}"/><path d="M12 1V-38L27-62L42-38V1Z" fill="${wall}"/><path d="M-44-36L-30-66H30L13-36Z" fill="${roof}"/><path d="M30-67L47-37L43-35L28-62L14-35L10-36Z" fill="${mix(roof, '#000000', 0.3)}"/>
    ${window(-31, -27)}${window(-14, -27)}${window(23, -42)}<rect x="22" y="-20" width="11" height="21" fill="${lit(mood, '#5b3a24')}"/>`);
}

export function lighthouse(canvas: Canvas, mood: Mood, place: Place, color = '#c8342c'): string {
  const shines = mood.light === 'night' || mood.light === 'sunset' || mood.light === 'grey';
  const rock = lit(mood, '#6b6560');
  const tower = (from: number, to: number, fill: string) => `<path d="M${-9 + from * 3} ${-18 - from * 62}L${-9 + to * 3} ${-18 - to * 62}H${9 - to * 3}L${9 - from * 3} ${-18 - from * 62}Z" fill="${fill}"/>`;
  return at(place, 110, `${shines ? `<path d="M0-86L-330-128V-60ZM0-86L330-52V-118Z" fill="${canvas.across('0 #fff3c0 0,.5 #fff3c0 .55,1 #fff3c0 0')}"/>` : ''}
    <path d="M-70 6Q-52-12-34-12Q-22-24-6-20Q18-26 30-12Q54-10 74 6Z" fill="${rock}"/><path d="M-6-20Q18-26 30-12Q54-10 74 6H20Q16-10-6-20Z" fill="#000" opacity=".25"/>
    ${many(5, (i) => tower(i / 5, (i + 1) / 5, lit(mood, i % 2 ? color : '#f7f3ea')))}<path d="M1-18V-80H6L9-18Z" fill="#000" opacity=".16"/><rect x="-9" y="-83" width="18" height="3" fill="${lit(mood, '#2b2b33')}"/>
    <rect x="-5" y="-93" width="10" height="10" fill="${shines ? '#fff0b0' : lit(mood, '#9fb6c0')}"/><path d="M-7-93H7L0-102Z" fill="${lit(mood, color)}"/>`);
}

/** A leafy tree: a cloud of leaves, dark below and bright above. */
export function tree(canvas: Canvas, mood: Mood, place: Place, color: string, distance = 0): string {
  const leaf = (x: number, y: number, radius: number, shade: number) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${radius.toFixed(1)}" fill="${lit(mood, mix(color, shade < 0 ? '#10200e' : '#f2e890', Math.abs(shade)), distance)}"/>`;
  // What is large is looked at closely.
  const count = place.size > 200 ? 190 : 46;
  const leaves = many(count, (i) => {
    const angle = canvas.random() * Math.PI * 2;
    const reach = Math.sqrt(canvas.random());
    const [x, y] = [Math.cos(angle) * reach * 27, -62 + Math.sin(angle) * reach * 27];
    return leaf(x, y, canvas.between(5, 10) * (1 - i / (2 * count)) * Math.sqrt(Math.sqrt(46 / count)), ((x - y - 62) / 60) * 0.34 - 0.3 + (i / count) * 0.32);
  });
  return at(place, 100, `<ellipse cx="-6" cy="0" rx="30" ry="4" fill="#000" opacity=".2"/><path d="M-5 0Q-2-24-2.500-40L-15-60L-12-62L0-46L1-66H3L3-46L16-62L18-60L4-40Q3-24 6 0Q0-2-5 0Z" fill="${lit(mood, '#4b3624', distance)}"/>${leaves}`);
}

export function flower(canvas: Canvas, mood: Mood, place: Place, color: string, name = ''): string {
  const petal = lit(mood, color);
  const lean = canvas.between(-10, 10).toFixed(0);
  const stem = `<path d="M-1.4-78Q3-40 0 0H3Q6-40 1.4-78Z" fill="${lit(mood, '#3f7d2c')}"/><path d="M2-8Q-20-24-18-50Q-4-34 3-10ZM2-4Q18-20 18-40Q6-28 1-8Z" fill="${lit(mood, '#558f38')}"/>`;
  const isTulip = name === 'tulip' || (name !== 'daisy' && name !== 'sunflower' && canvas.random() < 0.5);
  const head = isTulip
    ? `<path d="M-14-92Q-17-68 0-66Q17-68 14-92Q8-86 6-82Q4-96 0-100Q-4-96-6-82Q-8-86-14-92Z" fill="${petal}"/><path d="M0-66Q17-68 14-92Q8-86 6-80Q6-70 0-66Z" fill="#000" opacity=".16"/>`
    : `${many(9, (i) => `<ellipse cx="0" cy="-13" rx="5" ry="11" transform="translate(0 -84) rotate(${i * 40})" fill="${i % 2 ? petal : mix(petal, '#ffffff', 0.16)}"/>`)}<circle cy="-84" r="6.5" fill="${lit(mood, '#e9b52c')}"/><circle cx="1.5" cy="-83" r="4" fill="${lit(mood, '#a8741c')}" opacity=".55"/>`;
  return `<g transform="rotate(${lean} ${place.x.toFixed(1)} ${place.y.toFixed(1)})">${at(place, 100, stem + head)}</g>`;
}

export const birds = (canvas: Canvas, mood: Mood, { x, y, size }: Place, count: number) => `<g fill="none" stroke="${lit(mood, '#2c2f38', 0.15)}" stroke-linecap="round">${many(count, () => {
  const [left, top, wing] = [x + canvas.between(-1, 1) * size * 3, y + canvas.between(-1, 1) * size, size * canvas.between(0.14, 0.34)];
  return `<path d="M${(left - wing).toFixed(1)} ${(top - wing * canvas.between(0.1, 0.5)).toFixed(1)}Q${(left - wing * 0.4).toFixed(1)} ${(top - wing * 0.5).toFixed(1)} ${left.toFixed(1)} ${top.toFixed(1)}Q${(left + wing * 0.4).toFixed(1)} ${(top - wing * 0.55).toFixed(1)} ${(left + wing).toFixed(1)} ${(top - wing * canvas.between(0, 0.4)).toFixed(1)}" stroke-width="${(wing / 7).toFixed(1)}"/>`;
})}</g>`;

export function car(canvas: Canvas, mood: Mood, place: Place, color = '#d0342c'): string {
  const paint = lit(mood, color);
  const glass = mood.light === 'night' ? '#26324a' : lit(mood, '#9fc0d2');
  const lamp = mood.light === 'night' || mood.light === 'sunset' ? `<circle cx="97" cy="-24" r="26" fill="${canvas.glow('0 #fff3c0 .9,1 #fff3c0 0')}"/>` : '';
  const wheel = (x: number) => `<circle cx="${x}" cy="-10" r="16" fill="#15171b"/><circle cx="${x}" cy="-10" r="10" fill="${lit(mood, '#c3c9d0')}"/><circle cx="${x}" cy="-10" r="7.5" fill="${lit(mood, '#5c636d')}"/>${many(5, (i) => `<path d="M-1.6-10L-1.2-18H1.2L1.6-10Z" fill="${lit(mood, '#d9dee5')}" transform="translate(${x} 0) rotate(${i * 72} 0 -10)"/>`)}`;
  return at(place, 78, `<ellipse cx="0" cy="5" rx="104" ry="6" fill="#000" opacity=".4" filter="${canvas.blur(2.5)}"/>
    <path d="M-100-12Q-104-31-94-37Q-76-43-56-45Q-34-69-10-73Q22-77 46-69Q62-63 80-46Q98-43 104-36Q107-26 105-12Q104-7 99-7H-94Q-100-7-100-12Z" fill="${paint}"/>
    <path d="M-100-12Q-104-31-94-37Q0-26 104-36Q107-26 105-12Q104-7 99-7H-94Q-100-7-100-12Z" fill="#000" opacity=".17"/><path d="M-94-37Q0-50 98-41" fill="none" stroke="#fff" stroke-width="1.6" opacity=".55"/>
    <path d="M-46-46Q-30-66-10-69L8-70V-46Z" fill="${glass}"/><path d="M13-70Q34-71 46-66Q58-59 68-46H13Z" fill="${glass}"/><path d="M-36-47L-18-66L-10-69L-25-47ZM21-47L31-70L37-69L29-47Z" fill="#fff" opacity=".28"/>
    <path d="M92-35Q102-34 103-25L94-26Z" fill="#fff6d8"/><path d="M-98-33L-89-35L-90-25H-99Z" fill="#ff5b3c"/><path d="M-80-8A22 22 0 0 1-36-8ZM36-8A22 22 0 0 1 80-8Z" fill="#17191d"/>${wheel(-58)}${wheel(58)}${lamp}`);
}
