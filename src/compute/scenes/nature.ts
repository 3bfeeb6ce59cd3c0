import { blur, clouds, glow, gradient, many, scene, seeded, type Scene } from './brush.ts';

const whole = 'width="1200" height="800"';

export function sunset(): Scene {
  const random = seeded(7);
  return scene(1200, 800,
    gradient('sky', '0 #23305f,.35 #7a4079,.65 #e3684f,.9 #ffb454,1 #ffd27a')
    + gradient('sea', '0 #e08a55,.15 #a4545a,.5 #4a3560,1 #151b3d')
    + glow('sun', '0 #fff3c4,.13 #ffe49a,.16 #ffc564 .75,.5 #ff9a4c .3,1 #ff8a4c 0')
    + clouds('far', { frequency: '.0035 .016', color: [255, 176, 122], density: 0.1, seed: 4 })
    + clouds('near', { frequency: '.005 .03', color: [88, 44, 92], density: 0, seed: 11 })
    + clouds('waves', { frequency: '.008 .09', color: [20, 20, 50], density: 0.2, seed: 3 }) + blur('soft', 1.2),
    `<rect ${whole} fill="url(#sky)"/><rect width="1200" height="430" filter="url(#far)" opacity=".8"/><rect width="1200" height="380" filter="url(#near)" opacity=".7"/>
    <circle cx="760" cy="465" r="420" fill="url(#sun)"/>
    <path d="M0 505V446Q60 428 120 440T250 432T360 462T470 478T600 503V505Z" fill="#3a2a50"/><path d="M1200 505V470Q1140 462 1090 484T980 503V505Z" fill="#5a3a58"/>
    <rect y="500" width="1200" height="300" fill="url(#sea)"/><rect y="500" width="1200" height="300" filter="url(#waves)" opacity=".55"/>
    <g filter="url(#soft)">${many(330, () => {
      const depth = random() ** 1.6;
      const spread = (random() - 0.5) * (70 + 330 * depth);
      return `<ellipse cx="${760 + spread}" cy="${504 + depth * 290}" rx="${3 + 26 * depth * random()}" ry="${0.8 + 2.2 * depth}" fill="#ffd892" opacity="${0.35 + 0.6 * random()}"/>`;
    })}</g>`);
}

/** A fir that stands on `base`, as the `d` of a path. */
export function fir(x: number, base: number, height: number, random: () => number): string {
  const tiers = 9;
  const side = (sign: number) => Array.from({ length: tiers }, (_, tier) => {
    const y = base - height + ((tier + 1) / tiers) * height * 0.94;
    const reach = sign * height * 0.19 * ((tier + 1) / tiers) * (0.8 + 0.4 * random());
    return [`${x + reach} ${y}`, `${x + reach * 0.45} ${y - height * 0.012}`];
  });
  return `M${x} ${base - height}L${side(1).flat().join('L')}L${x + height * 0.015} ${base}L${x - height * 0.015} ${base}L${side(-1).reverse().flatMap((pair) => pair.reverse()).join('L')}Z`;
}

export function forest(): Scene {
  const random = seeded(21);
  const layers = ['#a9bfae', '#7f9f8c', '#54806a', '#2f5e49', '#173c2c'];
  return scene(1200, 800,
    gradient('sky', '0 #dfe6cf,.5 #f4ecc8,1 #b9cdb4') + glow('sun', '0 #fffbe2,.4 #fff4c2 .6,1 #fff4c2 0') + gradient('mist', '0 #eef0da 0,1 #eef0da .75')
    + clouds('floor', { frequency: '.02 .05', color: [96, 128, 52], density: 0.3, seed: 6 }) + blur('rays', 14),
    `<rect ${whole} fill="url(#sky)"/><circle cx="820" cy="190" r="420" fill="url(#sun)"/>
    ${layers.map((color, layer) => {
      const base = 520 + layer * 62;
      return `<path fill="${color}" d="${many(26 - layer * 3, (i) => fir((i + random() * 0.9) * (1260 / (26 - layer * 3)) - 30, base + random() * 20, (190 + layer * 95) * (0.7 + 0.5 * random()), random))}"/>
        <rect y="${base - 8}" width="1200" height="${820 - base}" fill="${color}"/><rect y="${base - 220}" width="1200" height="230" fill="url(#mist)" opacity="${0.75 - layer * 0.15}"/>`;
    }).join('')}
    <g filter="url(#rays)" opacity=".28">${many(6, (i) => `<path d="M820 150L${200 + i * 210} 800L${270 + i * 215} 800Z" fill="#fff6c8"/>`)}</g>
    <rect y="740" width="1200" height="60" filter="url(#floor)" opacity=".8"/>`);
}

