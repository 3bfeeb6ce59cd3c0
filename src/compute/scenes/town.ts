import { blur, clouds, glow, gradient, many, ridge, scene, seeded, type Scene } from './brush.ts';

const whole = 'width="1200" height="800"';

export function redCar(): Scene {
  const random = seeded(12);
  const wheel = (x: number) => `<g transform="translate(${x} 600)"><circle r="66" fill="#16181c"/><circle r="44" fill="#c9ced6"/><circle r="36" fill="#5a616c"/>${many(5, (i) => `<path d="M-7 0L-5 -40H5L7 0Z" fill="#d9dee5" transform="rotate(${i * 72})"/>`)}<circle r="10" fill="#e9edf2"/></g>`;
  return scene(1200, 800,
    gradient('sky', '0 #6db1e4,1 #e4f0ee') + gradient('road', '0 #6b6f76,1 #3b3e44') + gradient('paint', '0 #f0574c,.35 #d8141e,.75 #a50a16,1 #5f0710') + gradient('glass', '0 #cfe6f2,.5 #5f7f93,1 #22323d')
    + gradient('meadow', '0 #86ab4d,1 #5d8836') + blur('far', 5) + blur('shadow', 12) + clouds('asphalt', { frequency: '.35 .6', color: [20, 20, 24], density: -0.1, seed: 5 })
    + clouds('cloud', { frequency: '.004 .014', color: [255, 255, 255], density: 0.05, seed: 31 }),
    `<rect ${whole} fill="url(#sky)"/><rect width="1200" height="480" filter="url(#cloud)"/>
    <g filter="url(#far)"><path d="${ridge(random, { width: 1200, height: 520, y: 400, rise: 150, steps: 60 })}" fill="#7c9fae"/><path d="${ridge(random, { width: 1200, height: 530, y: 450, rise: 80, steps: 40 })}" fill="#5d8a58"/>
    ${many(60, () => `<circle cx="${random() * 1200}" cy="${452 + random() * 30}" r="${16 + random() * 30}" fill="${random() > 0.5 ? '#3f7038' : '#568a41'}"/>`)}</g>
    <rect y="478" width="1200" height="110" fill="url(#meadow)"/><rect y="560" width="1200" height="240" fill="url(#road)"/><rect y="560" width="1200" height="240" filter="url(#asphalt)" opacity=".45"/>
    <rect y="566" width="1200" height="7" fill="#e9e6da" opacity=".85"/>${many(6, (i) => `<path d="M${i * 230 - 40} 730H${i * 230 + 90}L${i * 230 + 84} 746H${i * 230 - 50}Z" fill="#f2efe2"/>`)}
    <ellipse cx="600" cy="664" rx="400" ry="20" filter="url(#shadow)" opacity=".75"/>
    <path d="M212 590Q196 520 232 494Q300 470 372 462Q452 372 540 358Q660 342 752 372Q816 396 884 458Q968 468 996 498Q1012 540 1004 596Q1000 616 980 616H240Q216 616 212 590Z" fill="url(#paint)"/>
    <path d="M412 460Q474 390 548 380Q580 376 612 376V462Z" fill="url(#glass)"/><path d="M632 376Q700 374 744 394Q786 416 826 462H632Z" fill="url(#glass)"/><path d="M440 458L500 398L524 390L470 459ZM660 461L700 382L720 386L690 461Z" fill="#fff" opacity=".28"/>
    <path d="M226 512Q600 476 1000 512" fill="none" stroke="#ff9a8f" stroke-width="5" opacity=".75"/><path d="M622 372V600M410 470Q402 560 420 604M838 470Q850 540 832 604" fill="none" stroke="#6d0710" stroke-width="3"/>
    <rect x="560" y="498" width="46" height="9" rx="4" fill="#7d0a13"/><rect x="782" y="498" width="46" height="9" rx="4" fill="#7d0a13"/>
    <path d="M966 506Q998 508 1000 540L968 536Q958 520 966 506Z" fill="#fff6d8"/><path d="M214 520L246 512L242 546L212 548Z" fill="#ff5b3c"/><rect x="236" y="592" width="740" height="20" rx="8" fill="#22262c"/>
    <path d="M268 614A82 82 0 0 1 432 614ZM768 614A82 82 0 0 1 932 614Z" fill="#17191d"/>${wheel(350)}${wheel(850)}`);
}

