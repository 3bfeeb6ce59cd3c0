/** What a prompt asks for, as far as the painter knows its words. */
export interface Idea {
  place: Place;
  light: Light;
  season: Season;
  hasFog: boolean;
  falling: 'rain' | 'snow' | null;
  things: Wish[];
  /** The colour of the whole, where a colour stands before no thing. */
  tint: string | null;
  /** What shall be written. */
  text: string | null;
}

export type Place = 'sea' | 'lake' | 'meadow' | 'forest' | 'desert' | 'town' | 'space' | 'table' | 'poster' | 'waves';
export type Light = 'day' | 'sunset' | 'dawn' | 'night' | 'grey';
export type Season = 'summer' | 'autumn' | 'winter' | 'spring';
export type Thing = 'boat' | 'balloon' | 'house' | 'lighthouse' | 'tree' | 'flower' | 'bird' | 'car' | 'mug' | 'fruit' | 'vase' | 'bottle' | 'moon' | 'sun' | 'planet';

export interface Wish {
  thing: Thing;
  /** The word for it. */
  name: string;
  color: string | null;
  count: number;
}

const places: Record<Place, string> = {
  sea: 'sea ocean beach coast shore island wave harbour harbor bay surf sand seaside cliff tropical palm',
  lake: 'mountain alps peak summit lake hill fjord river glacier valley rock canyon volcano snowy',
  meadow: 'meadow field garden grass park countryside village farm flower tulip rose sunflower daisy poppy lavender spring prairie landscape',
  forest: 'forest wood jungle tree pine fir trail woodland',
  desert: 'desert dune sahara oasis camel cactus savanna',
  town: 'city town skyline street building skyscraper downtown urban tower bridge neon traffic road',
  space: 'space galaxy planet nebula universe cosmos astronaut rocket spaceship comet moonscape',
  table: 'table kitchen studio still-life still mug cup coffee tea vase bottle fruit apple orange lemon pear bowl desk product wine breakfast',
  poster: 'poster letter text sign typography logo title banner word headline invitation card',
  waves: 'abstract pattern gradient geometric background texture wallpaper shape minimal minimalist',
};
const lights: Record<Light, string> = {
  sunset: 'sunset dusk evening golden twilight',
  dawn: 'dawn sunrise morning pastel',
  night: 'night midnight dark moon moonlight starry star neon aurora nocturnal',
  grey: 'storm stormy rain rainy overcast cloudy grey gray gloomy fog foggy moody',
  day: 'day noon sunny bright daylight midday afternoon',
};
const seasons: Record<Season, string> = {
  winter: 'winter snow snowy ice icy frozen frost christmas snowfall',
  autumn: 'autumn fall october november foliage',
  spring: 'spring blossom bloom cherry april',
  summer: 'summer july august',
};
const things: Record<Thing, string> = {
  boat: 'boat ship sail sailing sailboat yacht',
  balloon: 'balloon',
  house: 'house cabin cottage home hut barn farm village farmhouse chalet',
  lighthouse: 'lighthouse',
  tree: 'tree oak palm',
  flower: 'flower tulip rose daisy poppy sunflower lavender bouquet blossom',
  bird: 'bird seagull gull swallow flock',
  car: 'car taxi automobile cab',
  mug: 'mug cup coffee tea',
  fruit: 'fruit apple orange lemon lime peach plum pear cherry tomato',
  vase: 'vase bouquet',
  bottle: 'bottle wine',
  moon: 'moon moonlight',
  sun: 'sun sunny',
  planet: 'planet saturn jupiter mars',
};
const colors: Record<string, string> = {
  red: '#d0342c', crimson: '#b0182c', orange: '#ef8a2b', yellow: '#f5c92e', golden: '#e8b23a', gold: '#e0ac3a', green: '#4c9a48', emerald: '#1f9a6c', teal: '#1f8f92', turquoise: '#35b6b4', cyan: '#3cc4d8',
  blue: '#2f6fc4', navy: '#1f3566', indigo: '#3f3d9c', purple: '#7d4bb0', violet: '#8654c0', lavender: '#a68fd8', magenta: '#c43c9c', pink: '#ee82ac', rose: '#e0607c', brown: '#7c5232', white: '#f4f3ef', black: '#24242a', silver: '#b8bec6',
};
const naturalColors: Record<string, string> = { apple: '#c8342c', orange: '#f08a24', lemon: '#f3d13c', lime: '#8cc43c', peach: '#f3a06c', plum: '#6a3468', pear: '#b6c04a', cherry: '#a8182c', tomato: '#d83a26', tulip: '#e0405a', rose: '#d8324e', poppy: '#e23b24', sunflower: '#f5bd1e', daisy: '#fbfaf2', lavender: '#8d74c8', taxi: '#f2bd1d', coffee: '#f4f3ef', tea: '#8fb8a0' };
const numbers: Record<string, number> = { two: 2, three: 3, four: 4, five: 5, six: 6, seven: 7, many: 7, some: 4, several: 4, flock: 7, bouquet: 9 };