export function mountains(): Scene {
  const random = seeded(5);
  const peak = (x: number, top: number, reach: number) => {
    const points = (sign: number) => many(9, (i) => `L${(x + sign * ((i + 1) / 9) * reach * (0.94 + 0.12 * random())).toFixed(0)} ${(top + ((i + 1) / 9) ** 0.9 * (470 - top)).toFixed(0)}`);
    const snow = (sign: number) => many(8, (i) => `L${x + sign * reach * (0.42 - i * 0.05)} ${top + (470 - top) * (0.42 - i * 0.055 + (i % 2 ? 0.13 : 0) * random())}`);
    return `<path d="M${x} ${top}${points(-1)}L${x} 480Z" fill="#77869f"/><path d="M${x} ${top}${points(1)}L${x} 480Z" fill="#485671"/>
      <path d="M${x} ${top}L${x - reach * 0.42} ${top + (470 - top) * 0.44}${snow(-1)}L${x} ${top + (470 - top) * 0.5}Z" fill="#f8fafc"/>
      <path d="M${x} ${top}L${x + reach * 0.42} ${top + (470 - top) * 0.44}${snow(1)}L${x} ${top + (470 - top) * 0.34}Z" fill="#bccbdd"/>`;
  };
  const range = `${peak(210, 190, 330)}${peak(980, 220, 300)}${peak(640, 90, 390)}${peak(420, 270, 240)}${peak(840, 290, 210)}`;
  const trees = `<path fill="#1c3b33" d="${many(64, (i) => fir(i * 19 + random() * 10, 492, 36 + 46 * random(), random))}"/>`;
  return scene(1200, 800,
    gradient('sky', '0 #3f7fc1,.6 #a9d0ea,1 #e6f1f4') + gradient('lake', '0 #2f6f86 .35,1 #0f3b52 .92') + clouds('cloud', { frequency: '.004 .012', color: [255, 255, 255], density: 0.12, seed: 9 })
    + clouds('rock', { frequency: '.03 .05', color: [30, 40, 60], density: 0.1, seed: 2 }) + clouds('ripple', { frequency: '.006 .12', color: [230, 245, 255], density: -0.1, seed: 8 }) + blur('soft', 2.5),
    `<rect ${whole} fill="url(#sky)"/><rect width="1200" height="420" filter="url(#cloud)" opacity=".85"/>${range}
    <g opacity=".25"><clipPath id="land"><path d="M0 480L0 300L210 190L420 270L640 90L840 290L980 220L1200 380L1200 480Z"/></clipPath><rect width="1200" height="480" filter="url(#rock)" clip-path="url(#land)"/></g>${trees}
    <g transform="matrix(1 0 0 -.66 0 812)" filter="url(#soft)"><rect y="0" width="1200" height="490" fill="url(#sky)"/>${range}${trees}</g>
    <rect y="488" width="1200" height="312" fill="url(#lake)"/><rect y="488" width="1200" height="312" filter="url(#ripple)" opacity=".3"/>`);
}

