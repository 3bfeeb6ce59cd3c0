/** Strokes of each letter on a grid 4 wide and 6 high: points as pairs of digits, strokes apart by blanks. Own letters, because a server may have no fonts. */
const strokes: Record<string, string> = {
  A: '0602204246 0444', B: '06003041423303 3344453606', C: '4130100105163645', D: '06003041453606', E: '40000646 0333', F: '400006 0333', G: '41301001051636454323',
  H: '0006 4046 0343', I: '1030 2026 1636', J: '4045361605', K: '0006 400346', L: '000646', M: '0600234046', N: '06004640', O: '103041453616050110', P: '06003041423303',
  Q: '103041453616050110 2446', R: '06003041423303 2346', S: '413010010213334445361605', T: '0040 2026', U: '000516364540', V: '002640', W: '0016233640', X: '0046 4006',
  Y: '002340 2326', Z: '00400646', 0: '103041453616050110 1531', 1: '112026 1636', 2: '01103041420646', 3: '01103041423313 334445361605', 4: '36300444', 5: '4000033344453606',
  6: '30100105163645443303', 7: '004016', 8: '103041423313020110 3344453616050413', 9: '43130201103041453616', '.': '2526', ',': '2517', '-': '1333', ':': '2122 2425', '%': '0640 0001 4546', '+': '2125 0343', '/': '0640',
};

/** A line of capitals, digits and simple marks as SVG: `y` is the top of the letters, `size` their height. */
export function letters(text: string, { x, y, size, color, weight = 0.11 }: { x: number; y: number; size: number; color: string; weight?: number }): string {
  const unit = size / 6;
  const path = [...text.toUpperCase()].map((letter, index) => (strokes[letter] ?? '').split(' ').filter(Boolean).map((stroke) => {
    const points = (stroke.match(/../g) ?? []).map((point) => `${(x + index * unit * 6 + Number(point[0]) * unit).toFixed(1)} ${(y + Number(point[1]) * unit).toFixed(1)}`);
    return `M${points.join('L')}`;
  }).join('')).join('');
  return `<path d="${path}" fill="none" stroke="${color}" stroke-width="${size * weight}" stroke-linecap="round" stroke-linejoin="round"/>`;
}