const isIn = (list: string, word: string) => list.split(' ').includes(word);
const keyOf = <Key extends string>(table: Record<Key, string>, word: string): Key | undefined => (Object.keys(table) as Key[]).find((key) => isIn(table[key], word));

/** Words in the singular, as the lists have them. */
const wordsOf = (text: string) => (text.toLowerCase().match(/\p{L}+/gu) ?? []).map((word) => ({ word: word.replace(/(?<=[^s]{3})s$/, ''), isPlural: /[^s]{3}s$/.test(word) }));

/** Reads a prompt. What it does not understand is left to `random`, which gives 0 to 1. */
export function readPrompt(prompt: string, negativePrompt: string | null, random: () => number): Idea {
  const unwanted = new Set(wordsOf(negativePrompt ?? '').map(({ word }) => word));
  const quoted = /["“”«»]([^"“”«»]{1,60})["“”«»]/.exec(prompt)?.[1]?.trim() ?? null;
  const words = wordsOf(quoted ? prompt.replace(quoted, '') : prompt).filter(({ word }) => !unwanted.has(word));
  const found = new Map<Thing, Wish>();
  let color: string | null = null;
  let tint: string | null = null;
  let count: number | null = null;
  for (const { word, isPlural } of words) {
    const thing = keyOf(things, word);
    const natural = naturalColors[word] ?? null;
    if (thing && !found.has(thing)) {
      found.set(thing, { thing, name: word, color: color ?? natural, count: count ?? (isPlural ? 3 : 1) });
      [color, count] = [null, null];
    } else if (colors[word]) [color, tint] = [colors[word], tint ?? colors[word]];
    count = numbers[word] ?? count;
  }
  const wanted = [...found.values()];
  if (wanted.some((wish) => wish.color === tint)) tint = color;
  const first = <Key extends string>(table: Record<Key, string>) => words.map(({ word }) => keyOf(table, word)).find((key) => key !== undefined);
  const has = (list: string) => words.some(({ word }) => isIn(list, word));
  // Rain at night is night first.
  const light = (Object.keys(lights) as Light[]).find((key) => has(lights[key])) ?? (['day', 'day', 'dawn', 'sunset'] as const)[Math.floor(random() * 4)]!;
  return {
    place: quoted && !first(places) ? 'poster' : placeOf(first(places), wanted, random),
    light,
    season: first(seasons) ?? 'summer',
    hasFog: has('fog foggy mist misty haze hazy'),
    falling: has('rain rainy storm stormy') ? 'rain' : has('snow snowfall snowing blizzard') ? 'snow' : null,
    things: wanted,
    tint,
    text: quoted,
  };
}

const homes: Partial<Record<Thing, Place>> = { boat: 'sea', lighthouse: 'sea', balloon: 'meadow', house: 'meadow', car: 'town', planet: 'space', bird: 'sea' };

/** Where nothing says where, a thing is at home somewhere, and chance is a landscape. */
function placeOf(place: Place | undefined, wanted: Wish[], random: () => number): Place {
  const home = wanted.map(({ thing }) => homes[thing]).find((known) => known !== undefined);
  return place ?? home ?? (['lake', 'meadow', 'sea', 'waves', 'forest', 'desert'] as const)[Math.floor(random() * 6)]!;
}