export function desert(): Scene {
  return scene(1200, 800,
    gradient('sky', '0 #4a90c4,.7 #c4dce3,1 #f3e2c3') + gradient('lit', '0 #f0b468,1 #d98a3d') + gradient('shade', '0 #9a5526,1 #6f3a1c') + gradient('front', '0 #e9a452,1 #c06f2b')
    + clouds('sand', { frequency: '.008 .14', color: [110, 56, 20], density: 0.15, seed: 14 }) + glow('sun', '0 #fff,.12 #fffbe6,.16 #fff3c4 .5,1 #fff3c4 0'),
    `<rect ${whole} fill="url(#sky)"/><circle cx="240" cy="150" r="230" fill="url(#sun)"/>
    <path d="M0 470Q200 400 420 440T820 410T1200 460V800H0Z" fill="#dba86c"/>
    <path d="M0 800V520C180 500 330 330 560 360C760 390 860 520 1200 540V800Z" fill="url(#lit)"/><path d="M560 360C640 440 560 520 700 640C760 700 900 760 1000 800H1200V540C860 520 760 390 560 360Z" fill="url(#shade)"/>
    <path d="M0 690C220 600 420 560 640 640S1000 740 1200 640V800H0Z" fill="url(#front)"/><path d="M640 640C760 690 700 740 820 800L1200 800V640C1080 700 860 700 640 640Z" fill="#8f4d22" opacity=".85"/>
    <clipPath id="dunes"><path d="M0 520C180 500 330 330 560 360C760 390 860 520 1200 540V800H0Z"/></clipPath><rect y="350" width="1200" height="450" filter="url(#sand)" clip-path="url(#dunes)" opacity=".4"/>
    ${many(4, (i) => `<g transform="translate(${300 + i * 62} ${462 - i * 14 + (i % 2) * 4}) scale(.62)" fill="#3b2214"><ellipse rx="26" ry="12"/><circle cx="-4" cy="-12" r="11"/><path d="M20 -4Q34 -8 36 -30L48 -28L46 -22L41 -22Q40 2 22 6ZM-18 4L-20 44L-15 44L-11 6ZM12 4L14 44L19 44L19 4Z"/></g>`)}`);
}

export function flowers(): Scene {
  const random = seeded(33);
  const colors = ['#e8384f', '#f7b731', '#f78fb3', '#e15fed', '#ffffff', '#ff6b35'];
  const tulip = (x: number, y: number, size: number) => {
    const color = colors[Math.floor(random() * colors.length)];
    return `<g transform="translate(${x} ${y}) scale(${size}) rotate(${(random() - 0.5) * 16})"><path d="M-2 20Q6 90 0 190H6Q12 90 4 20Z" fill="#4c8c2b"/><path d="M2 170Q-34 130 -30 70Q-4 110 5 170Z" fill="#5fa83a"/>
      <path d="M-26 -22Q-30 30 0 32Q30 30 26 -22Q14 -12 12 -2Q8 -30 0 -36Q-8 -30 -12 -2Q-14 -12 -26 -22Z" fill="${color}"/><path d="M0 32Q30 30 26 -22Q14 -12 12 2Q12 22 0 32Z" fill="#000" opacity=".14"/><path d="M-20 -10Q-22 20 -6 26Q-14 8 -12 -4Z" fill="#fff" opacity=".3"/></g>`;
  };
  return scene(1200, 800,
    gradient('sky', '0 #8fc7ea,.4 #dff0e4,.55 #9cc46a,1 #2f6b22') + blur('far', 9) + blur('middle', 3) + glow('sun', '0 #fffde0 .9,1 #fffde0 0'),
    `<rect ${whole} fill="url(#sky)"/><circle cx="950" cy="120" r="380" fill="url(#sun)"/><g filter="url(#far)">${many(70, () => `<circle cx="${random() * 1200}" cy="${330 + random() * 90}" r="${14 + random() * 26}" fill="#4d7d3a"/>`)}
    ${many(90, () => tulip(random() * 1200, 420 + random() * 100, 0.35 + random() * 0.2))}</g>
    <g filter="url(#middle)">${many(44, (i) => tulip(i * 28 + random() * 20, 500 + random() * 80, 0.6 + random() * 0.25))}</g>${many(17, (i) => tulip(i * 74 + random() * 34, 560 + random() * 130, 1.1 + random() * 0.5))}`);
}
