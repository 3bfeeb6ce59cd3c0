import { maxTags } from '../assets/tags.ts';
import { halfChroma, lightnessCurve, likenessReach, lookOf, tolerances } from '../compute/color-likeness.ts';
import { colorNames, type ColorName } from '../compute/color-names.ts';
import type { Lab } from '../compute/oklab.ts';
import { dominantShare } from '../compute/palette.ts';
import { parseColor } from '../compute/parse-color.ts';
import { Prisma, type Visibility } from '../database/generated/client.ts';
import { UserError } from '../errors.ts';

export interface Range<Value> {
  from?: Value | null;
  to?: Value | null;
}

/** Facts a picture must have. Every condition that is given must hold. */
export interface ImageFilter {
  tags?: readonly string[] | null;
  anyTags?: readonly string[] | null;
  colors?: readonly string[] | null;
  color?: { near: string; minShare?: number | null } | null;
  orientation?: readonly ('LANDSCAPE' | 'PORTRAIT' | 'SQUARE')[] | null;
  format?: readonly string[] | null;
  width?: Range<number> | null;
  height?: Range<number> | null;
  byteSize?: Range<number> | null;
  createdAt?: Range<Date> | null;
  takenAt?: Range<Date> | null;
  analyzed?: boolean | null;
  visibility?: Visibility | null;
}

/** A colour in OKLab, its name if it was asked for by one of ours, and the share of a picture that must be near it. */
export interface ColorWish {
  lab: Lab;
  name: ColorName | undefined;
  minShare: number;
}

/** The colour of a filter, or null. Throws for a text that is no colour. */
export function colorWish({ color }: ImageFilter): ColorWish | null {
  if (!color) return null;
  const lab = parseColor(color.near);
  if (!lab) throw new UserError('INVALID_INPUT', `Expected color.near to be a CSS colour but received "${color.near.slice(0, 40)}"`, { hint: 'Such as "#c02030", "teal" or "rgb(20 90 200)"' });
  const minShare = color.minShare ?? 0.05;
  if (minShare < 0 || minShare > 1) throw new UserError('INVALID_INPUT', `Expected color.minShare between 0 and 1 but received ${minShare}`);
  return { lab, name: colorNamed(color.near), minShare };
}

function colorNamed(text: string): ColorName | undefined {
  const word = text.trim().toLowerCase().replace('grey', 'gray');
  return colorNames.find((name) => name === word);
}

/** In a group of palette entries of one picture and name: whether the picture is known by that colour. */
export const isDominant = Prisma.sql`sum(share) >= ${dominantShare}::real`;

/**
 * How much of each picture has a colour, 0 to 1, as rows (asset_id, score); pictures without it have no row. Of a colour with a name that is
 * the share of what goes by that name. Of any other it is the sum over the palette of share × `colorLikeness`, here in SQL. Measured on 98
 * pictures and the 123 colours of theirs that cover a tenth and have a chroma above .05: the colour's own picture is among the first three
 * for 117, and never a gray one among the first ten; of a Gaussian in OKLab (σ = .07) that was 61, and 362 times.
 */
export function colorScores(ownerId: string, { lab, name }: ColorWish): Prisma.Sql {
  if (name) return Prisma.sql`select asset_id, least(1, sum(share))::float8 as score from image_color where owner_id = ${ownerId} and name = ${name} group by asset_id`;
  const { k1, k2, k3 } = lightnessCurve;
  const [lightness, u, v] = lookOf(lab);
  // What is within reach of a colour lies on its side of gray: most of the others need not be compared.
  const sameSide = Math.hypot(u, v) > likenessReach ? Prisma.sql`and a * ${u}::real + b * ${v}::real > 0` : Prisma.empty;
  return Prisma.sql`
    select asset_id, least(1, sum(share * exp(-sqrt(squared))))::float8 as score from (
      select asset_id, share, power((t + sqrt(t * t + ${4 * k2 * k3}::float8 * l)) / ${2 * tolerances.lightness}::float8 - ${lightness}::float8, 2)
        + power(a * stretch - ${u}::float8, 2) + power(b * stretch - ${v}::float8, 2) as squared
      from (
        select *, ${k3}::float8 * l - ${k1}::float8 as t, sqrt(a * a + b * b) / (a * a + b * b + ${halfChroma ** 2}::float8) / ${tolerances.hue}::float8 as stretch
        from image_color where owner_id = ${ownerId} ${sameSide}) color
      offset 0) compared
    where squared < ${likenessReach ** 2}::float8 group by asset_id`;
}