export function nightCity(): Scene {
  const random = seeded(99);
  const row = (count: number, base: number, tall: number, color: string, lit: number) => many(count, (i) => {
    const width = 1200 / count + 14;
    const x = (i * 1200) / count - 5;
    const height = tall * (0.35 + 0.65 * random());
    const columns = Math.floor(width / 15);
    return `<rect x="${x}" y="${base - height}" width="${width}" height="${height}" fill="${color}"/>${many(columns * Math.floor(height / 19), (k) => {
      if (random() > lit) return '';
      const tone = ['#ffd98a', '#ffe9bd', '#ffb35c', '#bfe3ff'][Math.floor(random() * 4)];
      return `<rect x="${x + 7 + (k % columns) * 15}" y="${base - height + 10 + Math.floor(k / columns) * 19}" width="8" height="10" fill="${tone}" opacity="${0.5 + random() * 0.5}"/>`;
    })}`;
  });
  const skyline = `${row(17, 560, 330, '#1a2148', 0.22)}${row(12, 560, 430, '#0f1533', 0.38)}<path d="M604 560V60L608 60V560Z" fill="#0f1533"/><circle cx="606" cy="60" r="4" fill="#ff4b4b"/>`;
  return scene(1200, 800,
    gradient('sky', '0 #070b25,.5 #1b2560,.75 #4b3a7c,1 #a35a7d') + gradient('water', '0 #0a1030 .35,1 #050818 .9') + glow('moon', '0 #fdf8e4,.16 #f6eecb,.19 #d9dcff .35,1 #d9dcff 0') + blur('wet', 5)
    + clouds('ripple', { frequency: '.01 .14', color: [5, 8, 30], density: 0.3, seed: 17 }),
    `<rect ${whole} fill="url(#sky)"/>${many(160, () => `<circle cx="${random() * 1200}" cy="${random() * 330}" r="${0.5 + random() * 1.2}" fill="#fff" opacity="${0.3 + random() * 0.7}"/>`)}
    <circle cx="960" cy="130" r="190" fill="url(#moon)"/>${skyline}<g transform="matrix(1 0 0 -.9 0 1064)" filter="url(#wet)"><rect y="290" width="1200" height="280" fill="#4b3a7c"/>${skyline}</g>
    <rect y="560" width="1200" height="240" fill="url(#water)"/><rect y="562" width="1200" height="238" filter="url(#ripple)" opacity=".7"/>`);
}

/** Lights of a street, far out of focus: there is nothing sharp in it. */
export function blurredLights(): Scene {
  const random = seeded(64);
  const colors = ['#ffb347', '#ff5e62', '#7ee8fa', '#ffd86b', '#9b8cff', '#54e38e'];
  return scene(1200, 800, gradient('night', '0 #0d1126,.6 #2a1c3a,1 #150d18') + blur('soft', 7),
    `<rect ${whole} fill="url(#night)"/><g filter="url(#soft)">${many(75, () => {
      const y = 180 + random() * 480;
      const color = colors[Math.floor(random() * colors.length)];
      const radius = 18 + random() * 50;
      const x = random() * 1200;
      return `<circle cx="${x}" cy="${y}" r="${radius}" fill="${color}" opacity="${0.22 + random() * 0.4}"/><circle cx="${x}" cy="${y}" r="${radius}" fill="none" stroke="${color}" stroke-width="3" opacity=".5"/>`;
    })}</g>`);
}

