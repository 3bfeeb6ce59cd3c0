import { errors, jwtVerify } from 'jose';
import type { Config } from '../config.ts';
import { UserError } from '../errors.ts';
import { localViewer, tokenViewer, type Viewer } from './viewer.ts';

/** The viewer behind an `Authorization` header. Throws UNAUTHENTICATED with what was expected. */
export async function authenticate({ JWT_SECRET }: Pick<Config, 'JWT_SECRET'>, authorization: string | undefined): Promise<Viewer> {
  if (!JWT_SECRET) return localViewer;
  const token = /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1];
  if (!token) throw new UserError('UNAUTHENTICATED', 'Expected the header "Authorization: Bearer <token>"', { hint: 'Over WebSocket send it as connectionParams.authorization' });
  try {
    const { payload } = await jwtVerify(token, new TextEncoder().encode(JWT_SECRET), { algorithms: ['HS256'], requiredClaims: ['sub', 'exp'], clockTolerance: 5 });
    if (!payload.sub || payload.sub.length > 200) throw new UserError('UNAUTHENTICATED', 'Expected the claim "sub" to be 1 to 200 characters');
    return tokenViewer(payload.sub, { expiresAt: new Date(payload.exp! * 1000) });
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw new UserError('UNAUTHENTICATED', 'The token has expired', { hint: 'Sign in again', cause: error });
    if (error instanceof errors.JOSEError) throw new UserError('UNAUTHENTICATED', `The token was refused: ${error.message}`, { cause: error });
    throw error;
  }
}
