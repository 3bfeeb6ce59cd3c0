import { expect, test } from 'vitest';
import { readConfig, s3Settings } from '../src/config.ts';

const whole = { S3_ENDPOINT: 'https://s3.example.org/', S3_BUCKET: 'pictures', S3_ACCESS_KEY: 'AKIAEXAMPLE', S3_SECRET_KEY: 'wJalrXUtnFEMI/K7MDENG' };
const problem = (environment: Record<string, string>): string => {
  try {
    readConfig(environment);
  } catch (error) {
    return String(error);
  }
  return 'no problem';
};

test('without S3_ENDPOINT files are on disk; with it three more settings are enough', () => {
  expect(s3Settings(readConfig({}))).toBeNull();
  expect(s3Settings(readConfig(whole))).toEqual({
    endpoint: 'https://s3.example.org', publicEndpoint: 'https://s3.example.org', region: 'us-east-1', bucket: 'pictures',
    accessKey: 'AKIAEXAMPLE', secretKey: 'wJalrXUtnFEMI/K7MDENG', pathStyle: true, encryption: 'none',
  });
  expect(s3Settings(readConfig({ ...whole, S3_PUBLIC_ENDPOINT: 'http://localhost:9000', S3_REGION: 'garage', S3_PATH_STYLE: 'false', S3_ENCRYPTION: 'AES256' })))
    .toMatchObject({ publicEndpoint: 'http://localhost:9000', region: 'garage', pathStyle: false, encryption: 'AES256' });
});

test('all that is missing is said at once, and half a setup never writes to the disk instead', () => {
  expect(problem({ S3_ENDPOINT: 'https://s3.example.org' })).toContain('S3_ENDPOINT needs S3_BUCKET, S3_ACCESS_KEY, S3_SECRET_KEY');
  expect(problem({ S3_BUCKET: 'pictures', S3_SECRET_KEY: 'x' })).toContain('S3_BUCKET, S3_SECRET_KEY without S3_ENDPOINT: files would stay on this disk');
});

test.each([
  ['S3_ENDPOINT', 's3.example.org'], ['S3_ENDPOINT', 'ftp://s3.example.org'], ['S3_ENDPOINT', 'https://s3.example.org/pictures'], ['S3_ENDPOINT', 'https://key:secret@s3.example.org'],
  ['S3_PUBLIC_ENDPOINT', 'https://s3.example.org/?x'], ['S3_BUCKET', 'My_Bucket'], ['S3_BUCKET', 'a'], ['S3_ENCRYPTION', 'aes'], ['S3_PATH_STYLE', 'yes'],
])('%s=%s is refused', (name, value) => {
  expect(problem({ ...whole, [name]: value })).toContain(name);
});

test.each([['S3_ACCESS_KEY'], ['S3_SECRET_KEY']])('a broken %s is refused without showing it', (name) => {
  const message = problem({ ...whole, [name]: 'hunter2 hunter2' });
  expect(message).toContain(`${name}: Expected visible ASCII characters`);
  expect(message).not.toContain('hunter2');
});