export function sailingBoat(): Scene {
  return scene(800, 1200,
    gradient('sky', '0 #2f86d1,.7 #a8d8f0,1 #e8f6f6') + gradient('sea', '0 #2e9bb5,.3 #16729b,1 #06345c') + gradient('sail', '0 #ffffff,.6 #f4f1e8,1 #cfd6d9', 'across') + blur('soft', 8)
    + clouds('cloud', { frequency: '.005 .011', color: [255, 255, 255], density: 0.22, seed: 41 }) + clouds('waves', { frequency: '.012 .08', color: [4, 40, 84], density: 0.25, seed: 6 }) + clouds('foam', { frequency: '.02 .13', color: [235, 250, 255], density: -0.35, seed: 19 }),
    `<rect width="800" height="1200" fill="url(#sky)"/><rect width="800" height="640" filter="url(#cloud)"/><rect y="740" width="800" height="460" fill="url(#sea)"/>
    <rect y="742" width="800" height="458" filter="url(#waves)" opacity=".6"/><rect y="742" width="800" height="458" filter="url(#foam)" opacity=".7"/>
    <path d="M290 850Q400 1000 520 850L470 1080Q390 1120 350 1060Z" fill="#fff" opacity=".22" filter="url(#soft)"/>
    <path d="M396 180H404V800H396Z" fill="#6b4a2f"/><path d="M412 196Q640 520 606 772Q500 756 412 772Z" fill="url(#sail)"/><path d="M388 250Q250 520 214 766Q310 748 388 766Z" fill="#f0ece0"/><path d="M414 560Q520 548 622 560L618 630Q520 616 414 630Z" fill="#d8342c"/>
    <path d="M404 182L448 196L404 212Z" fill="#d8342c"/><path d="M196 790H624Q600 866 540 878H284Q226 868 196 790Z" fill="#1d3557"/><path d="M196 790H624L618 808H204Z" fill="#fff"/><path d="M180 880Q400 850 660 882Q420 906 180 880Z" fill="#eaf6fa" opacity=".75"/>`);
}

export function balloons(): Scene {
  const balloon = (x: number, y: number, size: number, colors: string[]) => `<g transform="translate(${x} ${y}) scale(${size})"><clipPath id="b${x}"><path d="M0 -120C90 -120 118 -50 104 10C92 60 40 96 22 122H-22C-40 96 -92 60 -104 10C-118 -50 -90 -120 0 -120Z"/></clipPath>
    <g clip-path="url(#b${x})"><rect x="-120" y="-120" width="240" height="250" fill="${colors[0]}"/>${[92, 58, 22].map((reach, i) => `<ellipse cy="0" rx="${reach}" ry="132" fill="${colors[(i + 1) % colors.length]}"/>`).join('')}<rect x="-120" y="-120" width="240" height="250" fill="url(#round)"/></g>
    <path d="M-20 122L-13 152M20 122L13 152" stroke="#5b3b22" stroke-width="3"/><rect x="-17" y="152" width="34" height="26" rx="4" fill="#7c5230"/></g>`;
  return scene(1200, 800,
    gradient('sky', '0 #3d8bd4,.55 #9fd0ee,.85 #fde8c9,1 #fbd3a0') + gradient('round', '0 #fff .32,.35 #fff .05,.6 #000 .05,1 #000 .42', 'across') + clouds('cloud', { frequency: '.004 .013', color: [255, 250, 244], density: 0.2, seed: 52 }) + blur('soft', 2),
    `<rect ${whole} fill="url(#sky)"/><rect width="1200" height="640" filter="url(#cloud)" opacity=".9"/>
    <path d="${ridge(seeded(3), { width: 1200, height: 800, y: 700, rise: 110, steps: 100 })}" fill="#8aa3a8" filter="url(#soft)"/><path d="${ridge(seeded(8), { width: 1200, height: 800, y: 760, rise: 70, steps: 100 })}" fill="#56705a"/>
    ${balloon(880, 230, 0.75, ['#6c3fa8', '#f6c945', '#e84a7a'])}${balloon(620, 480, 0.5, ['#1f9e8f', '#fff4d6', '#f08a24'])}${balloon(345, 330, 1.5, ['#e23b2e', '#ffc93c', '#2463b5', '#fff3d4'])}${balloon(1060, 520, 0.36, ['#2463b5', '#ffffff', '#e23b2e'])}`);
}
