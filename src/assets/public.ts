import type { App } from '../app.ts';
import type { RenditionFormat } from '../compute/render.ts';
import { imageFormats } from '../compute/sniff.ts';
import { type Verdict, verifyPermanent } from '../storage/signature.ts';
import { extensionOf } from './download-name.ts';
import { type ImageSize, parseShape, printShape, type Rendition, renditionOf, type RenditionWish } from './rendition.ts';

export const publicPrefix = '/public/';

/** What a public URL grants while its asset is public: the file itself, or a rendition of it. */
export interface PublicGrant {
  assetId: string;
  rendition: Rendition | null;
}

export interface PublicRendition {
  url: string;
  width: number;
  height: number;
  format: Rendition['format'];
}

type Signer = Pick<App, 'config' | 'signPermanentUrl'>;

// Everything is in the path, and its end says the type: caches leave queries out of their keys, or go by the extension, where nobody tells them otherwise.
const ending = (extension: string | undefined) => (extension === undefined ? '' : `.${extension}`);

/** Where everybody finds the file itself for as long as it is public. */
export function publicFileUrl({ signPermanentUrl }: Signer, { id, contentType }: { id: string; contentType: string }): string {
  return signPermanentUrl(publicPrefix, `${id}/file${ending(extensionOf(contentType))}`);
}

/** Where everybody finds a rendition for as long as its image is public. Without the signature strangers could have any number of sizes made. */
export function publicRendition({ config, signPermanentUrl }: Signer, image: ImageSize, wish: RenditionWish): PublicRendition {
  const rendition = renditionOf(config, image, wish);
  const { width, height, format } = rendition;
  const extension = format === 'AUTO' ? undefined : imageFormats[format].extension;
  return { url: signPermanentUrl(publicPrefix, `${image.id}/${printShape(rendition)}${ending(extension)}`), width, height, format };
}

export function verifyPublic(secret: string, path: string): Verdict<PublicGrant> {
  const verdict = verifyPermanent(secret, publicPrefix, path);
  if ('refused' in verdict) return verdict;
  const [assetId = '', name = ''] = verdict.grant.split('/');
  if (/^file(\.|$)/.test(name)) return { grant: { assetId, rendition: null } };
  const [, shape = '', extension] = /^([^.]+)(?:\.(\w+))?$/.exec(name) ?? [];
  const format = extension === undefined ? 'AUTO' : (Object.keys(imageFormats) as RenditionFormat[]).find((one) => imageFormats[one].extension === extension)!;
  return { grant: { assetId, rendition: { imageId: assetId, format, ...parseShape(shape) } } };
}
