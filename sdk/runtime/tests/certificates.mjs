// A throw-away certificate authority, as the host has one for each worker. X.509 by hand (RFC 5280), as Node makes none.

import { createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const HOUR_MS = 60 * 60 * 1000;

function der(tag, ...parts) {
  const body = Buffer.concat(parts);
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = Buffer.from(body.length.toString(16).padStart(body.length < 256 ? 2 : 4, '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body]);
}
const sequence = (...parts) => der(0x30, ...parts);
const set = (...parts) => der(0x31, ...parts);
const oid = (hex) => der(0x06, Buffer.from(hex, 'hex'));
const text = (value) => der(0x0c, Buffer.from(value));
const octets = (value) => der(0x04, value);
const name = (value) => sequence(set(sequence(oid('550403'), text(value))));
const time = (ms) => der(0x17, Buffer.from(new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14) + 'Z'));
const extension = (id, critical, value) => sequence(oid(id), ...(critical ? [Buffer.from([1, 1, 255])] : []), octets(value));
const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'));

function certificate({ subject, issuer, key, signer, extensions }) {
  const serial = randomBytes(8);
  serial[0] &= 0x7f;
  const now = Date.now();
  const body = sequence(
    der(0xa0, Buffer.from([2, 1, 2])), der(0x02, Buffer.concat([Buffer.from([1]), serial])), ECDSA_SHA256, name(issuer),
    sequence(time(now - HOUR_MS), time(now + HOUR_MS)), name(subject),
    createPublicKey(key).export({ type: 'spki', format: 'der' }), der(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', body, signer);
  const whole = sequence(body, ECDSA_SHA256, der(0x03, Buffer.from([0]), signature));
  return `-----BEGIN CERTIFICATE-----\n${whole.toString('base64').replace(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
}

const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

/** `{ca, issue(host)}`: the authority's certificate, and key and certificate for a host. */
export function authority() {
  const signer = newKey();
  const isCa = extension('551d13', true, sequence(Buffer.from([1, 1, 255])));
  const ca = certificate({ subject: 'tests', issuer: 'tests', key: signer, signer, extensions: [isCa] });
  const issue = (host) => {
    const key = newKey();
    const alternative = extension('551d11', false, sequence(der(0x82, Buffer.from(host))));
    const cert = certificate({ subject: host, issuer: 'tests', key, signer, extensions: [alternative] });
    return { key: key.export({ type: 'pkcs8', format: 'pem' }), cert };
  };
  return { ca, issue };
}