const range = <Value extends number | Date>(column: Prisma.Sql, cast: Prisma.Sql, wish: Range<Value> | null | undefined) => [
  ...(wish?.from != null ? [Prisma.sql`${column} >= ${wish.from}${cast}`] : []),
  ...(wish?.to != null ? [Prisma.sql`${column} <= ${wish.to}${cast}`] : []),
];

const orientations = { LANDSCAPE: Prisma.sql`asset.width > asset.height`, PORTRAIT: Prisma.sql`asset.width < asset.height`, SQUARE: Prisma.sql`asset.width = asset.height` };

/** The names as tags are kept, each once. */
function tagNames(field: 'tags' | 'anyTags', filter: ImageFilter): string[] {
  const names = [...new Set(filter[field]?.map((name) => name.trim().toLowerCase()))];
  if (names.length > maxTags) throw new UserError('INVALID_INPUT', `Expected at most ${maxTags} names in ${field} but received ${names.length}`);
  return names;
}

function mustBeNamed(text: string): ColorName {
  const name = colorNamed(text);
  if (name) return name;
  throw new UserError('INVALID_INPUT', `Expected colors to be among ${colorNames.join(', ')} but received "${text.slice(0, 40)}"`, { hint: 'For any other colour use the filter `color`' });
}

/** Conditions on the row `asset`; always the owner's images. Their number does not grow with the filter's lists: planning takes longer than quadratically with it. */
export function imageConditions(ownerId: string, filter: ImageFilter): Prisma.Sql {
  const [tags, anyTags] = [tagNames('tags', filter), tagNames('anyTags', filter)];
  const tagged = (names: string[]) => Prisma.sql`from image_tag tag where tag.owner_id = ${ownerId} and tag.name = any(${names}::text[])`;
  const hasAny = (names: string[]) => Prisma.sql`exists (select 1 ${tagged(names)} and tag.asset_id = asset.id)`;
  const hasAll = (names: string[]) => Prisma.sql`asset.id in (select tag.asset_id ${tagged(names)} group by tag.asset_id having count(distinct tag.name) = ${names.length}::int)`;
  const hasColor = (name: ColorName) => Prisma.sql`asset.id in (select asset_id from image_color where owner_id = ${ownerId} and name = ${name} group by asset_id having ${isDominant})`;
  const color = colorWish(filter);
  const conditions = [
    Prisma.sql`asset.owner_id = ${ownerId}`,
    Prisma.sql`asset.kind = 'IMAGE'`,
    // One tag need not be counted, so a page of the newest is found without reading all that have it.
    ...(tags.length > 0 ? [tags.length === 1 ? hasAny(tags) : hasAll(tags)] : []),
    ...(anyTags.length > 0 ? [hasAny(anyTags)] : []),
    ...[...new Set(filter.colors?.map(mustBeNamed))].map(hasColor),
    ...(filter.orientation?.length ? [Prisma.sql`(${Prisma.join([...new Set(filter.orientation)].map((name) => orientations[name]), ' or ')})`] : []),
    ...(filter.format?.length ? [Prisma.sql`asset.format in (${Prisma.join([...new Set(filter.format)])})`] : []),
    ...(filter.visibility ? [Prisma.sql`asset.visibility = ${filter.visibility}::visibility`] : []),
    ...range(Prisma.sql`asset.width`, Prisma.sql`::int`, filter.width),
    ...range(Prisma.sql`asset.height`, Prisma.sql`::int`, filter.height),
    ...range(Prisma.sql`asset.byte_size`, Prisma.sql`::int`, filter.byteSize),
    ...range(Prisma.sql`asset.created_at`, Prisma.sql`::timestamptz`, filter.createdAt),
    ...range(Prisma.sql`asset.taken_at`, Prisma.sql`::timestamptz`, filter.takenAt),
    ...(filter.analyzed != null ? [Prisma.sql`${filter.analyzed} = exists (select 1 from analysis where analysis.asset_id = asset.id)`] : []),
    ...(color && color.minShare > 0 ? [Prisma.sql`asset.id in (select asset_id from (${colorScores(ownerId, color)}) near_color where score >= ${color.minShare}::float8)`] : []),
  ];
  return Prisma.join(conditions, ' and ');
}
